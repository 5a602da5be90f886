"""HTTP/2 frames (RFC 9113, section 4), as far as RemoteXPC uses them: no header is ever compressed, none has a value.

Nine bytes of header, ``u24`` length, ``u8`` type, ``u8`` flags, ``u32`` stream, big-endian, then the payload.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from harness.virtual_iphone.streams import ProtocolViolationError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES = 9
# Without a setting that allows more, no peer may send longer frames (section 4.2).
MAX_FRAME_BYTES = 16384
DEFAULT_WINDOW_BYTES = 65535
LARGEST_WINDOW_BYTES = 2**31 - 1

_HEADER = struct.Struct(">BHBBI")
_SETTING = struct.Struct(">HI")
_STREAM_BITS = 0x7FFF_FFFF


class Http2Error(ProtocolViolationError):
    """The peer broke HTTP/2: the connection is of no more use."""


class FrameType(enum.IntEnum):
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class FrameFlag(enum.IntFlag):
    NONE = 0
    # Bit 0 means ACK in SETTINGS and PING, END_STREAM in DATA and HEADERS.
    ACK = 1
    END_STREAM = 1
    END_HEADERS = 4
    PADDED = 8


class Setting(enum.IntEnum):
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4


@dataclass(frozen=True)
class Frame:
    """One frame; ``type`` may be one that this module does not know, to be ignored (section 4.1)."""

    type: int
    stream: int
    flags: FrameFlag = FrameFlag.NONE
    payload: bytes = b""


@dataclass(frozen=True)
class FrameHeader:
    length: int
    type: int
    flags: FrameFlag
    stream: int


def encode_frame(frame: Frame) -> bytes:
    return encode_header(frame, len(frame.payload)) + frame.payload


def encode_header(frame: Frame, length: int) -> bytes:
    return _HEADER.pack(length >> 16, length & 0xFFFF, frame.type, frame.flags, frame.stream)


def decode_header(data: bytes) -> FrameHeader:
    """The header in nine bytes.

    Raises:
        Http2Error: a frame longer than this end allows.
    """
    high, low, kind, flags, stream = _HEADER.unpack(data)
    length = high << 16 | low
    if length > MAX_FRAME_BYTES:
        raise Http2Error(f"a frame of {length} bytes, more than {MAX_FRAME_BYTES}")
    return FrameHeader(length, kind, FrameFlag(flags), stream & _STREAM_BITS)


def data_of(frame: Frame) -> bytes:
    """The data of a DATA frame, without padding.

    Raises:
        Http2Error: padding that is longer than the frame.
    """
    if not frame.flags & FrameFlag.PADDED:
        return frame.payload
    if not frame.payload or frame.payload[0] >= len(frame.payload):
        raise Http2Error("a frame with more padding than it is long")
    return frame.payload[1 : len(frame.payload) - frame.payload[0]]


def settings_frame(settings: dict[Setting, int]) -> Frame:
    payload = b"".join(_SETTING.pack(setting, value) for setting, value in settings.items())
    return Frame(FrameType.SETTINGS, 0, payload=payload)


def settings_of(frame: Frame) -> dict[int, int]:
    """The settings of a SETTINGS frame by number.

    Raises:
        Http2Error: not a whole number of settings.
    """
    if len(frame.payload) % _SETTING.size:
        raise Http2Error("settings cut off")
    return {number: value for number, value in _SETTING.iter_unpack(frame.payload)}


def window_update_frame(stream: int, increment_bytes: int) -> Frame:
    return Frame(FrameType.WINDOW_UPDATE, stream, payload=struct.pack(">I", increment_bytes))


def window_increment(frame: Frame) -> int:
    """By how many bytes a WINDOW_UPDATE frame opens a window.

    Raises:
        Http2Error: not four bytes, or no increment at all.
    """
    if len(frame.payload) != 4:
        raise Http2Error("a window update cut off")
    increment = int(struct.unpack(">I", frame.payload)[0]) & _STREAM_BITS
    if increment == 0:
        raise Http2Error("a window update of nothing")
    return increment
