"""What goes through a tunnel, held against other readers of the same formats, and against hostile bytes."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import math
import struct
import uuid
from typing import Any

import hyperframe.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymobiledevice3.remote import xpc_message as client_xpc
from pymobiledevice3.remote.tunnel_service import CDTunnelPacket, RemotePairingTunnel

from harness.virtual_iphone.tunnel import cdtunnel
from harness.virtual_iphone.tunnel import http2_frames as http2
from harness.virtual_iphone.tunnel.ipv6_packet import (
    Flag,
    PacketDecoder,
    PacketError,
    Segment,
    decode_segment,
    encode_segment,
)
from harness.virtual_iphone.tunnel.xpc_message import (
    HEADER_BYTES,
    UInt64,
    XpcError,
    XpcFlag,
    XpcMessage,
    body_bytes,
    decode_message,
    encode_message,
)

_HERE, _THERE = ipaddress.IPv6Address("fd00::1"), ipaddress.IPv6Address("fd00::2")

_SEGMENTS = st.builds(
    Segment,
    source_port=st.integers(0, 65535),
    destination_port=st.integers(0, 65535),
    sequence=st.integers(0, 2**32 - 1),
    acknowledgment=st.integers(0, 2**32 - 1),
    flags=st.integers(0, 31).map(lambda bits: Flag(bits & ~Flag.SYN)),
    window=st.integers(0, 65535),
    payload=st.binary(max_size=50),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_SEGMENTS, max_size=4), st.data())
def test_segments_survive_any_cut_of_the_tunnel(segments: list[Segment], data: st.DataObject) -> None:
    wire = b"".join(encode_segment(segment, _HERE, _THERE) for segment in segments)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    decoder, found = PacketDecoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        found += decoder.feed(wire[start:end])
    assert [decode_segment(packet) for packet in found] == segments
    assert {(packet.source, packet.destination) for packet in found} <= {(_HERE.packed, _THERE.packed)}


@given(_SEGMENTS)
def test_the_checksum_is_the_sum_of_rfc_1071(segment: Segment) -> None:
    packet = encode_segment(segment, _HERE, _THERE)
    data = packet[40:] + b"\0" * (len(packet) % 2)
    words = struct.unpack(f">{len(data) // 2}H", data)
    total = sum(words) + sum(struct.unpack(">16H", packet[8:40])) + (len(packet) - 40) + 6
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF


def test_the_options_of_an_opening_are_read() -> None:
    syn = Segment(1, 2, 3, 0, Flag.SYN, 100, mss_bytes=1340, window_shift=7)
    (packet,) = PacketDecoder().feed(encode_segment(syn, _HERE, _THERE))
    assert decode_segment(packet) == syn


@pytest.mark.parametrize("wire", [b"\x45" + bytes(60), b"GET / HTTP", b"\0"])
def test_a_tunnel_of_something_else_is_refused(wire: bytes) -> None:
    with pytest.raises(PacketError):
        PacketDecoder().feed(wire)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_segment_is_refused_or_another_segment(data: st.DataObject) -> None:
    syn = Segment(1, 2, 3, 0, Flag.SYN, 100, b"payload", mss_bytes=1340, window_shift=7)
    wire = bytearray(encode_segment(syn, _HERE, _THERE))
    for _ in range(data.draw(st.integers(1, 3))):
        wire[data.draw(st.integers(6, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    for packet in PacketDecoder().feed(bytes(wire)):
        with contextlib.suppress(PacketError):
            decode_segment(packet)


def test_the_tunnels_handshake_is_the_clients() -> None:
    request = RemotePairingTunnel._encode_cdtunnel_packet({"type": "clientHandshakeRequest", "mtu": 9000})
    header, body = request[: cdtunnel.HEADER_BYTES], request[cdtunnel.HEADER_BYTES :]
    assert cdtunnel.body_bytes(header) == len(body)
    assert cdtunnel.requested_mtu(body) == 9000
    parameters = cdtunnel.TunnelParameters(_THERE, _HERE, 9000, 49152)
    response = json.loads(CDTunnelPacket.parse(cdtunnel.encode_response(parameters)).body)
    assert response["clientParameters"] == {
        "address": "fd00::2",
        "mtu": 9000,
        "netmask": "ffff:ffff:ffff:ffff::",
    }
    assert (response["serverAddress"], response["serverRSDPort"]) == ("fd00::1", 49152)


@pytest.mark.parametrize(("asked", "got"), [(0, 1280), (1500, 1500), (10**9, 16000)])
def test_the_mtu_stays_within_what_a_tunnel_carries(asked: int, got: int) -> None:
    body = json.dumps({"type": "clientHandshakeRequest", "mtu": asked}).encode()
    assert cdtunnel.requested_mtu(body) == got


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"3",
        b'{"type":"x"}',
        b'{"type":"clientHandshakeRequest","mtu":"a"}',
        b"\xff",
    ],
)
def test_another_handshake_is_refused(body: bytes) -> None:
    with pytest.raises(cdtunnel.CDTunnelError):
        cdtunnel.requested_mtu(body)


def test_frames_are_http_2_to_another_reader() -> None:
    frames = [
        http2.settings_frame({http2.Setting.INITIAL_WINDOW_SIZE: 1 << 20}),
        http2.window_update_frame(3, 77),
        http2.Frame(http2.FrameType.DATA, 1, payload=b"xpc"),
    ]
    found = []
    for frame in frames:
        wire = http2.encode_frame(frame)
        read, length = hyperframe.frame.Frame.parse_frame_header(memoryview(wire[:9]))
        read.parse_body(memoryview(wire[9:]))
        assert length == len(wire) - 9
        found.append(read)
    assert found[0].settings == {4: 1 << 20}
    assert (found[1].stream_id, found[1].window_increment) == (3, 77)
    assert (found[2].stream_id, found[2].data) == (1, b"xpc")
    padded = hyperframe.frame.DataFrame(1, data=b"xpc", pad_length=9, flags=["PADDED"]).serialize()
    header = http2.decode_header(padded[:9])
    assert http2.data_of(http2.Frame(header.type, header.stream, header.flags, padded[9:])) == b"xpc"


@pytest.mark.parametrize(
    "read",
    [
        lambda: http2.decode_header(b"\xff" * 9),
        lambda: http2.settings_of(http2.Frame(http2.FrameType.SETTINGS, 0, payload=b"1234567")),
        lambda: http2.window_increment(http2.Frame(http2.FrameType.WINDOW_UPDATE, 0, payload=b"123")),
        lambda: http2.window_increment(http2.Frame(http2.FrameType.WINDOW_UPDATE, 0, payload=bytes(4))),
        lambda: http2.data_of(http2.Frame(http2.FrameType.DATA, 1, http2.FrameFlag.PADDED, b"\x05ab")),
        lambda: http2.data_of(http2.Frame(http2.FrameType.DATA, 1, http2.FrameFlag.PADDED)),
    ],
)
def test_broken_frames_are_refused(read: Any) -> None:
    with pytest.raises(http2.Http2Error):
        read()


_TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=12)
_XPC_VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 2**64 - 1).map(UInt64),
        st.floats(allow_nan=False),
        _TEXT,
        st.binary(max_size=12),
        st.uuids(),
        st.none(),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_TEXT, _XPC_VALUES, max_size=4))
def test_xpc_is_what_both_readers_find(body: dict[str, Any]) -> None:
    wire = encode_message(XpcMessage(XpcFlag.ALWAYS | XpcFlag.DATA, 6, body))
    found = client_xpc.XpcWrapper.parse(wire)
    assert client_xpc.decode_xpc_object(found.payload) == body
    assert (found.flags, found.message_id) == (0x101, 6)
    assert body_bytes(wire[:HEADER_BYTES]) == len(wire) - HEADER_BYTES
    assert decode_message(wire[:HEADER_BYTES], wire[HEADER_BYTES:]).body == body


def test_the_clients_requests_are_read() -> None:
    request = {
        "signal": client_xpc.XpcInt64Type(-9),
        "size": client_xpc.XpcUInt64Type(2**63),
        "token": uuid.UUID(int=5),
        "list": ["a", True, 2.5, b"raw"],
    }
    wire = client_xpc.create_xpc_wrapper(request, message_id=3, wanting_reply=True)
    message = decode_message(wire[:HEADER_BYTES], wire[HEADER_BYTES:])
    assert message.body == request
    assert (message.number, message.flags) == (3, XpcFlag.ALWAYS | XpcFlag.DATA | XpcFlag.WANTING_REPLY)


def _message(body: bytes) -> tuple[bytes, bytes]:
    return struct.pack("<IIQQ", 0x29B00B92, 1, len(body), 0), body


_BODY = struct.pack("<II", 0x42133742, 5)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\0" * 8, "no XPC object"),
        (_BODY, "cut off"),
        (_BODY + struct.pack("<I", 0x6000), "type 0x6000"),
        (_BODY + struct.pack("<II", 0x9000, 99), "cut off"),
        (_BODY + struct.pack("<II4s", 0x9000, 2, b"\xff\0"), "no UTF-8"),
        (_BODY + struct.pack("<III", 0xE000, 999, 0), "longer than its message"),
        (_BODY + struct.pack("<III", 0xE000, 4, 2**31), "does not hold them"),
        (_BODY + struct.pack("<IIII", 0xE000, 8, 0, 0), "shorter than it says"),
        (_BODY + struct.pack("<III4s", 0xF000, 8, 1, b"abcd"), "without an end"),
    ],
)
def test_broken_xpc_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(XpcError, match=reason):
        decode_message(*_message(body))


def test_deep_nesting_and_long_messages_are_refused() -> None:
    value: Any = "x"
    for _ in range(80):
        value = [value]
    wire = encode_message(XpcMessage(XpcFlag.ALWAYS, 1, value))
    with pytest.raises(XpcError, match="nested deeper"):
        decode_message(wire[:HEADER_BYTES], wire[HEADER_BYTES:])
    with pytest.raises(XpcError, match="more than"):
        body_bytes(struct.pack("<IIQQ", 0x29B00B92, 1, 2**40, 0))
    with pytest.raises(XpcError, match="not a RemoteXPC"):
        body_bytes(bytes(24))
    with pytest.raises(XpcError, match="64 bits"):
        encode_message(XpcMessage(XpcFlag.ALWAYS, 1, 2**64))
    assert math.isnan(_again(math.nan))


def _again(value: Any) -> Any:
    wire = encode_message(XpcMessage(XpcFlag.ALWAYS, 1, value))
    return decode_message(wire[:HEADER_BYTES], wire[HEADER_BYTES:]).body


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_xpc_is_refused_or_harmless(data: st.DataObject) -> None:
    wire = bytearray(encode_message(XpcMessage(XpcFlag.ALWAYS, 1, {"a": ["b", 1, {"c": b"dd"}], "e": None})))
    for _ in range(data.draw(st.integers(1, 3))):
        wire[data.draw(st.integers(HEADER_BYTES, len(wire) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(XpcError):
        decode_message(bytes(wire[:HEADER_BYTES]), bytes(wire[HEADER_BYTES:]))
