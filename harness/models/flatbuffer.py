"""Reads FlatBuffers tables without trusting them.

Layout: "FlatBuffers internals" (flatbuffers.dev): little-endian; a table starts with a signed offset back to
its vtable; a vtable holds its size, the table's size and one 16-bit offset for each field, 0 meaning absent.

Every read is checked against the file, so that a truncated or hostile file ends in ``FlatbufferError`` and
never in a crash of this process.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field


class FlatbufferError(ValueError):
    """The bytes are not the tables they claim to be."""


@dataclass
class Flatbuffer:
    """A file's bytes and how many tables may still be read from it.

    Tables do not overlap in a file that a serializer wrote, and each has at least four bytes. The limit ends
    a small file whose vectors all point at the same big table, which would take hours to walk.
    """

    data: bytes | bytearray | memoryview
    _tables_left: int = field(init=False)

    def __post_init__(self) -> None:
        self._tables_left = 4 * (len(self.data) // 4 + 1)

    def root(self) -> Table:
        return self.table_at(self._u32(0))

    def table_at(self, position: int) -> Table:
        self._tables_left -= 1
        if self._tables_left < 0:
            raise FlatbufferError("it refers to more tables than it can hold")
        vtable = position - self._read("<i", position)
        fields_end = vtable + self._read("<H", vtable)
        self.check(vtable, fields_end - vtable, "a table's field list")
        return Table(self, position, vtable, fields_end)

    def check(self, start: int, length: int, what: str) -> None:
        """Raises FlatbufferError where ``length`` bytes from ``start`` are not all in the file."""
        if start < 0 or length < 0 or start + length > len(self.data):
            raise FlatbufferError(
                f"{what} lies at bytes {start} to {start + length}, but the file has {len(self.data)}"
            )

    def _read(self, layout: str, position: int) -> int:
        self.check(position, struct.calcsize(layout), "a number")
        value: int = struct.unpack_from(layout, self.data, position)[0]
        return value

    def _u32(self, position: int) -> int:
        return self._read("<I", position)

    def follow(self, position: int) -> int:
        """The position that the unsigned offset at ``position`` points to."""
        return position + self._u32(position)


@dataclass(frozen=True)
class Table:
    """One table; fields are numbered in the order of the schema."""

    file: Flatbuffer
    position: int
    vtable: int
    fields_end: int

    def number(self, index: int, layout: str, default: int = 0) -> int:
        """A scalar field; ``layout`` as in ``struct``."""
        position = self._field(index)
        return default if position is None else self.file._read(layout, position)

    def table(self, index: int) -> Table | None:
        position = self._field(index)
        return None if position is None else self.file.table_at(self.file.follow(position))

    def vector(self, index: int, item_bytes: int) -> tuple[int, int]:
        """Position of the first item and number of items; ``(0, 0)`` where the field is absent."""
        position = self._field(index)
        if position is None:
            return 0, 0
        start = self.file.follow(position)
        count = self.file._u32(start)
        self.file.check(start + 4, count * item_bytes, "a list")
        return start + 4, count

    def numbers(self, index: int, layout: str) -> tuple[int, ...]:
        """A vector of scalars; ``layout`` of one item as in ``struct``, little-endian."""
        start, count = self.vector(index, struct.calcsize(f"<{layout}"))
        return struct.unpack_from(f"<{count}{layout}", self.file.data, start) if count else ()

    def floats(self, index: int) -> tuple[float, ...]:
        start, count = self.vector(index, 4)
        return struct.unpack_from(f"<{count}f", self.file.data, start) if count else ()

    def tables(self, index: int) -> Iterator[Table]:
        start, count = self.vector(index, 4)
        for item in range(count):
            yield self.file.table_at(self.file.follow(start + 4 * item))

    def text(self, index: int) -> str:
        """A string; bytes that are not UTF-8 are replaced, because names are only shown and matched."""
        start, count = self.vector(index, 1)
        return bytes(self.file.data[start : start + count]).decode("utf-8", errors="replace")

    def has(self, index: int) -> bool:
        return self._field(index) is not None

    def _field(self, index: int) -> int | None:
        slot = self.vtable + 4 + 2 * index
        if slot + 2 > self.fields_end:
            return None
        offset = self.file._read("<H", slot)
        return self.position + offset if offset else None
