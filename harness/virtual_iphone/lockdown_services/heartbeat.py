"""heartbeat: the phone asks now and then whether the host is still there."""

from __future__ import annotations

import asyncio

from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.plist_frames import read_plist, write_plist
from harness.virtual_iphone.streams import Stream, StreamEndedError

_INTERVAL_S = 10.0


async def serve_heartbeat(stream: Stream, phone: Phone) -> None:
    """Say Marco, wait for Polo; a host that does not answer for two intervals is gone."""
    del phone
    while True:
        await write_plist(stream, {"Command": "Marco", "Interval": int(_INTERVAL_S)})
        try:
            async with asyncio.timeout(2 * _INTERVAL_S):
                await read_plist(stream, 4096)
        except TimeoutError:
            raise StreamEndedError from None
        await asyncio.sleep(_INTERVAL_S)
