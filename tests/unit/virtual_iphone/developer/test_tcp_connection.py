"""TCP without a network: every byte arrives once and in order, whatever is lost, doubled or late."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.virtual_iphone.tunnel.ipv6_packet import Flag, Segment
from harness.virtual_iphone.tunnel.tcp_connection import TcpConnection
from harness.virtual_iphone.tunnel.tcp_receiver import SEQUENCE_SPACE, Receiver, distance

_MTU = 1280
_PHONE_PORT, _CLIENT_PORT = 49152, 50000


class _Client:
    """The other end, as plain as RFC 9293 allows: goes back to the first unacknowledged byte, takes nothing early."""

    def __init__(self, to_send: bytes, first_sequence: int, window: int, shift: int | None) -> None:
        self.received = bytearray()
        self.is_finished = False
        self._shift = shift
        self._window = window
        self._to_send = to_send
        self._origin = (first_sequence + 1) % SEQUENCE_SPACE
        self._acknowledged = 0
        self._next_expected: int | None = None
        self._phone_window = 0

    def syn(self) -> Segment:
        return self._segment(Flag.SYN, -1, mss=1200, shift=self._shift)

    def receive(self, segment: Segment) -> list[Segment]:
        if segment.flags & Flag.SYN:
            self._next_expected = (segment.sequence + 1) % SEQUENCE_SPACE
            self._phone_window = segment.window
            return [self._segment(Flag.ACK, 0)]
        if self._next_expected is None:
            return []
        scaled = segment.window << 5 if self._shift is not None else segment.window
        self._phone_window = scaled
        acknowledged = distance(segment.acknowledgment, self._origin)
        self._acknowledged = max(self._acknowledged, acknowledged)
        if segment.sequence == self._next_expected and not self.is_finished:
            self.received += segment.payload
            self._next_expected = (self._next_expected + len(segment.payload)) % SEQUENCE_SPACE
            if segment.flags & Flag.FIN:
                self.is_finished = True
                self._next_expected = (self._next_expected + 1) % SEQUENCE_SPACE
        return (
            [self._segment(Flag.ACK, self._acknowledged)]
            if segment.payload or segment.flags & Flag.FIN
            else []
        )

    @property
    def is_over(self) -> bool:
        """Whether all it sent, its end too, was acknowledged, and the phone's end came."""
        return self.is_finished and self._acknowledged == len(self._to_send) + 1

    def sends(self, chance: random.Random) -> list[Segment]:
        """All it has to say beyond what was acknowledged, within the phone's window, cut anew each time."""
        if self._next_expected is None:
            return [self.syn()]
        segments = []
        offset = self._acknowledged
        limit = min(len(self._to_send), offset + self._phone_window)
        while offset < limit:
            piece = self._to_send[offset : min(offset + chance.randint(1, 1000), limit)]
            segments.append(self._segment(Flag.ACK, offset, piece))
            offset += len(piece)
        if offset == len(self._to_send):
            segments.append(self._segment(Flag.ACK | Flag.FIN, offset))
        return segments

    def _segment(
        self, flags: Flag, offset: int, payload: bytes = b"", mss: int | None = None, shift: int | None = None
    ) -> Segment:
        return Segment(
            _CLIENT_PORT,
            _PHONE_PORT,
            (self._origin + offset) % SEQUENCE_SPACE,
            self._next_expected or 0,
            flags,
            self._window,
            payload,
            mss,
            shift,
        )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.04, 0.12]),
    to_client=st.just(0) | st.integers(5_000, 30_000),
    to_phone=st.just(0) | st.integers(3_000, 10_000),
    window=st.sampled_from([700, 4_000, 60_000]),
    shift=st.sampled_from([None, 0, 3]),
    sequences=st.tuples(st.integers(0, SEQUENCE_SPACE - 1), st.sampled_from([1, SEQUENCE_SPACE - 500])),
)
def test_bytes_arrive_once_and_in_order(
    seed: int,
    loss: float,
    to_client: int,
    to_phone: int,
    window: int,
    shift: int | None,
    sequences: tuple[int, int],
) -> None:
    chance = random.Random(seed)
    upwards, downwards = chance.randbytes(to_phone), chance.randbytes(to_client)
    client = _Client(upwards, sequences[0], window, shift)
    outbox: list[Segment] = []
    now = 0.0
    connection = TcpConnection(client.syn(), sequences[1], _MTU, outbox.append, now)
    received, written = bytearray(), 0
    for _ in range(4000):
        now += 0.05
        if connection.deadline_s is not None and now >= connection.deadline_s:
            connection.tick(now)
        if connection.is_open and written < len(downwards):
            piece = downwards[written : written + min(connection.writable_bytes, 7_000)]
            connection.write(piece, now)
            written += len(piece)
        if written == len(downwards) and connection.is_open:
            connection.close(now)
        arriving, outbox[:] = list(outbox), []
        answers = [answer for segment in _spoil(arriving, chance, loss) for answer in client.receive(segment)]
        for segment in _spoil(answers + client.sends(chance), chance, loss):
            connection.receive(segment, now)
        connection.acknowledge()
        received += connection.take(chance.choice([0, 500, 100_000]))
        if connection.is_over and client.is_over and connection.at_end:
            break
    assert bytes(client.received) == downwards
    assert bytes(received) == upwards
    assert connection.is_over and client.is_over


def _spoil(segments: list[Segment], chance: random.Random, loss: float) -> list[Segment]:
    """What a bad network makes of them: some lost, some twice, some in another order."""
    kept = [segment for segment in segments if chance.random() >= loss]
    kept += [segment for segment in kept if chance.random() < loss / 2]
    if loss and chance.random() < 0.5:
        chance.shuffle(kept)
    return kept


def _established(emit: Callable[[Segment], None], now: float = 0.0) -> TcpConnection:
    connection = TcpConnection(_segment(Flag.SYN, 100, mss_bytes=1000, window_shift=0), 500, _MTU, emit, now)
    connection.receive(_segment(Flag.ACK, 101, 501), now)
    assert connection.is_established
    return connection


def _segment(
    flags: Flag, sequence: int, acknowledgment: int = 0, payload: bytes = b"", **more: int
) -> Segment:
    return Segment(_CLIENT_PORT, _PHONE_PORT, sequence, acknowledgment, flags, 60_000, payload, **more)


def test_the_opening_offers_what_the_tunnel_carries() -> None:
    out: list[Segment] = []
    TcpConnection(_segment(Flag.SYN, 100, mss_bytes=9000, window_shift=7), 500, 16000, out.append, 0.0)
    (answer,) = out
    assert answer.flags == Flag.SYN | Flag.ACK
    assert (answer.sequence, answer.acknowledgment, answer.mss_bytes, answer.window_shift) == (
        500,
        101,
        15940,
        5,
    )


def test_no_segment_is_larger_than_the_client_takes() -> None:
    out: list[Segment] = []
    connection = _established(out.append)
    connection.write(b"x" * 3500, 0.0)
    assert [len(segment.payload) for segment in out[1:]] == [1000, 1000, 1000, 500]
    assert out[-1].flags & Flag.PSH


def test_a_loss_is_mended_after_three_duplicates_without_waiting() -> None:
    out: list[Segment] = []
    connection = _established(out.append)
    connection.write(b"abcd" * 1000, 0.0)
    del out[:]
    for _ in range(3):
        connection.receive(_segment(Flag.ACK, 101, 501), 0.01)
    assert [segment.sequence for segment in out] == [501]


def test_after_a_timeout_everything_behind_the_first_segment_goes_out_again() -> None:
    out: list[Segment] = []
    connection = _established(out.append)
    connection.write(b"abcd" * 1000, 0.0)
    del out[:]
    connection.tick(connection.deadline_s or 0.0)
    assert [segment.sequence for segment in out] == [501]
    connection.receive(_segment(Flag.ACK, 101, 1501), 2.0)
    assert [segment.sequence for segment in out] == [501, 1501, 2501]
    # The first copy of all of it arrived after all: nothing is left to send.
    connection.receive(_segment(Flag.ACK, 101, 4501), 2.1)
    assert connection.deadline_s is None and len(out) == 3


def test_an_acknowledgment_of_more_than_was_sent_again_is_taken() -> None:
    out: list[Segment] = []
    connection = _established(out.append)
    connection.write(b"abcd" * 1000, 0.0)
    connection.tick(connection.deadline_s or 0.0)
    connection.receive(_segment(Flag.ACK, 101, 4501), 2.0)
    assert connection.deadline_s is None


def test_early_bytes_that_overlap_are_taken_once() -> None:
    receiver = Receiver(0, 1000)
    assert not receiver.accept(3, b"defg", fin=True)
    assert not receiver.accept(5, b"fg", fin=False)
    assert receiver.accept(0, b"abcde", fin=False)
    assert (receiver.take(100), receiver.finished, receiver.next_sequence) == (b"abcdefg", True, 8)


def test_a_closed_window_is_probed_and_opens_again() -> None:
    out: list[Segment] = []
    connection = _established(out.append)
    closed = Segment(_CLIENT_PORT, _PHONE_PORT, 101, 501, Flag.ACK, 0)
    connection.receive(closed, 0.0)
    connection.write(b"waits", 0.0)
    assert len(out) == 1 and connection.deadline_s is not None
    connection.tick(connection.deadline_s)
    assert out[-1].payload == b"w"
    connection.receive(_segment(Flag.ACK, 101, 502), 5.0)
    assert out[-1].payload == b"aits"


def test_a_client_that_never_answers_is_given_up() -> None:
    out: list[Segment] = []
    connection = _established(out.append)
    connection.write(b"x", 0.0)
    for _ in range(20):
        if connection.deadline_s is None:
            break
        connection.tick(connection.deadline_s)
    assert connection.is_over and out[-1].flags & Flag.RST


@pytest.mark.parametrize(
    ("sequence", "is_over"), [(101, True), (101 + 1024 * 1024, True), (100, False), (2**31, False)]
)
def test_only_a_reset_that_fits_is_believed(sequence: int, is_over: bool) -> None:
    connection = _established(lambda _: None)
    connection.receive(_segment(Flag.RST, sequence), 0.0)
    assert connection.is_over is is_over


def test_half_an_opening_and_half_a_closing_do_not_last() -> None:
    half_open = TcpConnection(_segment(Flag.SYN, 1), 1, _MTU, lambda _: None, 0.0)
    assert half_open.deadline_s == 30.0
    half_open.tick(30.0)
    assert half_open.is_over
    half_closed = _established(lambda _: None)
    half_closed.close(1.0)
    half_closed.receive(_segment(Flag.ACK, 101, 502), 1.0)
    assert half_closed.deadline_s == 31.0
    half_closed.tick(31.0)
    assert half_closed.is_over


def test_what_is_not_read_closes_the_window_and_reading_opens_it() -> None:
    out: list[Segment] = []
    connection = _established(out.append)
    sequence = 101
    while out[-1].window:
        connection.receive(_segment(Flag.ACK, sequence, 501, b"x" * 32768), 0.0)
        connection.acknowledge()
        sequence += 32768
    assert connection.readable_bytes == 1024 * 1024
    connection.receive(_segment(Flag.ACK, sequence, 501, b"too much"), 0.0)
    assert connection.readable_bytes == 1024 * 1024
    del out[:]
    connection.take(512 * 1024)
    assert [segment.window << 5 for segment in out] == [512 * 1024]


_ANY_SEGMENT = st.builds(
    Segment,
    source_port=st.just(_CLIENT_PORT),
    destination_port=st.just(_PHONE_PORT),
    sequence=st.integers(0, SEQUENCE_SPACE - 1) | st.integers(90, 300),
    acknowledgment=st.integers(0, SEQUENCE_SPACE - 1) | st.integers(495, 560),
    flags=st.integers(0, 31).map(Flag),
    window=st.integers(0, 65535),
    payload=st.binary(max_size=40),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_ANY_SEGMENT, max_size=25), st.booleans())
def test_hostile_segments_are_survived(segments: list[Segment], closes: bool) -> None:
    out: list[Segment] = []
    connection = _established(out.append)
    connection.write(b"some bytes on their way", 0.0)
    for number, segment in enumerate(segments):
        connection.receive(segment, number)
        connection.acknowledge()
        if connection.deadline_s is not None and connection.deadline_s <= number:
            connection.tick(number)
        connection.take(5)
    if closes:
        connection.close(100.0)
        connection.tick(140.0)
        assert connection.is_over
    # No amplification: a segment draws a handful of answers at most.
    assert len(out) <= 4 + 4 * len(segments) + 2


def test_single_bytes_out_of_order_do_not_fill_the_memory() -> None:
    receiver = Receiver(0, 1024 * 1024)
    for sequence in range(2, 4000, 2):
        receiver.accept(sequence, b"x", fin=False)
    receiver.accept(0, b"ab", fin=False)
    assert receiver.ready_bytes <= 2 + 128
