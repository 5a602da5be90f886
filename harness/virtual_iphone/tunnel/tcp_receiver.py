"""The receiving half of a TCP connection: bytes in order, what came early, and how much more may come."""

from __future__ import annotations

SEQUENCE_SPACE = 2**32
# A window that opens by less is not worth a segment of its own (RFC 9293, section 3.8.6.2.2).
_WINDOW_UPDATE_BYTES = 64 * 1024
# A peer that sends single bytes out of order does not get to fill a table with them.
_MAX_EARLY_SEGMENTS = 128


def distance(sequence: int, origin: int) -> int:
    """How far ``sequence`` lies after ``origin``, negative where it lies before it (RFC 9293, section 3.4)."""
    return (sequence - origin + SEQUENCE_SPACE // 2) % SEQUENCE_SPACE - SEQUENCE_SPACE // 2


class Receiver:
    """Takes payloads in any order and hands their bytes on in sequence, never holding more than ``capacity_bytes``."""

    def __init__(self, next_sequence: int, capacity_bytes: int) -> None:
        self.next_sequence = next_sequence
        self.finished = False
        self._capacity_bytes = capacity_bytes
        self._ready = bytearray()
        self._early: dict[int, bytes] = {}
        self._end_sequence: int | None = None
        self._announced_window = capacity_bytes

    @property
    def window_bytes(self) -> int:
        """How many bytes beyond those received may come."""
        return self._capacity_bytes - len(self._ready)

    @property
    def ready_bytes(self) -> int:
        return len(self._ready)

    def announce(self) -> int:
        """The window to put into a segment that goes out now."""
        self._announced_window = self.window_bytes
        return self._announced_window

    @property
    def window_update_due(self) -> bool:
        """Whether reading opened the window so far that the peer should hear of it."""
        return self.window_bytes - self._announced_window >= min(
            _WINDOW_UPDATE_BYTES, self._capacity_bytes // 2
        )

    def accept(self, sequence: int, payload: bytes, *, fin: bool) -> bool:
        """Take one segment; whether it was the next in order.

        What lies outside the window is dropped, as RFC 9293, section 3.10.7.4 asks: the peer sends it again.
        """
        offset = distance(sequence, self.next_sequence)
        if fin and 0 <= offset + len(payload) <= self.window_bytes:
            self._end_sequence = (sequence + len(payload)) % SEQUENCE_SPACE
        if offset > 0:
            if payload and offset + len(payload) <= self.window_bytes:
                self._keep_early(sequence, payload)
            return False
        fresh = payload[-offset:][: self.window_bytes]
        self._append(fresh)
        self._take_early()
        self._check_end()
        return bool(fresh) or (fin and self.finished)

    def take(self, limit_bytes: int) -> bytes:
        """Up to ``limit_bytes`` of what came, in order; empty where nothing waits."""
        taken = bytes(self._ready[:limit_bytes])
        del self._ready[: len(taken)]
        return taken

    def _append(self, payload: bytes) -> None:
        self._ready += payload
        self.next_sequence = (self.next_sequence + len(payload)) % SEQUENCE_SPACE

    def _keep_early(self, sequence: int, payload: bytes) -> None:
        known = self._early.pop(sequence, b"")
        held = sum(len(early) for early in self._early.values())
        if len(self._early) < _MAX_EARLY_SEGMENTS and held + len(payload) <= self._capacity_bytes:
            self._early[sequence] = max(known, payload, key=len)

    def _take_early(self) -> None:
        for sequence in sorted(self._early, key=lambda early: distance(early, self.next_sequence)):
            offset = distance(sequence, self.next_sequence)
            if offset > 0:
                return
            payload = self._early.pop(sequence)[-offset:]
            self._append(payload[: self.window_bytes])

    def _check_end(self) -> None:
        if not self.finished and self._end_sequence == self.next_sequence:
            self.finished = True
            self.next_sequence = (self.next_sequence + 1) % SEQUENCE_SPACE
