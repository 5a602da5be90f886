"""What lockdown tells about the phone, by domain and key."""

from __future__ import annotations

import time
from typing import Any

from harness.virtual_iphone.phone import Phone

BATTERY_DOMAIN = "com.apple.mobile.battery"
DISK_DOMAIN = "com.apple.disk_usage"
DEVELOPER_MODE_DOMAIN = "com.apple.security.mac.amfi"
# Told to a paired host only.
PROTECTED_DOMAINS = {BATTERY_DOMAIN, DISK_DOMAIN, DEVELOPER_MODE_DOMAIN, "com.apple.mobile.iTunes"}
_TOLD_TO_STRANGERS = {
    "BuildVersion",
    "DeviceClass",
    "DeviceName",
    "DevicePublicKey",
    "PasswordProtected",
    "ProductName",
    "ProductType",
    "ProductVersion",
    "ProtocolVersion",
    "UniqueDeviceID",
    "WiFiAddress",
}


def read_value(phone: Phone, domain: object, key: object, *, is_trusted: bool) -> Any:
    """The value of a key, or all values of a domain where no key is named; ``None`` where there is none."""
    values = dict(_domain_values(phone, domain if isinstance(domain, str) else ""))
    values |= {name: value for (where, name), value in phone.set_values.items() if where == (domain or "")}
    if not is_trusted:
        values = {name: value for name, value in values.items() if name in _TOLD_TO_STRANGERS}
    if key:
        return values.get(str(key))
    return values or None


def _domain_values(phone: Phone, domain: str) -> dict[str, Any]:
    match domain:
        case "":
            return _own_values(phone)
        case "com.apple.mobile.battery":
            conditions = phone.conditions
            return {
                "BatteryCurrentCapacity": round(conditions.battery_level * 100),
                "BatteryIsCharging": conditions.is_charging,
                "ExternalChargeCapable": conditions.is_charging,
                "ExternalConnected": True,
                "FullyCharged": False,
                "GasGaugeCapability": True,
                "HasBattery": True,
            }
        case "com.apple.disk_usage":
            free_bytes = phone.free_bytes()
            return {
                "AmountDataAvailable": free_bytes,
                "AmountDataReserved": 0,
                "TotalDataAvailable": free_bytes,
                "TotalDataCapacity": phone.setup.disk_bytes,
                "TotalDiskCapacity": phone.setup.disk_bytes,
                "TotalSystemCapacity": 0,
            }
        case "com.apple.security.mac.amfi" if phone.identity.ios >= (16, 0):
            return {"DeveloperModeStatus": phone.has_developer_mode}
        case "com.apple.mobile.wireless_lockdown":
            return {"EnableWifiConnections": True, "EnableWifiDebugging": True}
        case "com.apple.international":
            return {"Language": "en", "Locale": "en_US"}
    return {}


def _own_values(phone: Phone) -> dict[str, Any]:
    identity = phone.identity
    model = identity.model
    return {
        "ActivationState": "Activated",
        "BoardId": model.board_id,
        "BuildVersion": identity.build,
        "CPUArchitecture": "arm64e",
        "ChipID": model.chip_id,
        "DeviceClass": "iPhone",
        "DeviceName": identity.name,
        "DevicePublicKey": phone.pairings.public_key_pem,
        "HardwareModel": model.hardware_model,
        "HardwarePlatform": f"t{model.chip_id:04x}",
        "HasSiDP": True,
        "HostAttached": True,
        "HumanReadableProductVersionString": identity.ios_version,
        "PasswordProtected": phone.is_locked,
        "ProductName": "iPhone OS",
        "ProductType": model.product_type,
        "ProductVersion": identity.ios_version,
        "ProtocolVersion": "2",
        "SerialNumber": identity.serial_number,
        "TimeIntervalSince1970": time.time(),
        "TimeZone": "UTC",
        "TrustedHostAttached": True,
        "UniqueChipID": identity.ecid,
        "UniqueDeviceID": identity.udid,
        "WiFiAddress": identity.wifi_address,
    }
