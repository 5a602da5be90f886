"""The services for developers, and the releases of iOS that lockdown starts them on."""

from __future__ import annotations

from harness.virtual_iphone.instruments.server import serve_instruments
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.services import Service

_INSTRUMENTS = "com.apple.instruments.remoteserver.DVTSecureSocketProxy"


def developer_services() -> list[Service]:
    """What lockdown starts for developers: the instruments server up to iOS 16, after that only a way into a tunnel."""
    return [Service(_INSTRUMENTS, serve_instruments, is_there=_has_instruments)]


def has_developer_image(phone: Phone) -> bool:
    """Whether the phone has the services that come with the disk image."""
    return phone.has_developer_mode and phone.has_developer_image


def _has_instruments(phone: Phone) -> bool:
    return phone.identity.ios < (17, 0) and has_developer_image(phone)
