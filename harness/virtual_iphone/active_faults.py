"""The faults a phone has now: set, cleared and triggered while it runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.virtual_iphone.faults import Event, Fault, Moment

F = TypeVar("F", bound=Fault)


@dataclass
class _Waiting:
    fault: Fault
    bytes_left: int | None = None
    timer: asyncio.TimerHandle | None = None


class ActiveFaults:
    """Faults wait for what they begin with; then lasting ones are looked up by kind, and a ``Moment`` happens.

    Used on the phone's event loop only.
    """

    def __init__(self) -> None:
        self._lasting: dict[type[Fault], Fault] = {}
        self._waiting: list[_Waiting] = []
        self._on_moment: Callable[[Moment], None] | None = None
        self._on_change: list[Callable[[], None]] = []
        self._on_clear: list[Callable[[type[Fault] | None], None]] = []

    def on_moment(self, callback: Callable[[Moment], None]) -> None:
        """Who makes a triggered fault happen."""
        self._on_moment = callback

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call ``callback()`` after lasting faults were set or cleared."""
        self._on_change.append(callback)

    def on_clear(self, callback: Callable[[type[Fault] | None], None]) -> None:
        """Call ``callback(kind)`` when faults of ``kind`` (``None``: all) are taken back."""
        self._on_clear.append(callback)

    def get(self, kind: type[F]) -> F | None:
        fault = self._lasting.get(kind)
        return fault if isinstance(fault, kind) else None

    def all(self) -> list[Fault]:
        return [*self._lasting.values(), *(waiting.fault for waiting in self._waiting)]

    def add(self, fault: Fault) -> None:
        """Put ``fault`` in force, or have it wait; a lasting one replaces the one of its kind."""
        if not fault.waits:
            self._begin(fault)
            return
        waiting = _Waiting(fault)
        self._waiting.append(waiting)
        if fault.at is None:
            self._arm(waiting)

    def clear(self, kind: type[Fault] | None = None) -> None:
        """Take back the faults of one kind, or all."""
        for waiting in list(self._waiting):
            if kind is None or isinstance(waiting.fault, kind):
                self._remove(waiting)
        for lasting in list(self._lasting):
            if kind is None or lasting is kind:
                del self._lasting[lasting]
        for callback in self._on_clear:
            callback(kind)
        self._changed()

    def happened(self, event: Event) -> None:
        """Tell that ``event`` happened, which may be what a fault waits for."""
        for waiting in list(self._waiting):
            if waiting.fault.at == event and waiting.bytes_left is None and waiting.timer is None:
                self._arm(waiting)

    def is_waiting_for(self, event: Event) -> bool:
        return any(waiting.fault.at == event for waiting in self._waiting)

    def bytes_until_next_moment(self) -> int:
        """How many more bytes may cross the cable before a fault happens."""
        return min((w.bytes_left for w in self._waiting if w.bytes_left is not None), default=sys.maxsize)

    def carried(self, count: int) -> None:
        """Tell that ``count`` bytes crossed the cable."""
        for waiting in list(self._waiting):
            if waiting.bytes_left is not None:
                waiting.bytes_left -= count
                if waiting.bytes_left <= 0:
                    self._fire(waiting)

    def _arm(self, waiting: _Waiting) -> None:
        fault = waiting.fault
        if fault.after_bytes is not None:
            waiting.bytes_left = fault.after_bytes
            if fault.after_bytes == 0:
                self._fire(waiting)
        elif fault.after_s is not None:
            waiting.timer = asyncio.get_running_loop().call_later(fault.after_s, self._fire, waiting)
        else:
            self._fire(waiting)

    def _fire(self, waiting: _Waiting) -> None:
        if waiting in self._waiting:
            self._remove(waiting)
            self._begin(waiting.fault)

    def _begin(self, fault: Fault) -> None:
        if not isinstance(fault, Moment):
            self._lasting[type(fault)] = fault
            self._changed()
        elif self._on_moment is not None:
            self._on_moment(fault)

    def _remove(self, waiting: _Waiting) -> None:
        self._waiting.remove(waiting)
        if waiting.timer is not None:
            waiting.timer.cancel()

    def _changed(self) -> None:
        for callback in self._on_change:
            callback()
