"""The frames of usbmuxd's protocol, version 1: a header of four little-endian words, then an XML plist.

Source: usbmuxd's usbmuxd-proto.h (libimobiledevice).
"""

from __future__ import annotations

import plistlib
import struct
from dataclasses import dataclass
from typing import Any

HEADER = struct.Struct("<4I")
PLIST_VERSION = 1
PLIST_MESSAGE = 8
# Pair records are the largest thing a client sends, some kilobytes.
LARGEST_FRAME_BYTES = 1024 * 1024

RESULT_OK = 0
RESULT_BAD_COMMAND = 1
RESULT_BAD_DEVICE = 2
RESULT_CONNECTION_REFUSED = 3
RESULT_BAD_VERSION = 6


class BadFrameError(Exception):
    """A frame that breaks the protocol."""


@dataclass(frozen=True)
class Request:
    """One request of a client; its answer carries the same ``tag``."""

    tag: int
    message: dict[str, Any]


def payload_bytes(header: bytes) -> int:
    """How many bytes follow a header.

    Raises:
        BadFrameError: fewer or more than a frame may have.
    """
    length = HEADER.unpack(header)[0]
    if not HEADER.size <= length <= LARGEST_FRAME_BYTES:
        raise BadFrameError(f"a frame of {length} bytes")
    return int(length) - HEADER.size


def parse_request(header: bytes, payload: bytes) -> Request:
    """The request in a frame.

    Raises:
        BadFrameError: another version of the protocol, or no plist with a ``MessageType``.
    """
    _, version, message_type, tag = HEADER.unpack(header)
    if version != PLIST_VERSION or message_type != PLIST_MESSAGE:
        raise BadFrameError(f"version {version}, message type {message_type}")
    try:
        message = plistlib.loads(payload)
    except Exception as error:
        # The plist parsers raise whatever goes wrong in them; none of it says more than this.
        raise BadFrameError("not a plist") from error
    if not isinstance(message, dict) or not isinstance(message.get("MessageType"), str):
        raise BadFrameError("a plist without a MessageType")
    return Request(tag, message)


def frame(tag: int, message: dict[str, Any]) -> bytes:
    """A message of the daemon; ``tag`` is the request's, or 0 for what nobody asked for."""
    payload = plistlib.dumps(message)
    return HEADER.pack(HEADER.size + len(payload), PLIST_VERSION, PLIST_MESSAGE, tag) + payload


def result_frame(tag: int, number: int) -> bytes:
    return frame(tag, {"MessageType": "Result", "Number": number})
