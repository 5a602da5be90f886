"""``RSDCheckin``: how a lockdown service is started over a tunnel, on its own connection and without lockdown."""

from __future__ import annotations

from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.plist_frames import read_plist, write_plist
from harness.virtual_iphone.services import Service
from harness.virtual_iphone.streams import ProtocolViolationError, Stream

_LARGEST_CHECKIN_BYTES = 64 * 1024


async def serve_checked_in(stream: Stream, phone: Phone, service: Service) -> None:
    """Take the client's check-in, then let ``service`` serve it, or tell why it does not start.

    Raises:
        ProtocolViolationError: something else than a check-in.
        StreamEndedError: the client left.
    """
    request = await read_plist(stream, _LARGEST_CHECKIN_BYTES)
    if request.get("Request") != "RSDCheckin":
        raise ProtocolViolationError("no check-in")
    await write_plist(stream, {"Request": "RSDCheckin"})
    if service.needs_unlocked and phone.is_locked:
        await write_plist(stream, {"Request": "StartService", "Error": "PasswordProtected"})
        return
    await write_plist(stream, {"Request": "StartService"})
    await service.handler(stream, phone)
