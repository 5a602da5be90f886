"""diagnostics_relay: the battery from the I/O registry, and a few facts about the device."""

from __future__ import annotations

from typing import Any

from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.plist_frames import read_plist, write_plist
from harness.virtual_iphone.streams import Stream

_CAPACITY_MAH = 4441
_VOLTAGE_MV = 3900


async def serve_diagnostics_relay(stream: Stream, phone: Phone) -> None:
    """Answer one client until it says goodbye or leaves."""
    while True:
        request = await read_plist(stream)
        match request.get("Request"):
            case "IORegistry":
                await write_plist(stream, _io_registry(phone, request))
            case "MobileGestalt":
                keys = request.get("MobileGestaltKeys")
                await write_plist(stream, _mobile_gestalt(phone, keys if isinstance(keys, list) else []))
            case "All" | "GasGauge" | "WiFi" | "HDMI" | "NAND":
                gauge = {"CycleCount": 100, "DesignCapacity": _CAPACITY_MAH, "Status": "Success"}
                await write_plist(stream, _success({"GasGauge": gauge}))
            case "Goodbye":
                await write_plist(stream, {"Status": "Success"})
                return
            case _:
                await write_plist(stream, {"Status": "UnknownRequest"})


def _success(diagnostics: dict[str, Any]) -> dict[str, Any]:
    return {"Status": "Success", "Diagnostics": diagnostics}


def _io_registry(phone: Phone, request: dict[str, Any]) -> dict[str, Any]:
    names = {request.get("EntryClass"), request.get("EntryName")}
    if names & {"IOPMPowerSource", "AppleSmartBattery", "AppleARMPMUCharger"}:
        return _success({"IORegistry": _power_source(phone)})
    # A registry entry that is not there: success with nothing in it.
    return _success({"IORegistry": {}}) if names != {None} else _success({})


def _power_source(phone: Phone) -> dict[str, Any]:
    conditions = phone.conditions
    percent = round(conditions.battery_level * 100)
    return {
        "AppleRawCurrentCapacity": round(_CAPACITY_MAH * conditions.battery_level),
        "AppleRawMaxCapacity": _CAPACITY_MAH,
        "AtCriticalLevel": percent <= 1,
        "BatteryInstalled": True,
        "CurrentCapacity": percent,
        "CycleCount": 100,
        "DesignCapacity": _CAPACITY_MAH,
        "ExternalConnected": True,
        "FullyCharged": percent == 100,
        "InstantAmperage": 500 if conditions.is_charging else -300,
        "IsCharging": conditions.is_charging,
        "MaxCapacity": 100,
        # Hundredths of a degree Celsius.
        "Temperature": {"nominal": 2800, "fair": 3400, "serious": 4000, "critical": 4600}[
            conditions.thermal_state
        ],
        "Voltage": _VOLTAGE_MV,
    }


def _mobile_gestalt(phone: Phone, keys: list[Any]) -> dict[str, Any]:
    identity = phone.identity
    known: dict[str, Any] = {
        "BuildVersion": identity.build,
        "DeviceName": identity.name,
        "HWModelStr": identity.model.hardware_model,
        "MarketingNameString": identity.model.marketing_name,
        "ProductType": identity.model.product_type,
        "ProductVersion": identity.ios_version,
        "UniqueDeviceID": identity.udid,
    }
    answer = {str(key): known[key] for key in keys if key in known}
    return _success({"MobileGestalt": {"Status": "Success", **answer}})
