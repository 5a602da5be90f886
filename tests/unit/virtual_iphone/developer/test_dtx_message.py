"""DTX framing: any cut of the bytes gives the same messages, and nothing hostile gets further than an error."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymobiledevice3.dtx.message_aux import MessageAux
from pymobiledevice3.dtx.primitives import PInt32

from harness.virtual_iphone.instruments.dtx_arguments import Int32, decode_arguments, encode_arguments
from harness.virtual_iphone.instruments.dtx_message import (
    MAX_MESSAGE_BYTES,
    DtxError,
    DtxMessage,
    MessageDecoder,
    MessageKind,
    encode_message,
)
from harness.virtual_iphone.instruments.keyed_archive import ArchiveError

_FRAGMENT = struct.Struct("<IIHHIIIiI")

_MESSAGES = st.builds(
    DtxMessage,
    kind=st.sampled_from(MessageKind),
    identifier=st.integers(1, 2**32 - 1),
    channel=st.integers(-(2**31), 2**31 - 1),
    conversation=st.integers(0, 3),
    expects_reply=st.booleans(),
    arguments=st.binary(max_size=80),
    payload=st.one_of(st.binary(max_size=80), st.just(b"long" * 70_000)),
)


def _bytes(*messages: DtxMessage) -> bytes:
    return b"".join(fragment for message in messages for fragment in encode_message(message))


@settings(max_examples=60, deadline=None)
@given(st.lists(_MESSAGES, max_size=3), st.data())
def test_messages_survive_any_cut(messages: list[DtxMessage], data: st.DataObject) -> None:
    wire = _bytes(*messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    decoder = MessageDecoder()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        found += decoder.feed(wire[start:end])
    assert found == messages


def test_fragments_of_two_messages_may_alternate() -> None:
    first = DtxMessage(MessageKind.DATA, 1, 0, payload=b"a" * 300_000)
    second = DtxMessage(MessageKind.DATA, 2, 0, payload=b"b" * 300_000)
    mixed = b"".join(
        part for pair in zip(encode_message(first), encode_message(second), strict=True) for part in pair
    )
    assert MessageDecoder().feed(mixed) == [first, second]


def _header(**changes: int) -> bytes:
    fields = {
        "magic": 0x1F3D5B79,
        "header_bytes": 32,
        "index": 0,
        "count": 1,
        "data_bytes": 16,
        "identifier": 1,
        "conversation": 0,
        "channel": 0,
        "flags": 0,
    }
    return _FRAGMENT.pack(*(fields | changes).values())


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "not a DTX fragment"),
        (b"\x79\x5b\x3d\x1e", "not a DTX fragment"),
        (_header(header_bytes=31), "header of 31 bytes"),
        (_header(header_bytes=2**31), "header of 2147483648"),
        (_header(index=1), "fragment 1 of 1"),
        (_header(count=0), "fragment 0 of 0"),
        (_header(data_bytes=MAX_MESSAGE_BYTES + 1), "more than"),
        (_header(data_bytes=0), "a message of 0 bytes"),
        (_header(index=1, count=3) + bytes(16), "has not begun"),
        (_header(count=3, data_bytes=64) * 2, "begins twice"),
        (_header(count=3, data_bytes=64) + _header(index=2, count=3) + bytes(16), "out of order"),
        (_header(count=2, data_bytes=8) + _header(index=1, count=2) + bytes(16), "larger than it said"),
        (_header(count=2, data_bytes=64) + _header(index=1, count=2) + bytes(16), "smaller than it said"),
        (_header() + struct.pack("<BBBBIQ", 2, 0, 0, 0, 0, 99), "contradict"),
        (_header() + struct.pack("<BBBBIQ", 2, 0, 0, 0, 5, 0), "contradict"),
        (_header() + struct.pack("<BBBBIQ", 7, 0, 0, 0, 0, 0), "kind 7"),
        (
            b"".join(_header(count=3, data_bytes=MAX_MESSAGE_BYTES, identifier=number) for number in (1, 2)),
            "too many messages",
        ),
        (b"".join(_header(count=3, data_bytes=8, identifier=number) for number in range(65)), "too many"),
    ],
)
def test_broken_framing_is_refused(wire: bytes, reason: str) -> None:
    with pytest.raises(DtxError, match=reason):
        MessageDecoder().feed(wire)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_never_goes_further_than_an_error(data: st.DataObject) -> None:
    arguments = encode_arguments([Int32(5), "com.apple.x", {"a": [1, 2]}, None])
    wire = bytearray(_bytes(DtxMessage(MessageKind.DISPATCH, 1, 0, arguments=arguments, payload=b"x" * 50)))
    for _ in range(data.draw(st.integers(1, 3))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        for message in MessageDecoder().feed(bytes(wire)):
            decode_arguments(message.arguments)
    except (DtxError, ArchiveError):
        pass


_ARGUMENTS = st.lists(
    st.one_of(st.none(), st.text(), st.integers(-(2**62), 2**62), st.booleans()), max_size=6
)


@settings(max_examples=60, deadline=None)
@given(_ARGUMENTS)
def test_arguments_are_what_the_client_reads_and_writes(arguments: list[Any]) -> None:
    assert MessageAux.parse(encode_arguments(arguments)) == arguments
    assert decode_arguments(MessageAux.build(arguments)) == arguments


def test_bare_numbers_are_numbers_on_both_ends() -> None:
    assert MessageAux.parse(encode_arguments([Int32(-5)])) == [-5]
    assert decode_arguments(MessageAux.build([PInt32(-5)])) == [-5]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xf0\x01", "without a header"),
        (struct.pack("<IIQ", 0x1F0, 0, 99), "of their size"),
        (struct.pack("<IIQ", 0x1EF, 0, 0), "no dictionary"),
        (struct.pack("<IIQI", 0x1F0, 0, 4, 1), "with keys"),
        (struct.pack("<IIQI", 0x1F0, 0, 4, 10), "middle of an entry"),
        (struct.pack("<IIQIII", 0x1F0, 0, 12, 10, 2, 99), "middle of a buffer"),
        (struct.pack("<IIQII", 0x1F0, 0, 8, 10, 6), "middle of a number"),
        (struct.pack("<IIQII", 0x1F0, 0, 8, 10, 77), "of type 77"),
        (struct.pack("<IIQ", 0x1F0, 0, 8 * 65) + struct.pack("<II", 10, 10) * 65, "more than 64"),
    ],
)
def test_broken_arguments_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DtxError, match=reason):
        decode_arguments(data)
