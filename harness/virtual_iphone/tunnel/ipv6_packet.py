"""IPv6 packets that carry TCP segments: the 40-byte header of RFC 8200 and the segment of RFC 9293."""

from __future__ import annotations

import enum
import ipaddress
import struct
from dataclasses import dataclass

from harness.virtual_iphone.streams import ProtocolViolationError

IPV6_HEADER_BYTES = 40
TCP_HEADER_BYTES = 20
TCP_PROTOCOL = 6

_HOP_LIMIT = 64
_IPV6 = struct.Struct(">IHBB16s16s")
_TCP = struct.Struct(">HHIIHHHH")
_PSEUDO_HEADER = struct.Struct(">16s16sII")
_END, _NO_OPERATION, _MSS, _WINDOW_SCALE = 0, 1, 2, 3
# RFC 7323, section 2.3: a larger shift counts as 14.
_LARGEST_WINDOW_SHIFT = 14


class PacketError(ProtocolViolationError):
    """A packet that a host drops: not IPv6, cut off, or damaged."""


class Flag(enum.IntFlag):
    """The control bits of a segment."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16


@dataclass(frozen=True)
class Segment:
    """One TCP segment; ``window`` as on the wire, before scaling; the options are those of a SYN."""

    source_port: int
    destination_port: int
    sequence: int
    acknowledgment: int
    flags: Flag
    window: int
    payload: bytes = b""
    mss_bytes: int | None = None
    window_shift: int | None = None


@dataclass(frozen=True)
class Packet:
    """An IPv6 packet with its payload still encoded."""

    source: bytes
    destination: bytes
    next_header: int
    payload: bytes


class PacketDecoder:
    """Bytes of a tunnel in any pieces → packets. After an error it is of no more use."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that ``data`` completes.

        Raises:
            PacketError: something else than an IPv6 packet; a stream of packets cannot be followed any further.
        """
        self._buffer += data
        packets = []
        start = 0
        while start < len(self._buffer):
            if self._buffer[start] >> 4 != 6:
                raise PacketError("not an IPv6 packet")
            if start + IPV6_HEADER_BYTES > len(self._buffer):
                break
            _, length, next_header, _, source, destination = _IPV6.unpack_from(self._buffer, start)
            end = start + IPV6_HEADER_BYTES + length
            if end > len(self._buffer):
                break
            payload = bytes(self._buffer[start + IPV6_HEADER_BYTES : end])
            packets.append(Packet(source, destination, next_header, payload))
            start = end
        del self._buffer[:start]
        return packets


def decode_segment(packet: Packet) -> Segment:
    """The segment in ``packet``.

    Raises:
        PacketError: not TCP, cut off, options that do not fit, or a checksum that does not.
    """
    data = packet.payload
    if packet.next_header != TCP_PROTOCOL or len(data) < TCP_HEADER_BYTES:
        raise PacketError("not a TCP segment")
    source_port, destination_port, sequence, acknowledgment, offset_and_flags, window, _, _ = (
        _TCP.unpack_from(data)
    )
    header_bytes = (offset_and_flags >> 12) * 4
    if not TCP_HEADER_BYTES <= header_bytes <= len(data):
        raise PacketError("a TCP header longer than its segment")
    if _checksum(packet.source, packet.destination, data):
        raise PacketError("a TCP segment whose checksum does not fit")
    flags = Flag(offset_and_flags & 0x1F)
    mss, shift = _options(data[TCP_HEADER_BYTES:header_bytes]) if flags & Flag.SYN else (None, None)
    return Segment(
        source_port,
        destination_port,
        sequence,
        acknowledgment,
        flags,
        window,
        data[header_bytes:],
        mss,
        shift,
    )


def encode_segment(
    segment: Segment, source: ipaddress.IPv6Address, destination: ipaddress.IPv6Address
) -> bytes:
    """The whole packet that carries ``segment``, with its checksum."""
    options = b""
    if segment.mss_bytes is not None:
        options += struct.pack(">BBH", _MSS, 4, segment.mss_bytes)
    if segment.window_shift is not None:
        options += struct.pack(">BBBB", _NO_OPERATION, _WINDOW_SCALE, 3, segment.window_shift)
    header_words = (TCP_HEADER_BYTES + len(options)) // 4
    data = bytearray(
        _TCP.pack(
            segment.source_port,
            segment.destination_port,
            segment.sequence,
            segment.acknowledgment,
            header_words << 12 | segment.flags,
            segment.window,
            0,
            0,
        )
    )
    data += options
    data += segment.payload
    struct.pack_into(">H", data, 16, _checksum(source.packed, destination.packed, data))
    header = _IPV6.pack(6 << 28, len(data), TCP_PROTOCOL, _HOP_LIMIT, source.packed, destination.packed)
    return header + data


def _options(data: bytes) -> tuple[int | None, int | None]:
    """The largest segment and the window's shift in the options of a SYN."""
    mss: int | None = None
    shift: int | None = None
    offset = 0
    while offset < len(data) and data[offset] != _END:
        if data[offset] == _NO_OPERATION:
            offset += 1
            continue
        length = data[offset + 1] if offset + 1 < len(data) else 0
        if length < 2 or offset + length > len(data):
            raise PacketError("TCP options that do not fit")
        if data[offset] == _MSS and length == 4:
            mss = int.from_bytes(data[offset + 2 : offset + 4], "big")
        elif data[offset] == _WINDOW_SCALE and length == 3:
            shift = min(data[offset + 2], _LARGEST_WINDOW_SHIFT)
        offset += length
    return mss, shift


def _checksum(source: bytes, destination: bytes, data: bytes | bytearray) -> int:
    """The checksum of RFC 8200, section 8.1; 0 for a segment that carries its right one."""
    pseudo_header = _PSEUDO_HEADER.pack(source, destination, len(data), TCP_PROTOCOL)
    number = int.from_bytes(pseudo_header + data, "big") << (len(data) % 2 * 8)
    # The one's complement sum of 16-bit words is the remainder by 2^16 - 1: in C, where a loop over words is not.
    remainder = number % 0xFFFF
    return 0xFFFF - remainder if remainder else 0
