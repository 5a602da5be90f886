"""The cable between phone and host: how fast it is, what went over it, and whether it is in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from harness.virtual_iphone.active_faults import ActiveFaults
from harness.virtual_iphone.faults import SlowLink

_MIB = 1024 * 1024


class Abortable(Protocol):
    """Whatever must end when the cable is pulled."""

    def abort(self) -> None: ...


class Link:
    """One phone's cable. All connections to the phone share its bandwidth and its fate."""

    def __init__(self, faults: ActiveFaults) -> None:
        self._faults = faults
        self._streams: set[Abortable] = set()
        self._is_in = True
        self._moving = asyncio.Event()
        self._moving.set()
        self._busy_until_s = 0.0
        self._on_change: list[Callable[[bool], None]] = []
        self.carried_bytes = 0

    @property
    def is_in(self) -> bool:
        return self._is_in

    def on_change(self, callback: Callable[[bool], None]) -> None:
        """Call ``callback(is_in)`` whenever the cable is pulled or put back."""
        self._on_change.append(callback)

    def attach(self, stream: Abortable) -> None:
        self._streams.add(stream)

    def detach(self, stream: Abortable) -> None:
        self._streams.discard(stream)

    def pull(self) -> None:
        """Pull the cable: every connection ends at once."""
        self.thaw()
        if not self._is_in:
            return
        self._is_in = False
        for stream in list(self._streams):
            stream.abort()
        self._streams.clear()
        for callback in self._on_change:
            callback(False)

    def put_back(self) -> None:
        if self._is_in:
            return
        self._is_in = True
        for callback in self._on_change:
            callback(True)

    def freeze(self) -> None:
        """Nothing moves any more, and no connection ends."""
        self._moving.clear()

    def thaw(self) -> None:
        self._moving.set()

    async def thawed(self) -> None:
        await self._moving.wait()

    async def delay_answer(self) -> None:
        slow = self._faults.get(SlowLink)
        if slow is not None and slow.latency_ms:
            await asyncio.sleep(slow.latency_ms / 1000)

    async def carry(self, count: int) -> int:
        """Take the time that ``count`` bytes need; how many of them arrive before the cable is out."""
        slow = self._faults.get(SlowLink)
        if slow is not None:
            loop = asyncio.get_running_loop()
            self._busy_until_s = max(self._busy_until_s, loop.time()) + count / (slow.mib_per_s * _MIB)
            await asyncio.sleep(self._busy_until_s - loop.time())
        arrived = min(count, self._faults.bytes_until_next_moment())
        self.carried_bytes += arrived
        self._faults.carried(arrived)
        if not self._moving.is_set():
            await self._moving.wait()
            if self._is_in:
                # What comes after the frozen byte is not lost, only late.
                self.carried_bytes += count - arrived
                return count
        return arrived
