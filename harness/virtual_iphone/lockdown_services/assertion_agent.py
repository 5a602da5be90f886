"""assertion_agent: keeps the phone awake while the client stays connected."""

from __future__ import annotations

from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.plist_frames import read_plist, write_plist
from harness.virtual_iphone.streams import Stream


async def serve_assertion_agent(stream: Stream, phone: Phone) -> None:
    """Take assertions; a virtual phone never sleeps, so they are only written down."""
    while True:
        request = await read_plist(stream, 64 * 1024)
        if request.get("CommandKey") == "CommandCreateAssertion":
            phone.log.write("assertiond", 1, f"assertion {request.get('AssertionTypeKey')}")
            await write_plist(stream, {"Status": "Success"})
        else:
            await write_plist(stream, {"Error": "UnknownCommand"})
