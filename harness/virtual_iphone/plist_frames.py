"""Plists over a stream, as lockdown and most services send them: a big-endian length, then the plist."""

from __future__ import annotations

import plistlib
import struct
from typing import Any

from harness.virtual_iphone.streams import ProtocolViolationError, Stream

_LENGTH = struct.Struct(">I")
LARGEST_PLIST_BYTES = 16 * 1024 * 1024


async def read_plist(stream: Stream, largest_bytes: int = LARGEST_PLIST_BYTES) -> dict[str, Any]:
    """The next message.

    Raises:
        StreamEndedError: the stream ended.
        ProtocolViolationError: too long, no plist, or no dictionary.
    """
    (length,) = _LENGTH.unpack(await stream.read_exactly(_LENGTH.size))
    if length > largest_bytes:
        raise ProtocolViolationError(f"a plist of {length} bytes")
    return parse_plist(await stream.read_exactly(length))


async def write_plist(stream: Stream, message: Any, *, binary: bool = False) -> None:
    """Send one message; ``binary`` as Apple's services do that answer with much."""
    payload = plistlib.dumps(message, fmt=plistlib.FMT_BINARY if binary else plistlib.FMT_XML)
    await stream.write(_LENGTH.pack(len(payload)) + payload)


def parse_plist(payload: bytes) -> dict[str, Any]:
    """A dictionary out of an XML or binary plist.

    Raises:
        ProtocolViolationError: it is none.
    """
    try:
        message = plistlib.loads(payload)
    except Exception as error:
        # The plist parsers raise whatever goes wrong in them; none of it says more than this.
        raise ProtocolViolationError("not a plist") from error
    if not isinstance(message, dict):
        raise ProtocolViolationError("a plist that is no dictionary")
    return message
