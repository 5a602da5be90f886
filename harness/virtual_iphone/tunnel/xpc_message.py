"""RemoteXPC messages: XPC objects in a wrapper, as CoreDevice and service discovery exchange them.

The wrapper is 24 bytes, little-endian: ``u32`` 0x29B00B92, ``u32`` flags, ``u64`` bytes of the body, ``u64`` message
number. The body, where there is one, begins with ``u32`` 0x42133742 and ``u32`` 5, then one object: a ``u32`` type and
its value. Text, data and keys are padded with zeros to a multiple of four bytes.

Format: as observed by the public write-ups on RemoteXPC (duo-labs/apple-t2-xpc and its successors).
"""

from __future__ import annotations

import enum
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.virtual_iphone.streams import ProtocolViolationError

HEADER_BYTES = 24
MAX_BODY_BYTES = 4 * 1024 * 1024

_WRAPPER_MAGIC = 0x29B00B92
_BODY_MAGIC = 0x42133742
_BODY_VERSION = 5
_WRAPPER = struct.Struct("<IIQQ")
_BODY = struct.Struct("<II")
_WORD = struct.Struct("<I")
_MAX_DEPTH = 64


class _Type(enum.IntEnum):
    NULL = 0x1000
    BOOL = 0x2000
    INT64 = 0x3000
    UINT64 = 0x4000
    DOUBLE = 0x5000
    DATE = 0x7000
    DATA = 0x8000
    TEXT = 0x9000
    UUID = 0xA000
    ARRAY = 0xE000
    DICTIONARY = 0xF000


_NUMBERS = {
    _Type.INT64: struct.Struct("<q"),
    _Type.UINT64: struct.Struct("<Q"),
    _Type.DOUBLE: struct.Struct("<d"),
    _Type.DATE: struct.Struct("<q"),
}


class XpcError(ProtocolViolationError):
    """Not a RemoteXPC message, or one with an object that has no place in a message to a phone."""


class XpcFlag(enum.IntFlag):
    """What a wrapper says of its message."""

    ALWAYS = 0x1
    DATA = 0x100
    WANTING_REPLY = 0x1_0000
    REPLY = 0x2_0000
    OPEN_REPLY_CHANNEL = 0x40_0000


class UInt64(int):
    """An integer that travels as ``xpc_uint64``; a bare ``int`` is an ``xpc_int64``."""


@dataclass(frozen=True)
class XpcMessage:
    """One message; ``body`` is ``None`` where there is none."""

    flags: XpcFlag
    number: int
    body: Any = None


def encode_message(message: XpcMessage) -> bytes:
    """The bytes of ``message``.

    Raises:
        XpcError: a value of a type that XPC does not have.
    """
    body = b""
    if message.body is not None:
        encoded = bytearray(_BODY.pack(_BODY_MAGIC, _BODY_VERSION))
        _encode(message.body, encoded)
        body = bytes(encoded)
    return _WRAPPER.pack(_WRAPPER_MAGIC, message.flags, len(body), message.number) + body


def _encode(value: object, out: bytearray) -> None:
    match value:
        case None:
            out += _WORD.pack(_Type.NULL)
        case bool():
            out += _WORD.pack(_Type.BOOL) + _WORD.pack(value)
        case UInt64():
            out += _number(_Type.UINT64, value)
        case int():
            out += _number(_Type.INT64, value)
        case float():
            out += _number(_Type.DOUBLE, value)
        case bytes():
            out += _WORD.pack(_Type.DATA) + _WORD.pack(len(value)) + _padded(value)
        case str():
            text = value.encode() + b"\0"
            out += _WORD.pack(_Type.TEXT) + _WORD.pack(len(text)) + _padded(text)
        case uuid.UUID():
            out += _WORD.pack(_Type.UUID) + value.bytes
        case list() | tuple():
            members = bytearray(_WORD.pack(len(value)))
            for item in value:
                _encode(item, members)
            out += _WORD.pack(_Type.ARRAY) + _WORD.pack(len(members)) + members
        case dict():
            members = bytearray(_WORD.pack(len(value)))
            for key, item in value.items():
                members += _padded(str(key).encode() + b"\0")
                _encode(item, members)
            out += _WORD.pack(_Type.DICTIONARY) + _WORD.pack(len(members)) + members
        case _:
            raise XpcError(f"{type(value).__name__} has no counterpart in XPC")


def _number(kind: _Type, value: float) -> bytes:
    try:
        return _WORD.pack(kind) + _NUMBERS[kind].pack(value)
    except struct.error as error:
        raise XpcError(f"{value} does not fit into 64 bits") from error


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def body_bytes(header: bytes) -> int:
    """How many bytes follow the 24 of a wrapper's ``header``.

    Raises:
        XpcError: not a wrapper, or a body of more than 4 MiB.
    """
    magic, _, length, _ = _WRAPPER.unpack(header)
    if magic != _WRAPPER_MAGIC:
        raise XpcError("not a RemoteXPC message")
    if length > MAX_BODY_BYTES:
        raise XpcError(f"a message of {length} bytes, more than {MAX_BODY_BYTES}")
    return int(length)


def decode_message(header: bytes, body: bytes) -> XpcMessage:
    """The message of a wrapper's ``header`` and the ``body`` that belongs to it.

    Raises:
        XpcError: cut off, an unknown type, text that is no UTF-8, or nested deeper than 64.
    """
    _, flags, _, number = _WRAPPER.unpack(header)
    content = None
    if body:
        if len(body) < _BODY.size or _BODY.unpack_from(body) != (_BODY_MAGIC, _BODY_VERSION):
            raise XpcError("a body that is no XPC object")
        reader = _Reader(body, _BODY.size)
        content = reader.value()
    return XpcMessage(XpcFlag(flags), number, content)


class _Reader:
    """Reads objects one after another, never past ``end``."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset
        self._end = len(data)
        self._depth = 0

    def value(self) -> Any:
        kind = self._word()
        if kind not in _Type.__members__.values():
            raise XpcError(f"an object of type {kind:#x}")
        kind = _Type(kind)
        layout = _NUMBERS.get(kind)
        if layout is not None:
            number = layout.unpack(self._take(layout.size))[0]
            return UInt64(number) if kind is _Type.UINT64 else number
        match kind:
            case _Type.NULL:
                return None
            case _Type.BOOL:
                return bool(self._word())
            case _Type.DATA:
                return self._padded(self._word())
            case _Type.TEXT:
                return self._text(self._padded(self._word()))
            case _Type.UUID:
                return uuid.UUID(bytes=self._take(16))
            case _Type.ARRAY:
                return self._members(self._list)
            case _Type.DICTIONARY:
                return self._members(self._dictionary)
        raise AssertionError(kind)

    def _members(self, read: Callable[[], Any]) -> Any:
        length = self._word()
        outer, end = self._end, self._offset + length
        if end > outer:
            raise XpcError("a collection longer than its message")
        if self._depth == _MAX_DEPTH:
            raise XpcError(f"nested deeper than {_MAX_DEPTH}")
        self._end, self._depth = end, self._depth + 1
        members = read()
        if self._offset != end:
            raise XpcError("a collection shorter than it says")
        self._end, self._depth = outer, self._depth - 1
        return members

    def _list(self) -> list[Any]:
        return [self.value() for _ in range(self._count())]

    def _dictionary(self) -> dict[str, Any]:
        return {self._key(): self.value() for _ in range(self._count())}

    def _count(self) -> int:
        count = self._word()
        # Every member takes four bytes at least.
        if count * 4 > self._end - self._offset:
            raise XpcError(f"a collection of {count} members that does not hold them")
        return count

    def _key(self) -> str:
        length = self._data.find(b"\0", self._offset, self._end) + 1 - self._offset
        if length <= 0:
            raise XpcError("a key without an end")
        return self._text(self._padded(length))

    def _text(self, data: bytes) -> str:
        try:
            return data.partition(b"\0")[0].decode()
        except UnicodeDecodeError as error:
            raise XpcError("text that is no UTF-8") from error

    def _padded(self, length: int) -> bytes:
        return self._take(length + -length % 4)[:length]

    def _word(self) -> int:
        return int(_WORD.unpack(self._take(_WORD.size))[0])

    def _take(self, count: int) -> bytes:
        end = self._offset + count
        if end > self._end:
            raise XpcError("a message cut off")
        taken = self._data[self._offset : end]
        self._offset = end
        return taken
