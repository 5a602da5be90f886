"""The packets of AFC (Apple File Conduit): a header of five little-endian words, then what the operation needs.

Source: libimobiledevice's afc.h and afc.c. ``this_length`` counts the header and the operation's own arguments,
``entire_length`` the file data behind them too.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

MAGIC = b"CFA6LPAA"
HEADER = struct.Struct("<8s4Q")
WORD = struct.Struct("<Q")
# Paths are the largest arguments; file data is not counted here.
LARGEST_ARGUMENTS_BYTES = 64 * 1024


class Operation(IntEnum):
    """What a packet asks for, or answers with."""

    STATUS = 0x01
    DATA = 0x02
    READ_DIR = 0x03
    TRUNCATE = 0x07
    REMOVE_PATH = 0x08
    MAKE_DIR = 0x09
    GET_FILE_INFO = 0x0A
    GET_DEVICE_INFO = 0x0B
    FILE_OPEN = 0x0D
    FILE_OPEN_RESULT = 0x0E
    FILE_READ = 0x0F
    FILE_WRITE = 0x10
    FILE_SEEK = 0x11
    FILE_TELL = 0x12
    FILE_TELL_RESULT = 0x13
    FILE_CLOSE = 0x14
    FILE_SET_SIZE = 0x15
    GET_CONNECTION_INFO = 0x16
    SET_CONNECTION_OPTIONS = 0x17
    RENAME_PATH = 0x18
    SET_BLOCK_SIZE = 0x19
    SET_SOCKET_BLOCK_SIZE = 0x1A
    FILE_LOCK = 0x1B
    MAKE_LINK = 0x1C
    SET_FILE_TIME = 0x1E
    REMOVE_PATH_AND_CONTENTS = 0x22


class Status(IntEnum):
    """How an operation went."""

    SUCCESS = 0
    INVALID_ARGUMENT = 7
    NO_RESOURCES = 3
    OBJECT_NOT_FOUND = 8
    OBJECT_IS_DIR = 9
    PERMISSION_DENIED = 10
    NOT_SUPPORTED = 15
    OBJECT_EXISTS = 16
    NO_SPACE_LEFT = 18
    WOULD_BLOCK = 19
    IO_ERROR = 20
    DIR_NOT_EMPTY = 33


class BadPacketError(Exception):
    """A packet that breaks the protocol."""


@dataclass(frozen=True)
class Header:
    """``arguments_bytes`` and then ``data_bytes`` follow it."""

    number: int
    operation: int
    arguments_bytes: int
    data_bytes: int


def parse_header(header: bytes) -> Header:
    """Read a packet's header.

    Raises:
        BadPacketError: wrong magic, or lengths that cannot be.
    """
    magic, entire, this, number, operation = HEADER.unpack(header)
    if magic != MAGIC:
        raise BadPacketError("no AFC packet")
    if not HEADER.size <= this <= entire or this - HEADER.size > LARGEST_ARGUMENTS_BYTES:
        raise BadPacketError(f"a packet of {this} and {entire} bytes")
    return Header(number, operation, this - HEADER.size, entire - this)


def answer(operation: Operation, number: int, arguments: bytes = b"", data_bytes: int = 0) -> bytes:
    """A packet's header and arguments; the caller sends ``data_bytes`` of data after it."""
    this = HEADER.size + len(arguments)
    return HEADER.pack(MAGIC, this + data_bytes, this, number, operation) + arguments


def status_answer(number: int, status: Status) -> bytes:
    return answer(Operation.STATUS, number, WORD.pack(status))


def words(arguments: bytes, count: int) -> tuple[int, ...]:
    """The first ``count`` words of the arguments.

    Raises:
        BadPacketError: there are fewer.
    """
    if len(arguments) < WORD.size * count:
        raise BadPacketError("arguments are missing")
    return struct.unpack_from(f"<{count}Q", arguments)


def texts(arguments: bytes, count: int, offset: int = 0) -> list[str]:
    """``count`` zero-terminated texts from ``offset`` on; the last one may lack its end.

    Raises:
        BadPacketError: there are fewer.
    """
    pieces = arguments[offset:].split(b"\0")
    if len(pieces) < count or (count and not pieces[count - 1] and len(pieces) == count):
        raise BadPacketError("a path is missing")
    return [piece.decode("utf-8", "surrogateescape") for piece in pieces[:count]]


def text_list(items: Iterable[str]) -> bytes:
    """Texts as an answer carries them: each ended by a zero."""
    return b"".join(item.encode("utf-8", "surrogateescape") + b"\0" for item in items)


_STATUS_OF_ERRNO = {
    errno.ENOENT: Status.OBJECT_NOT_FOUND,
    errno.ENOTDIR: Status.OBJECT_NOT_FOUND,
    errno.EISDIR: Status.OBJECT_IS_DIR,
    errno.EACCES: Status.PERMISSION_DENIED,
    errno.EPERM: Status.PERMISSION_DENIED,
    errno.ELOOP: Status.PERMISSION_DENIED,
    errno.EEXIST: Status.OBJECT_EXISTS,
    errno.ENOTEMPTY: Status.DIR_NOT_EMPTY,
    errno.ENOSPC: Status.NO_SPACE_LEFT,
    errno.EDQUOT: Status.NO_SPACE_LEFT,
    errno.EAGAIN: Status.WOULD_BLOCK,
    errno.EBADF: Status.INVALID_ARGUMENT,
    errno.EINVAL: Status.INVALID_ARGUMENT,
    errno.ENAMETOOLONG: Status.INVALID_ARGUMENT,
    errno.EMFILE: Status.NO_RESOURCES,
}


def status_of(error: OSError) -> Status:
    """The status that tells a client of a failed system call."""
    return _STATUS_OF_ERRNO.get(error.errno or 0, Status.IO_ERROR)
