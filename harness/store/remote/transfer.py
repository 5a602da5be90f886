"""How a transfer tells how far it is."""

from __future__ import annotations

import threading
from typing import Protocol


class Transfer(Protocol):
    """Hears of a transfer; may be called from several threads, one at a time."""

    def begins(self, total_bytes: int, files: int) -> None:
        """What is still to be moved; known once both sides were compared."""

    def advances(self, by_bytes: int) -> None: ...


class Untold:
    """Says nothing."""

    def begins(self, total_bytes: int, files: int) -> None: ...

    def advances(self, by_bytes: int) -> None: ...


class StoppedError(Exception):
    """Ends a piece of a transfer whose other pieces were ended."""


class Meter:
    """Counts for several threads, and ends them."""

    def __init__(self, transfer: Transfer) -> None:
        self._transfer = transfer
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def advance(self, by_bytes: int) -> None:
        """
        Raises:
            StoppedError: the transfer was ended.
        """
        if self._stopped.is_set():
            raise StoppedError
        with self._lock:
            self._transfer.advances(by_bytes)
