"""The runner app: whether it is installed, whoever signed it, and installing it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymobiledevice3.lockdown import UsbmuxLockdownClient
from pymobiledevice3.services.installation_proxy import InstallationProxyService

from harness.targets.iphone.device.limits import abort, within
from harness.targets.iphone.messages import AppInfo
from harness.targets.iphone.trouble import PhoneTrouble, Trouble

_ANSWER_S = 30.0
_VERSION, _WIRE, _RUNTIME = "HarnessRunnerVersion", "HarnessWireVersion", "HarnessRuntimeVersion"
_ASKED = ["CFBundleIdentifier", "CFBundleExecutable", _VERSION, _WIRE, _RUNTIME]


async def find_runner(client: UsbmuxLockdownClient) -> AppInfo | None:
    """The installed app whose Info.plist says that it is the runner; the newest, where several teams signed one.

    Raises:
        PhoneTrouble: locked, lost or silent.
    """
    service = InstallationProxyService(client)

    async def ask() -> list[dict[str, Any]]:
        async with service:
            return await service.browse({"ApplicationType": "User"}, list(_ASKED))

    apps = await within(_ANSWER_S, "list the installed apps", ask(), lambda: abort(service))
    runners = [info for app in apps if (info := _app_info(app)) is not None]
    return max(runners, key=lambda info: _sortable(info.version), default=None)


async def install(
    client: UsbmuxLockdownClient, package: Path, limit_s: float, on_percent: Callable[[int], None]
) -> AppInfo:
    """Install or update the app in ``package``; its data stay.

    Raises:
        PhoneTrouble: refused (the phone says why), no room, lost, or no progress within ``limit_s``.
    """
    service = InstallationProxyService(client)

    async def work() -> None:
        async with service:
            await service.install_from_local(package, handler=lambda percent: on_percent(int(percent)))

    await within(limit_s, "install the runner", work(), lambda: abort(service))
    found = await find_runner(client)
    if found is None:
        raise PhoneTrouble(
            Trouble.NOT_INSTALLED, f"{package.name} was installed, but it is not a harness runner"
        )
    return found


def _app_info(app: dict[str, Any]) -> AppInfo | None:
    bundle, version = app.get("CFBundleIdentifier"), app.get(_VERSION)
    if not isinstance(bundle, str) or not isinstance(version, str):
        return None
    wire, runtime = app.get(_WIRE), app.get(_RUNTIME)
    return AppInfo(
        bundle_id=bundle,
        version=version,
        wire_version=wire if isinstance(wire, int) else None,
        runtime_version=runtime if isinstance(runtime, str) else None,
        executable=executable if isinstance(executable := app.get("CFBundleExecutable"), str) else "",
    )


def _sortable(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))
