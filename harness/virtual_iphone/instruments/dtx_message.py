"""DTX messages, the framing of Apple's instruments server: fragments in, messages out, and back.

A message travels as one or more fragments, each with a header of at least 32 bytes, little-endian::

    u32 magic 0x1F3D5B79 | u32 header bytes | u16 index | u16 count | u32 data bytes
    u32 identifier | u32 conversation index | i32 channel | u32 flags (bit 0: a reply is expected)

A message of several fragments begins with one that has no data: its ``data bytes`` is the size of the whole. The
assembled message begins with 16 bytes of its own: ``u8 kind``, three bytes unused here, ``u32`` bytes of auxiliary
arguments, ``u64`` bytes of arguments and payload together.

Format: frida-core's ``dtx.vala`` and the public notes on DTXConnectionServices; no code was taken.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.virtual_iphone.streams import ProtocolViolationError

_MAGIC = 0x1F3D5B79
_FRAGMENT = struct.Struct("<IIHHIIIiI")
_MESSAGE = struct.Struct("<BBBBIQ")
_EXPECTS_REPLY = 1
_FRAGMENT_DATA_BYTES = 128 * 1024

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_MAX_HEADER_BYTES = 1024
_MAX_OPEN_MESSAGES = 64


class DtxError(ProtocolViolationError):
    """The peer broke the framing: nothing after it can be read."""


class MessageKind(enum.IntEnum):
    """What a message is for."""

    OK = 0
    DATA = 1
    DISPATCH = 2
    OBJECT = 3
    ERROR = 4
    BARRIER = 5


@dataclass(frozen=True)
class DtxMessage:
    """One whole message; ``channel`` is signed as on the wire, ``arguments`` and ``payload`` still encoded.

    ``conversation`` is 0 in a call and 1 in its reply; a reply keeps the call's ``identifier``.
    """

    kind: MessageKind
    identifier: int
    channel: int
    conversation: int = 0
    expects_reply: bool = False
    arguments: bytes = b""
    payload: bytes = b""


def encode_message(message: DtxMessage) -> Iterator[bytes]:
    """The fragments of ``message``, in order."""
    body = b"".join(
        (
            _MESSAGE.pack(
                message.kind, 0, 0, 0, len(message.arguments), len(message.arguments) + len(message.payload)
            ),
            message.arguments,
            message.payload,
        )
    )
    if len(body) <= _FRAGMENT_DATA_BYTES:
        yield _fragment_header(message, 0, 1, len(body)) + body
        return
    pieces = [
        body[start : start + _FRAGMENT_DATA_BYTES] for start in range(0, len(body), _FRAGMENT_DATA_BYTES)
    ]
    count = len(pieces) + 1
    yield _fragment_header(message, 0, count, len(body))
    for index, piece in enumerate(pieces, start=1):
        yield _fragment_header(message, index, count, len(piece)) + piece


def _fragment_header(message: DtxMessage, index: int, count: int, data_bytes: int) -> bytes:
    return _FRAGMENT.pack(
        _MAGIC,
        _FRAGMENT.size,
        index,
        count,
        data_bytes,
        message.identifier,
        message.conversation,
        message.channel,
        _EXPECTS_REPLY if message.expects_reply else 0,
    )


@dataclass(frozen=True)
class _Fragment:
    index: int
    count: int
    data_bytes: int
    identifier: int
    conversation: int
    channel: int
    flags: int
    header_bytes: int

    @property
    def has_data(self) -> bool:
        return self.index > 0 or self.count == 1


@dataclass
class _OpenMessage:
    first: _Fragment
    data: bytearray = field(default_factory=bytearray)
    next_index: int = 1


class MessageDecoder:
    """Bytes in any pieces → messages. After an error it is of no more use."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._open: dict[tuple[int, int], _OpenMessage] = {}

    def feed(self, data: bytes) -> list[DtxMessage]:
        """The messages that ``data`` completes.

        Raises:
            DtxError: no DTX, fragments that do not fit together, or more than 16 MiB on the way.
        """
        self._buffer += data
        messages = []
        while (fragment := self._header()) is not None:
            end = fragment.header_bytes + (fragment.data_bytes if fragment.has_data else 0)
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[fragment.header_bytes : end])
            del self._buffer[:end]
            message = self._take(fragment, body)
            if message is not None:
                messages.append(message)
        return messages

    def _header(self) -> _Fragment | None:
        if len(self._buffer) < _FRAGMENT.size:
            # Say it at the first byte that is wrong, not when 32 of them have come.
            magic = struct.pack("<I", _MAGIC)
            if self._buffer[:4] != magic[: len(self._buffer)]:
                raise DtxError("not a DTX fragment")
            return None
        magic_word, header_bytes, index, count, data_bytes, identifier, conversation, channel, flags = (
            _FRAGMENT.unpack_from(self._buffer)
        )
        if magic_word != _MAGIC:
            raise DtxError("not a DTX fragment")
        if not _FRAGMENT.size <= header_bytes <= _MAX_HEADER_BYTES:
            raise DtxError(f"a fragment header of {header_bytes} bytes")
        if index >= count:
            raise DtxError(f"fragment {index} of {count}")
        if data_bytes > MAX_MESSAGE_BYTES:
            raise DtxError(f"a fragment of {data_bytes} bytes, more than {MAX_MESSAGE_BYTES}")
        return _Fragment(index, count, data_bytes, identifier, conversation, channel, flags, header_bytes)

    def _take(self, fragment: _Fragment, body: bytes) -> DtxMessage | None:
        if fragment.count == 1:
            return _message(fragment, body)
        key = (fragment.identifier, fragment.conversation)
        if fragment.index == 0:
            if key in self._open:
                raise DtxError(f"message {fragment.identifier} begins twice")
            waiting = sum(opened.first.data_bytes for opened in self._open.values())
            if len(self._open) >= _MAX_OPEN_MESSAGES or waiting + fragment.data_bytes > MAX_MESSAGE_BYTES:
                raise DtxError("too many messages on the way at once")
            self._open[key] = _OpenMessage(fragment)
            return None
        opened = self._open.get(key)
        if opened is None:
            raise DtxError(f"fragment {fragment.index} of message {fragment.identifier}, which has not begun")
        if fragment.index != opened.next_index or fragment.count != opened.first.count:
            raise DtxError(f"fragment {fragment.index} of message {fragment.identifier} out of order")
        opened.data += body
        opened.next_index += 1
        if len(opened.data) > opened.first.data_bytes:
            raise DtxError(f"message {fragment.identifier} is larger than it said")
        if opened.next_index < opened.first.count:
            return None
        del self._open[key]
        if len(opened.data) != opened.first.data_bytes:
            raise DtxError(f"message {fragment.identifier} is smaller than it said")
        return _message(opened.first, bytes(opened.data))


def _message(fragment: _Fragment, body: bytes) -> DtxMessage:
    if len(body) < _MESSAGE.size:
        raise DtxError(f"a message of {len(body)} bytes")
    kind, *_, argument_bytes, total_bytes = _MESSAGE.unpack_from(body)
    if total_bytes != len(body) - _MESSAGE.size or argument_bytes > total_bytes:
        raise DtxError("a message whose sizes contradict each other")
    if kind not in MessageKind.__members__.values():
        raise DtxError(f"a message of kind {kind}; compressed and proxied ones were not offered")
    end_of_arguments = _MESSAGE.size + argument_bytes
    return DtxMessage(
        kind=MessageKind(kind),
        identifier=fragment.identifier,
        channel=fragment.channel,
        conversation=fragment.conversation,
        expects_reply=bool(fragment.flags & _EXPECTS_REPLY),
        arguments=body[_MESSAGE.size : end_of_arguments],
        payload=body[end_of_arguments:],
    )
