"""house_arrest: the files of one app, over AFC once the app was named."""

from __future__ import annotations

from harness.virtual_iphone.lockdown_services.afc import serve_files
from harness.virtual_iphone.lockdown_services.confined_paths import ConfinedFolder
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.plist_frames import read_plist, write_plist
from harness.virtual_iphone.streams import Stream

_LARGEST_REQUEST_BYTES = 64 * 1024


async def serve_house_arrest(stream: Stream, phone: Phone) -> None:
    """Take one command; after a refusal the client has to connect again."""
    request = await read_plist(stream, _LARGEST_REQUEST_BYTES)
    answer = _vend(phone, request.get("Command"), request.get("Identifier"))
    if isinstance(answer, str):
        await write_plist(stream, {"Error": answer})
        return
    await write_plist(stream, {"Status": "Complete"})
    await serve_files(stream, phone, answer)


def _vend(phone: Phone, command: object, bundle_id: object) -> ConfinedFolder | str:
    """What the client may see, or the name of the error.

    VendContainer needs an app signed for development, VendDocuments one that shares its documents.
    """
    app = phone.apps.find(bundle_id) if isinstance(bundle_id, str) else None
    if command not in ("VendContainer", "VendDocuments"):
        return "UnknownCommand"
    if app is None:
        return "ApplicationLookupFailed"
    if command == "VendContainer":
        return ConfinedFolder(app.container) if app.is_development_signed else "InstallationLookupFailed"
    if not app.shares_documents and not app.is_development_signed:
        return "InstallationLookupFailed"
    return ConfinedFolder(app.container, only="Documents")
