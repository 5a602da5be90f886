"""The auxiliary arguments of a DTX message: a dictionary of primitives, used as a list.

16 bytes of header (``u32`` 0x1F0, ``u32`` 0, ``u64`` bytes that follow), then for each argument a null key (``u32`` 10)
and a value: a ``u32`` type and 1 a text, 2 a buffer (an archive, or empty for nil), 3 an ``i32``, 6 an ``i64``,
9 a double; texts and buffers have a ``u32`` length before them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.virtual_iphone.instruments.dtx_message import DtxError
from harness.virtual_iphone.instruments.keyed_archive import archive, unarchive

_HEADER = struct.Struct("<IIQ")
_DICTIONARY, _FLAGGED_DICTIONARY = 0xF0, 0x1F0
_TEXT, _BUFFER, _INT32, _INT64, _DOUBLE, _NULL = 1, 2, 3, 6, 9, 10
_NUMBERS = {_INT32: struct.Struct("<i"), _INT64: struct.Struct("<q"), _DOUBLE: struct.Struct("<d")}
_WORD = struct.Struct("<I")
_MAX_ARGUMENTS = 64


@dataclass(frozen=True)
class Int32:
    """An argument sent as a bare 32-bit number, as channel codes are, and not as an archive."""

    value: int


def encode_arguments(arguments: Sequence[object]) -> bytes:
    """The auxiliary bytes for ``arguments``; none at all for no arguments."""
    if not arguments:
        return b""
    entries = b"".join(_WORD.pack(_NULL) + _encode_value(argument) for argument in arguments)
    return _HEADER.pack(_FLAGGED_DICTIONARY, 0, len(entries)) + entries


def _encode_value(argument: object) -> bytes:
    if isinstance(argument, Int32):
        return struct.pack("<Ii", _INT32, argument.value)
    data = b"" if argument is None else archive(argument)
    return struct.pack("<II", _BUFFER, len(data)) + data


def decode_arguments(data: bytes) -> list[Any]:
    """The arguments in auxiliary bytes.

    Raises:
        DtxError: cut off, keyed, or of an unknown type.
        ArchiveError: an argument's archive is not one.
    """
    if not data:
        return []
    if len(data) < _HEADER.size:
        raise DtxError("auxiliary arguments without a header")
    kind, _, entry_bytes = _HEADER.unpack_from(data)
    if kind & 0xFF != _DICTIONARY or entry_bytes != len(data) - _HEADER.size:
        raise DtxError("auxiliary arguments that are no dictionary of their size")
    arguments: list[Any] = []
    offset = _HEADER.size
    while offset < len(data):
        key, offset = _word(data, offset)
        if key & 0xFF != _NULL:
            raise DtxError("auxiliary arguments with keys")
        if len(arguments) == _MAX_ARGUMENTS:
            raise DtxError(f"more than {_MAX_ARGUMENTS} auxiliary arguments")
        value, offset = _decode_value(data, offset)
        arguments.append(value)
    return arguments


def _decode_value(data: bytes, offset: int) -> tuple[Any, int]:
    word, offset = _word(data, offset)
    kind = word & 0xFF
    if kind == _NULL:
        return None, offset
    if kind in _NUMBERS:
        number = _NUMBERS[kind]
        if offset + number.size > len(data):
            raise DtxError("auxiliary arguments end in the middle of a number")
        return number.unpack_from(data, offset)[0], offset + number.size
    if kind not in (_TEXT, _BUFFER):
        raise DtxError(f"an auxiliary argument of type {kind}")
    length, offset = _word(data, offset)
    end = offset + length
    if end > len(data):
        raise DtxError("auxiliary arguments end in the middle of a buffer")
    raw = data[offset:end]
    if kind == _TEXT:
        return raw.decode("utf-8", errors="replace"), end
    return (unarchive(raw) if raw else None), end


def _word(data: bytes, offset: int) -> tuple[int, int]:
    if offset + _WORD.size > len(data):
        raise DtxError("auxiliary arguments end in the middle of an entry")
    return _WORD.unpack_from(data, offset)[0], offset + _WORD.size
