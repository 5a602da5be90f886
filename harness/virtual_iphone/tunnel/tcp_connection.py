"""One TCP connection that a client opened to the phone, without clock or I/O: segments in, segments out.

After RFC 9293: the passive side of opening, data both ways, closing from either side, resets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.virtual_iphone.tunnel.ipv6_packet import IPV6_HEADER_BYTES, TCP_HEADER_BYTES, Flag, Segment
from harness.virtual_iphone.tunnel.tcp_receiver import SEQUENCE_SPACE, Receiver, distance
from harness.virtual_iphone.tunnel.tcp_sender import Outgoing, Sender

# RFC 9293, section 3.7.1: without the option a peer takes 1220 bytes over IPv6.
_DEFAULT_MSS_BYTES = 1220
_RECEIVE_BUFFER_BYTES = 1024 * 1024
_SEND_BUFFER_BYTES = 1024 * 1024
# 1 MiB is 64 KiB shifted by 4; one more leaves room above it.
_WINDOW_SHIFT = 5
_LARGEST_WINDOW_FIELD = 0xFFFF
_GIVE_UP_AFTER_TIMEOUTS = 12
# How long a peer may take to complete its opening, to take the last bytes of a closed half, and to close its own.
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Endpoints:
    """Which connection: the client's address is the tunnel's only one, so two ports tell."""

    phone_port: int
    client_port: int


class TcpConnection:
    """Bytes between a service and the client; times are seconds of any steady clock.

    ``emit`` takes each segment that goes out. ``deadline_s`` tells when ``tick`` is due. Whoever calls ``receive``
    calls ``acknowledge`` after the last segment that came at once.
    """

    def __init__(
        self,
        syn: Segment,
        initial_sequence: int,
        mtu_bytes: int,
        emit: Callable[[Segment], None],
        now_s: float,
    ) -> None:
        self.endpoints = Endpoints(syn.destination_port, syn.source_port)
        self._emit = emit
        self._initial_sequence = initial_sequence
        self._mss_bytes = mtu_bytes - IPV6_HEADER_BYTES - TCP_HEADER_BYTES
        self._client_shift = syn.window_shift
        self._receiver = Receiver((syn.sequence + 1) % SEQUENCE_SPACE, _RECEIVE_BUFFER_BYTES)
        segment_bytes = max(1, min(syn.mss_bytes or _DEFAULT_MSS_BYTES, self._mss_bytes))
        self._sender = Sender((initial_sequence + 1) % SEQUENCE_SPACE, segment_bytes, syn.window)
        self._is_established = False
        self._is_closing = False
        self._is_reset = False
        self._acknowledgment_due = False
        self._abandon_at_s: float | None = now_s + _PATIENCE_S
        self._send_syn()

    @property
    def is_open(self) -> bool:
        """Whether the service may still write."""
        return self._is_established and not self._is_reset and not self._is_closing

    @property
    def is_established(self) -> bool:
        return self._is_established

    @property
    def is_over(self) -> bool:
        """Whether nothing of the connection is left: closed by both ends, or reset."""
        return self._is_reset or (self._sender.finished and self._receiver.finished)

    @property
    def at_end(self) -> bool:
        """Whether the client will send no more, and all it sent was taken."""
        return (self._is_reset or self._receiver.finished) and not self._receiver.ready_bytes

    @property
    def readable_bytes(self) -> int:
        return self._receiver.ready_bytes

    @property
    def writable_bytes(self) -> int:
        """How much ``write`` takes now."""
        return max(0, _SEND_BUFFER_BYTES - self._sender.waiting_bytes)

    @property
    def deadline_s(self) -> float | None:
        deadlines = [
            deadline for deadline in (self._sender.deadline_s, self._abandon_at_s) if deadline is not None
        ]
        return min(deadlines, default=None)

    def receive(self, segment: Segment, now_s: float) -> None:
        """Take a segment of this connection."""
        if self._is_reset:
            return
        if segment.flags & Flag.RST:
            # Only one that fits into the window is meant (RFC 9293, section 3.10.7.4).
            if 0 <= distance(segment.sequence, self._receiver.next_sequence) <= self._receiver.window_bytes:
                self._is_reset = True
            return
        if segment.flags & Flag.SYN:
            if self._is_established:
                self._acknowledge()
            else:
                self._send_syn()
            return
        if not segment.flags & Flag.ACK:
            return
        if not self._is_established:
            if segment.acknowledgment != (self._initial_sequence + 1) % SEQUENCE_SPACE:
                self._emit(self._segment(Outgoing(segment.acknowledgment, b"", False, False), Flag.RST))
                return
            self._is_established = True
            if not self._is_closing:
                self._abandon_at_s = None
        self._take_acknowledgment(segment, now_s)
        if segment.payload or segment.flags & Flag.FIN:
            fin = bool(segment.flags & Flag.FIN)
            if self._receiver.accept(segment.sequence, segment.payload, fin=fin):
                self._acknowledgment_due = True
            else:
                # Out of order, or there already: at once, and once for each, so that the peer can count them.
                self._acknowledge()

    def _take_acknowledgment(self, segment: Segment, now_s: float) -> None:
        window = segment.window << (self._client_shift or 0)
        bare = not segment.payload and not segment.flags & Flag.FIN
        waiting_bytes, finished = self._sender.waiting_bytes, self._sender.finished
        self._send(self._sender.acknowledge(segment.acknowledgment, window, now_s, bare=bare))
        if self._is_closing and (waiting_bytes, finished) != (
            self._sender.waiting_bytes,
            self._sender.finished,
        ):
            self._abandon_at_s = now_s + _PATIENCE_S
        self.pump(now_s)

    def acknowledge(self) -> None:
        """Acknowledge what came in order, unless a segment that went out since did."""
        if self._acknowledgment_due and not self._is_reset:
            self._acknowledge()

    def take(self, limit_bytes: int) -> bytes:
        """Up to ``limit_bytes`` that came; a window that opened by it is announced."""
        data = self._receiver.take(limit_bytes)
        if self._receiver.window_update_due and not self._is_reset and not self._receiver.finished:
            self._acknowledge()
        return data

    def write(self, data: bytes | bytearray | memoryview, now_s: float) -> None:
        """Send ``data``, no more than ``writable_bytes``."""
        self._sender.write(data)
        self.pump(now_s)

    def close(self, now_s: float) -> None:
        """End the phone's half after what was written; the client gets a while to end its own."""
        if not self._is_closing and not self._is_reset:
            self._is_closing = True
            self._sender.close()
            self._abandon_at_s = now_s + _PATIENCE_S
            self.pump(now_s)

    def reset(self) -> None:
        """End the connection at once."""
        if not self._is_reset:
            self._is_reset = True
            self._emit(
                self._segment(Outgoing(self._sender.next_sequence, b"", False, False), Flag.RST | Flag.ACK)
            )

    def pump(self, now_s: float) -> None:
        """Send what the windows allow."""
        if self._is_established and not self._is_reset:
            self._send(self._sender.send(now_s))
            self._sender.watch_closed_window(now_s)

    def tick(self, now_s: float) -> None:
        """Do what was due at ``deadline_s``."""
        if self._is_reset:
            return
        if self._abandon_at_s is not None and now_s >= self._abandon_at_s:
            self.reset()
            return
        if self._sender.deadline_s is not None and now_s >= self._sender.deadline_s:
            if self._sender.unanswered_timeouts >= _GIVE_UP_AFTER_TIMEOUTS:
                self.reset()
                return
            self._send(self._sender.expired(now_s))

    def _send(self, pieces: Iterable[Outgoing]) -> None:
        for piece in pieces:
            flags = Flag.ACK
            if piece.push:
                flags |= Flag.PSH
            if piece.fin:
                flags |= Flag.FIN
            self._emit(self._segment(piece, flags))

    def _acknowledge(self) -> None:
        self._emit(self._segment(Outgoing(self._sender.next_sequence, b"", False, False), Flag.ACK))

    def _send_syn(self) -> None:
        window = min(self._receiver.announce(), _LARGEST_WINDOW_FIELD)
        self._emit(
            Segment(
                self.endpoints.phone_port,
                self.endpoints.client_port,
                self._initial_sequence,
                self._receiver.next_sequence,
                Flag.SYN | Flag.ACK,
                window,
                mss_bytes=self._mss_bytes,
                window_shift=None if self._client_shift is None else _WINDOW_SHIFT,
            )
        )

    def _segment(self, piece: Outgoing, flags: Flag) -> Segment:
        shift = 0 if self._client_shift is None else _WINDOW_SHIFT
        self._acknowledgment_due = False
        return Segment(
            self.endpoints.phone_port,
            self.endpoints.client_port,
            piece.sequence,
            self._receiver.next_sequence,
            flags,
            min(self._receiver.announce() >> shift, _LARGEST_WINDOW_FIELD),
            piece.payload,
        )
