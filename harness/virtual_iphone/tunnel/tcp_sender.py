"""The sending half of a TCP connection: what waits, what is on its way, when to send it again, and how much at once.

The tunnel below is reliable, but the client's own stack drops packets when they come faster than it takes them: hence
the congestion window of RFC 5681, the recovery of RFC 6582 (NewReno), and the timer of RFC 6298.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.virtual_iphone.tunnel.tcp_receiver import SEQUENCE_SPACE, distance

_FIRST_TIMEOUT_S = 1.0
# Linux's floor; RFC 6298's whole second is for the Internet, and the tunnel is a cable.
_SHORTEST_TIMEOUT_S = 0.2
_LONGEST_TIMEOUT_S = 10.0
_FIRST_WINDOW_SEGMENTS = 4
_DUPLICATES_OF_A_LOSS = 3
# Linux holds ten datagrams between a client's tunnel and its stack and drops the next: eight full packets stay below.
_LARGEST_WINDOW_BYTES = 8 * 16000


@dataclass(frozen=True)
class Outgoing:
    """Bytes to send, from ``sequence`` on; ``fin`` ends the stream after them."""

    sequence: int
    payload: bytes
    fin: bool
    push: bool


class Sender:
    """Holds the bytes from the first unacknowledged one on; offsets below count from there."""

    def __init__(self, first_sequence: int, segment_bytes: int, peer_window_bytes: int) -> None:
        self._first = first_sequence  # of the first unacknowledged byte
        self._segment_bytes = segment_bytes
        self._peer_window_bytes = peer_window_bytes
        self._buffer = bytearray()
        self._sent = 0  # the offset to send from
        self._sent_most = 0  # the offset it had before a timeout took it back
        self._closing = False
        self._fin_acknowledged = False
        self._window_bytes = _FIRST_WINDOW_SEGMENTS * segment_bytes
        self._threshold_bytes = _LARGEST_WINDOW_BYTES
        self._duplicates = 0
        self._recovery_end: int | None = None
        self._timeout_s = _FIRST_TIMEOUT_S
        self._smoothed_s: float | None = None
        self._variation_s = 0.0
        self._timed: tuple[int, float] | None = (
            None  # the sequence whose acknowledgment is timed, and since when
        )
        self.deadline_s: float | None = None
        self.unanswered_timeouts = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes that are not acknowledged yet."""
        return len(self._buffer)

    @property
    def next_sequence(self) -> int:
        return (self._first + self._sent_most) % SEQUENCE_SPACE

    @property
    def finished(self) -> bool:
        """Whether the peer acknowledged everything and the end."""
        return self._fin_acknowledged

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._buffer += data

    def close(self) -> None:
        """Nothing more will be written; the stream ends after what waits."""
        self._closing = True

    @property
    def _end(self) -> int:
        """The offset behind the last byte, or behind the FIN, which takes one place in the sequence."""
        return len(self._buffer) + (self._closing and not self._fin_acknowledged)

    def send(self, now_s: float) -> Iterator[Outgoing]:
        """What both windows let go out now."""
        window = min(self._window_bytes, self._peer_window_bytes)
        while self._sent < self._end and (self._sent < window or self._sent == len(self._buffer)):
            limit = min(self._segment_bytes, max(window - self._sent, 0))
            if self._sent and limit < min(self._segment_bytes, len(self._buffer) - self._sent):
                return  # no small segments while larger ones are on their way
            yield self._piece(self._sent, limit, now_s)

    def _piece(self, offset: int, limit: int, now_s: float) -> Outgoing:
        payload = bytes(self._buffer[offset : offset + limit])
        end = offset + len(payload)
        fin = self._closing and end == len(self._buffer)
        outgoing = Outgoing(
            (self._first + offset) % SEQUENCE_SPACE,
            payload,
            fin,
            push=end == len(self._buffer) and bool(payload),
        )
        is_new = offset == self._sent_most
        self._sent = max(self._sent, end + fin)
        self._sent_most = max(self._sent_most, self._sent)
        if is_new and self._timed is None:
            self._timed = (self.next_sequence, now_s)
        if self.deadline_s is None:
            self.deadline_s = now_s + self._timeout_s
        return outgoing

    def acknowledge(
        self, sequence: int, window_bytes: int, now_s: float, *, bare: bool
    ) -> Iterator[Outgoing]:
        """Take an acknowledgment (``bare``: its segment carried nothing else); what has to go out again at once."""
        count = distance(sequence, self._first)
        if not 0 <= count <= self._sent_most:
            return
        self.unanswered_timeouts = 0
        if count == 0:
            is_duplicate = bare and self._sent_most > 0 and window_bytes == self._peer_window_bytes
            self._peer_window_bytes = window_bytes
            if is_duplicate:
                yield from self._duplicate(now_s)
            return
        self._peer_window_bytes = window_bytes
        self._advance(count, now_s)
        if self._recovery_end is None:
            self._grow(count)
        elif distance(sequence, self._recovery_end) >= 0:
            self._recovery_end = None
            self._window_bytes = self._threshold_bytes
        else:  # a partial acknowledgment: the next hole is known
            yield self._piece(0, self._segment_bytes, now_s)

    def _advance(self, count: int, now_s: float) -> None:
        if self._timed is not None and distance((self._first + count) % SEQUENCE_SPACE, self._timed[0]) >= 0:
            self._measured(now_s - self._timed[1])
            self._timed = None
        data_bytes = min(count, len(self._buffer))
        self._fin_acknowledged = self._fin_acknowledged or count > data_bytes
        del self._buffer[:data_bytes]
        self._first = (self._first + count) % SEQUENCE_SPACE
        self._sent = max(self._sent - count, 0)
        self._sent_most -= count
        self._duplicates = 0
        self.deadline_s = now_s + self._timeout_s if self._sent_most > 0 else None

    def _duplicate(self, now_s: float) -> Iterator[Outgoing]:
        self._duplicates += 1
        if self._recovery_end is not None:
            self._window_bytes = min(self._window_bytes + self._segment_bytes, _LARGEST_WINDOW_BYTES)
        elif self._duplicates == _DUPLICATES_OF_A_LOSS:
            self._recovery_end = self.next_sequence
            self._halve()
            self._window_bytes = self._threshold_bytes + _DUPLICATES_OF_A_LOSS * self._segment_bytes
            self._timed = None
            yield self._piece(0, self._segment_bytes, now_s)

    def expired(self, now_s: float) -> Iterator[Outgoing]:
        """The timer ran out: send the first segment again, or one byte into a window that is closed."""
        self.unanswered_timeouts += 1
        self._timeout_s = min(self._timeout_s * 2, _LONGEST_TIMEOUT_S)
        self.deadline_s = now_s + self._timeout_s
        self._timed = None
        self._recovery_end = None
        self._duplicates = 0
        if self._sent_most:
            self._halve()
            self._window_bytes = self._segment_bytes
            # Everything behind the first segment counts as lost too, and goes out as the window allows.
            self._sent = 0
        if self._end:
            yield self._piece(0, self._segment_bytes if self._peer_window_bytes else 1, now_s)
        else:
            self.deadline_s = None

    def watch_closed_window(self, now_s: float) -> None:
        """Set the timer where bytes wait before a closed window: the update that opens it may be lost."""
        if self.deadline_s is None and self._sent < self._end:
            self.deadline_s = now_s + self._timeout_s

    def _halve(self) -> None:
        self._threshold_bytes = max(self._sent_most // 2, 2 * self._segment_bytes)

    def _grow(self, count: int) -> None:
        slow_start = self._window_bytes < self._threshold_bytes
        step = count if slow_start else self._segment_bytes * self._segment_bytes // self._window_bytes + 1
        self._window_bytes = min(self._window_bytes + step, _LARGEST_WINDOW_BYTES)

    def _measured(self, round_trip_s: float) -> None:
        """RFC 6298, section 2."""
        if self._smoothed_s is None:
            self._smoothed_s, self._variation_s = round_trip_s, round_trip_s / 2
        else:
            self._variation_s = 0.75 * self._variation_s + 0.25 * abs(self._smoothed_s - round_trip_s)
            self._smoothed_s = 0.875 * self._smoothed_s + 0.125 * round_trip_s
        timeout_s = self._smoothed_s + 4 * self._variation_s
        self._timeout_s = min(max(timeout_s, _SHORTEST_TIMEOUT_S), _LONGEST_TIMEOUT_S)
