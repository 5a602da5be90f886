"""Which services a phone has: every name that lockdown knows, and the module behind it."""

from __future__ import annotations

from harness.virtual_iphone.afc import serve_media
from harness.virtual_iphone.house_arrest import serve_house_arrest
from harness.virtual_iphone.installation_proxy import serve_installation_proxy
from harness.virtual_iphone.services import Service, ServiceRegistry


def phone_services() -> ServiceRegistry:
    """The services of a phone, by the names Apple gave them."""
    return ServiceRegistry(
        [
            Service("com.apple.afc", serve_media, needs_unlocked=True),
            Service("com.apple.mobile.house_arrest", serve_house_arrest, needs_unlocked=True),
            Service("com.apple.mobile.installation_proxy", serve_installation_proxy, needs_unlocked=True),
        ]
    )
