"""notification_proxy: Darwin notifications between host and phone."""

from __future__ import annotations

from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.plist_frames import read_plist, write_plist
from harness.virtual_iphone.streams import Stream


async def serve_notification_proxy(stream: Stream, phone: Phone) -> None:
    """Relay what this client posts back to it where it observes the name; nothing else posts here."""
    observed: set[object] = set()
    while True:
        request = await read_plist(stream, 64 * 1024)
        name = request.get("Name")
        match request.get("Command"):
            case "ObserveNotification":
                observed.add(name if isinstance(name, str) else None)
            case "PostNotification":
                phone.log.write("notifyd", 1, f"posted {name}")
                if isinstance(name, str) and name in observed:
                    await write_plist(stream, {"Command": "RelayNotification", "Name": name})
            case "Shutdown":
                await write_plist(stream, {"Command": "ProxyDeath"})
                return
