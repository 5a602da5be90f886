"""installation_proxy: lists, installs and removes apps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.virtual_iphone.apps import InstalledApp
from harness.virtual_iphone.installing import install_package
from harness.virtual_iphone.ipa import BadPackageError
from harness.virtual_iphone.lockdown_services.confined_paths import ConfinedFolder
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.plist_frames import read_plist, write_plist
from harness.virtual_iphone.streams import Stream

_BROWSE_AT_ONCE = 10


async def serve_installation_proxy(stream: Stream, phone: Phone) -> None:
    """Answer one client until it leaves."""
    while True:
        request = await read_plist(stream)
        options = request.get("ClientOptions")
        options = options if isinstance(options, dict) else {}
        match request.get("Command"):
            case "Browse":
                await _browse(stream, phone, options)
            case "Lookup":
                result = {app.bundle_id: _describe(app, options) for app in _wanted(phone, options)}
                await write_plist(stream, {"Status": "Complete", "LookupResult": result})
            case "Install" | "Upgrade":
                await _install(stream, phone, request)
            case "Uninstall":
                await _uninstall(stream, phone, request.get("ApplicationIdentifier"))
            case "CheckCapabilitiesMatch":
                await write_plist(stream, {"Status": "Complete", "LookupResult": True})
            case "LookupArchives":
                await write_plist(stream, {"Status": "Complete", "LookupResult": {}})
            case other:
                await _fail(stream, "UnknownCommand", f"no such command: {other}")


async def _browse(stream: Stream, phone: Phone, options: dict[str, Any]) -> None:
    apps = [_describe(app, options) for app in _wanted(phone, options)]
    for start in range(0, len(apps), _BROWSE_AT_ONCE):
        piece = apps[start : start + _BROWSE_AT_ONCE]
        await write_plist(
            stream,
            {
                "Status": "BrowsingApplications",
                "CurrentIndex": start,
                "CurrentAmount": len(piece),
                "Total": len(apps),
                "CurrentList": piece,
            },
        )
    await write_plist(stream, {"Status": "Complete"})


def _wanted(phone: Phone, options: dict[str, Any]) -> Iterator[InstalledApp]:
    """The installed apps that the options choose; all here are apps of the user."""
    bundle_ids = options.get("BundleIDs")
    if options.get("ApplicationType", "Any") not in ("Any", "User"):
        return
    for app in phone.apps:
        if not isinstance(bundle_ids, list) or app.bundle_id in bundle_ids:
            yield app


def _describe(app: InstalledApp, options: dict[str, Any]) -> dict[str, Any]:
    everything = {
        **app.info,
        "ApplicationType": "User",
        "Path": app.bundle_on_phone,
        "Container": f"/private/var/mobile/Containers/Data/Application/{app.bundle_id}",
        "SignerIdentity": "Apple Development: Virtual" if app.is_development_signed else "Apple iPhone OS",
        "ProfileValidated": True,
        "IsUpgradeable": True,
        "Entitlements": {
            "application-identifier": f"VIRTUAL000.{app.bundle_id}",
            "get-task-allow": app.is_development_signed,
        },
    }
    attributes = options.get("ReturnAttributes")
    wanted = set(map(str, attributes)) if isinstance(attributes, list) else None
    if wanted is None:
        return everything
    if "StaticDiskUsage" in wanted:
        everything["StaticDiskUsage"] = _disk_usage(app.bundle)
    if "DynamicDiskUsage" in wanted:
        everything["DynamicDiskUsage"] = _disk_usage(app.container)
    return {name: value for name, value in everything.items() if name in wanted}


async def _install(stream: Stream, phone: Phone, request: dict[str, Any]) -> None:
    phone.happened("install")
    try:
        file = ConfinedFolder(phone.folders.media).target(str(request.get("PackagePath")))
        if not file.is_file():
            raise BadPackageError("PackageInspectionFailed", "there is no such package in the staging folder")
        async for percent, stage in install_package(phone, file):
            await write_plist(stream, {"Status": stage, "PercentComplete": percent})
        await write_plist(stream, {"Status": "Complete"})
    except PermissionError as error:
        await _fail(stream, "PackageInspectionFailed", str(error.strerror))
    except BadPackageError as error:
        await _fail(stream, error.error, str(error))


async def _uninstall(stream: Stream, phone: Phone, bundle_id: Any) -> None:
    await write_plist(stream, {"Status": "RemovingApplication", "PercentComplete": 50})
    for process in phone.processes.of_app(str(bundle_id)):
        await phone.processes.kill(process.pid)
    # Removing what is not there succeeds on a phone too.
    phone.apps.remove(str(bundle_id))
    await write_plist(stream, {"Status": "Complete"})


async def _fail(stream: Stream, error: str, description: str) -> None:
    await write_plist(stream, {"Error": error, "ErrorDescription": description})


def _disk_usage(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
