"""Walks the fields of a protobuf message without its schema and without a copy.

Wire format: https://protobuf.dev/programming-guides/encoding/. Every length is checked against the message, so
that a truncated or hostile file ends in ``ProtobufError``.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from harness.errors import ModelError

LARGEST_BYTES: Final = (1 << 31) - 1
"""Protocol buffers refuse larger messages: https://protobuf.dev/programming-guides/proto-limits/"""

VARINT: Final = 0
FIXED64: Final = 1
LENGTH_DELIMITED: Final = 2
FIXED32: Final = 5

Buffer: TypeAlias = bytes | mmap.mmap | memoryview

_LONGEST_VARINT: Final = 10


class ProtobufError(ValueError):
    """The bytes are no protobuf message, or were cut off."""


class Field(NamedTuple):
    """One field: its value is the bytes from ``start`` to ``end``; of a varint, ``value`` is the number."""

    number: int
    wire_type: int
    start: int
    end: int
    value: int = 0


def fields(data: Buffer, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message in ``data[start:end]``, in order.

    Raises:
        ProtobufError: while iterating, at the first field that is not one or does not end within the message.
    """
    end = len(data) if end is None else end
    position = start
    while position < end:
        tag, position = _varint(data, position, end)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise ProtobufError(f"byte {position} begins no field")
        value = 0
        if wire_type == VARINT:
            begin = position
            value, position = _varint(data, position, end)
        elif wire_type == LENGTH_DELIMITED:
            length, begin = _varint(data, position, end)
            position = begin + length
        elif wire_type in (FIXED64, FIXED32):
            begin = position
            position += 8 if wire_type == FIXED64 else 4
        else:
            raise ProtobufError(f"byte {position} begins a field of the unknown type {wire_type}")
        if position > end:
            raise ProtobufError(f"a field should end at byte {position}, and the message ends at {end}")
        yield Field(number, wire_type, begin, position, value)


def text(data: Buffer, field: Field) -> str:
    """A string field.

    Raises:
        ProtobufError: it is not UTF-8.
    """
    try:
        return bytes(data[field.start : field.end]).decode("utf-8")
    except UnicodeDecodeError:
        raise ProtobufError(f"the text at byte {field.start} is not UTF-8") from None


@contextmanager
def mapped(path: Path) -> Iterator[Buffer]:
    """The bytes of ``path``, mapped.

    Raises:
        ModelError: the file is larger than a protobuf can be, or cannot be read.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > LARGEST_BYTES:
            raise ModelError(
                f"has {size_bytes} bytes, and a protobuf holds at most 2 GiB",
                where=str(path),
                next_step="Check that this is the right file; weights this large belong into a checkpoint.",
            )
        with path.open("rb") as stream:
            if size_bytes == 0:
                yield b""
                return
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data
    except OSError as error:
        raise ModelError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            next_step="Check the path and the permissions of the file.",
        ) from error


def count_field(path: Path, number: int) -> int:
    """How often the message in ``path`` has field ``number``.

    Raises:
        ModelError: the file cannot be read.
        ProtobufError: it is no protobuf message, or was cut off.
    """
    with mapped(path) as data:
        return sum(field.number == number for field in fields(data))


def _varint(data: Buffer, position: int, end: int) -> tuple[int, int]:
    value = 0
    for index in range(_LONGEST_VARINT):
        if position + index >= end:
            raise ProtobufError(f"a number at byte {position} is cut off")
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise ProtobufError(f"a number at byte {position} is too long")
