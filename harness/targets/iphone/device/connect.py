"""usbmuxd and lockdown: which phones there are, and a session with one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymobiledevice3 import usbmux
from pymobiledevice3.exceptions import InvalidServiceError, PyMobileDevice3Exception
from pymobiledevice3.lockdown import UsbmuxLockdownClient, create_using_usbmux
from pymobiledevice3.services.diagnostics import DiagnosticsService
from pymobiledevice3.services.lockdown_service import LockdownService

from harness.targets.iphone.checks import ios_version
from harness.targets.iphone.device.apps import find_runner
from harness.targets.iphone.device.limits import abort, within
from harness.targets.iphone.messages import Attached, PhoneState
from harness.targets.iphone.trouble import PhoneTrouble, Trouble

_ANSWER_S = 10.0
_IMAGE_MOUNTER = "com.apple.mobile.mobile_image_mounter"
_PERSONALIZED_SINCE = (17, 0)
_VIRTUAL_SERIAL = "VIRTUAL"
"""How the serial number of a virtual iPhone begins, and of no real one."""


async def attached_phones() -> tuple[Attached, ...]:
    """The phones that usbmuxd lists, by UDID; one on cable and network counts once.

    Raises:
        PhoneTrouble: there is no usbmuxd, or it does not answer.
    """
    devices = await within(_ANSWER_S, "list the phones", usbmux.list_devices())
    found: dict[str, list[str]] = {}
    for device in devices:
        found.setdefault(device.serial, []).append(device.connection_type)
    return tuple(
        Attached(udid=udid, connections=tuple(sorted(set(kinds), reverse=True)))
        for udid, kinds in sorted(found.items())
    )


async def connect(
    udid: str, *, trust_s: float, on_waiting: Callable[[str], None] | None = None
) -> UsbmuxLockdownClient:
    """A trusted lockdown session.

    Where the phone does not trust this machine yet, its dialog is raised and waited for, ``trust_s`` at most.

    Raises:
        PhoneTrouble: not attached, not trusted, locked, lost or silent.
    """
    client = await _open(udid)
    await _trusted(client, trust_s, on_waiting)
    return client


async def _open(udid: str) -> UsbmuxLockdownClient:
    """Lockdown, trusted or not: an untrusted phone tells a few of its values too."""
    return await within(_ANSWER_S, "connect to the phone", create_using_usbmux(serial=udid, autopair=False))


async def _trusted(
    client: UsbmuxLockdownClient, trust_s: float, on_waiting: Callable[[str], None] | None = None
) -> None:
    """Make of ``client`` a trusted session, or close it."""
    if client.paired:
        return
    if trust_s <= 0:
        abort(client.service)
        raise PhoneTrouble(Trouble.TRUST_PENDING, "the phone does not trust this computer yet")
    try:
        await _pair(client, trust_s, on_waiting)
        if not await within(
            _ANSWER_S, "start a session", client.validate_pairing(), lambda: abort(client.service)
        ):
            raise PhoneTrouble(Trouble.TRUST_PENDING, "the phone does not accept this computer's pairing")
    except BaseException:
        abort(client.service)
        raise


async def _pair(
    client: UsbmuxLockdownClient, trust_s: float, on_waiting: Callable[[str], None] | None
) -> None:
    """The first attempt raises the dialog, the second one waits for its answer."""
    try:
        await within(_ANSWER_S, "pair with the phone", client.pair(timeout=0), lambda: abort(client.service))
        return
    except PhoneTrouble as trouble:
        if trouble.kind not in (Trouble.TRUST_PENDING, Trouble.LOCKED):
            raise
    if on_waiting is not None:
        on_waiting("unlock the phone and tap Trust in its dialog")
    try:
        await within(
            trust_s + _ANSWER_S,
            "wait for the Trust dialog",
            client.pair(timeout=trust_s),
            lambda: abort(client.service),
        )
    finally:
        if on_waiting is not None:
            on_waiting("")


async def value(client: UsbmuxLockdownClient, domain: str | None, key: str | None) -> Any:
    """A lockdown value; ``None`` where the phone has or tells none.

    Raises:
        PhoneTrouble: lost or silent.
    """

    async def ask() -> Any:
        try:
            return await client.get_value(domain=domain, key=key)
        except PyMobileDevice3Exception as error:
            if isinstance(error, ConnectionError):
                raise
            return None

    return await within(_ANSWER_S, f"ask for {key}", ask(), lambda: abort(client.service))


async def is_locked(client: UsbmuxLockdownClient) -> bool:
    """Whether a passcode keeps the screen locked now."""
    return bool(await value(client, None, "PasswordProtected"))


async def device_clock_s(client: UsbmuxLockdownClient) -> float:
    """Seconds since 1970 on the phone's own clock; 0 where it does not tell."""
    seconds = await value(client, None, "TimeIntervalSince1970")
    return float(seconds) if isinstance(seconds, int | float) else 0.0


async def inspect_phone(udid: str, connection: str, *, trust_s: float = 0.0) -> PhoneState:
    """All that can be asked of a phone without launching anything. Trouble ends up in the answer, not in an error."""
    state = PhoneState(udid=udid, connection=connection)
    try:
        client = await _open(udid)
    except PhoneTrouble as trouble:
        return state.model_copy(update={"trouble": trouble.kind, "problem": trouble.problem})
    try:
        known: dict[str, Any] = {
            "name": _text(client.all_values.get("DeviceName")),
            "product": _text(client.all_values.get("ProductType")),
            "ios": _text(client.all_values.get("ProductVersion")),
        }
        state = state.model_copy(update=known)
        await _trusted(client, trust_s)
        state = state.model_copy(update={"is_trusted": True, "is_virtual": is_virtual(client)})
        for ask in (_locked, _developer, _image, _battery, _runner):
            state = state.model_copy(update=await ask(client))
    except PhoneTrouble as trouble:
        state = state.model_copy(update={"trouble": trouble.kind, "problem": trouble.problem})
        if trouble.kind is Trouble.LOCKED:
            state = state.model_copy(update={"is_locked": True, "trouble": None})
    finally:
        abort(client.service)
    return state


async def _locked(client: UsbmuxLockdownClient) -> dict[str, Any]:
    return {"is_locked": await is_locked(client)}


def is_virtual(client: UsbmuxLockdownClient) -> bool:
    return str(client.all_values.get("SerialNumber", "")).startswith(_VIRTUAL_SERIAL)


async def _developer(client: UsbmuxLockdownClient) -> dict[str, Any]:
    if not client.has_developer_mode:
        return {}
    return {"developer_mode": await developer_mode(client)}


async def developer_mode(client: UsbmuxLockdownClient) -> bool:
    return bool(await value(client, "com.apple.security.mac.amfi", "DeveloperModeStatus"))


async def _image(client: UsbmuxLockdownClient) -> dict[str, Any]:
    return {"image_mounted": await image_mounted(client)}


async def image_mounted(client: UsbmuxLockdownClient) -> bool:
    """Whether the developer disk image of this iOS is mounted. Asks the phone only, never the network.

    Raises:
        PhoneTrouble: locked, lost or silent.
    """
    personalized = ios_version(client.product_version) >= _PERSONALIZED_SINCE
    kind = "Personalized" if personalized else "Developer"
    # Not the library's own client: it loads what mounts images, and takes longer to import than to answer.
    mounter = LockdownService(client, _IMAGE_MOUNTER)

    async def ask() -> bool:
        async with mounter:
            said = await mounter.service.send_recv_plist({"Command": "LookupImage", "ImageType": kind})
            return bool(said.get("ImagePresent", True) and said.get("ImageSignature"))

    return await within(_ANSWER_S, "ask for the disk image", ask(), lambda: abort(mounter))


async def _battery(client: UsbmuxLockdownClient) -> dict[str, Any]:
    service = DiagnosticsService(client)

    async def ask() -> dict[str, Any]:
        try:
            async with service:
                return await service.get_battery() or {}
        except InvalidServiceError:
            return {}

    said = await within(_ANSWER_S, "ask for the battery", ask(), lambda: abort(service))
    current, full = said.get("CurrentCapacity"), said.get("MaxCapacity")
    level = current / full if isinstance(current, int) and isinstance(full, int) and full > 0 else None
    temperature = said.get("Temperature")
    charging = said.get("IsCharging")
    return {
        "battery_level": min(1.0, max(0.0, level)) if level is not None else None,
        "is_charging": charging if isinstance(charging, bool) else None,
        # The IORegistry counts hundredths of a degree.
        "battery_celsius": temperature / 100 if isinstance(temperature, int) else None,
    }


async def _runner(client: UsbmuxLockdownClient) -> dict[str, Any]:
    return {"runner": await find_runner(client)}


def _text(said: object) -> str | None:
    return said[:200] if isinstance(said, str) else None
