"""Which phones are attached to this machine, looked at again and again by one process that knows usbmuxd."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from harness.core.device_traits import DeviceTraits
from harness.errors import TargetError
from harness.pipeline.matching_devices import phone_traits
from harness.pipeline.phones import TRUST_S, inspect_phone, list_phones
from harness.targets.iphone.messages import PhoneState
from harness.targets.iphone.trouble import Trouble
from harness.targets.iphone.worker_process import WorkerProcess

LOOKS_UNTIL_GONE = 3
"""A phone that is missed this often in a row is gone: a cable that is moved is back sooner."""
_MOST_AT_ONCE = 8
# What a job mends, or waits for, is no reason to leave a phone out.
_USELESS = (
    Trouble.TRUST_PENDING,
    Trouble.TRUST_DENIED,
    Trouble.UNSUPPORTED_IOS,
    Trouble.LOST,
    Trouble.SILENT,
    Trouble.NOT_ATTACHED,
)


def host_name() -> str:
    """What others know this machine by."""
    return socket.gethostname().partition(".")[0] or "localhost"


@dataclass
class AttachedPhones:
    """The phones by UDID, as they were at the last look; ``say`` is told of one that cannot be used."""

    host: str
    say: Callable[[str], None]
    worker: WorkerProcess = field(default_factory=WorkerProcess)
    _known: dict[str, DeviceTraits] = field(default_factory=dict)
    _missed: dict[str, int] = field(default_factory=dict)
    _asked: dict[str, Future[PhoneState]] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_MOST_AT_ONCE, "phones"))

    def look(self, busy: Collection[str] = ()) -> dict[str, DeviceTraits]:
        """Look again. A phone among ``busy`` (UDIDs) stays, whatever usbmuxd says: its job notices by itself."""
        try:
            attached = {phone.udid for phone in list_phones(self.worker)}
        except TargetError:
            # Without usbmuxd there are no phones; it may come up later.
            attached = set()
        for udid in attached - self._known.keys() - self._asked.keys():
            # Meanwhile its person may be asked to trust this machine.
            self._asked[udid] = self._pool.submit(inspect_phone, udid, trust_s=TRUST_S)
        for udid in [udid for udid, asked in self._asked.items() if asked.done()]:
            self._meet(udid, self._asked.pop(udid))
        for udid in list(self._known):
            missed = 0 if udid in attached or udid in busy else self._missed.get(udid, 0) + 1
            self._missed[udid] = missed
            if missed >= LOOKS_UNTIL_GONE:
                del self._known[udid], self._missed[udid]
        return dict(self._known)

    @property
    def is_asking(self) -> bool:
        """Whether a phone has still to say what it is."""
        return bool(self._asked)

    def close(self) -> None:
        """End what asks the phones."""
        self.worker.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _meet(self, udid: str, asked: Future[PhoneState]) -> None:
        try:
            state = asked.result()
            problem = state.problem if state.trouble in _USELESS else ""
        except TargetError as error:
            state, problem = None, error.problem
        if state is None or problem or not (state.product and state.ios):
            if self._told.get(udid) != problem:
                self._told[udid] = problem
                self.say(f"{udid} cannot be used: {problem or 'it does not tell what it is'}")
            return
        self._told.pop(udid, None)
        self._known[udid] = phone_traits(state, self.host)
