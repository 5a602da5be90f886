"""The services for developers that lockdown starts, each on the releases of iOS that have it."""

from __future__ import annotations

from harness.virtual_iphone.instruments.server import serve_instruments
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.services import Service
from harness.virtual_iphone.tunnel.core_device_proxy import serve_core_device_proxy

_INSTRUMENTS = "com.apple.instruments.remoteserver.DVTSecureSocketProxy"
_CORE_DEVICE_PROXY = "com.apple.internal.devicecompute.CoreDeviceProxy"


def developer_services() -> list[Service]:
    """The instruments server up to iOS 16; from 17.4 on a tunnel that leads to it; between them neither."""
    return [
        Service(_INSTRUMENTS, serve_instruments, is_there=_has_instruments, over_tunnel=False),
        Service(_CORE_DEVICE_PROXY, serve_core_device_proxy, is_there=_has_tunnel, over_tunnel=False),
    ]


def _has_instruments(phone: Phone) -> bool:
    return phone.identity.ios < (17, 0) and phone.has_developer_services


def _has_tunnel(phone: Phone) -> bool:
    return phone.identity.ios >= (17, 4)
