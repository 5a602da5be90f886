"""Which services a phone has: every name that lockdown knows, and the module behind it."""

from __future__ import annotations

from harness.virtual_iphone.developer_services import developer_services
from harness.virtual_iphone.lockdown_services.afc import serve_media
from harness.virtual_iphone.lockdown_services.assertion_agent import serve_assertion_agent
from harness.virtual_iphone.lockdown_services.crash_services import (
    serve_crash_report_files,
    serve_crash_report_mover,
)
from harness.virtual_iphone.lockdown_services.diagnostics_relay import serve_diagnostics_relay
from harness.virtual_iphone.lockdown_services.heartbeat import serve_heartbeat
from harness.virtual_iphone.lockdown_services.house_arrest import serve_house_arrest
from harness.virtual_iphone.lockdown_services.image_mounter import serve_image_mounter
from harness.virtual_iphone.lockdown_services.installation_proxy import serve_installation_proxy
from harness.virtual_iphone.lockdown_services.log_services import serve_os_trace_relay, serve_syslog_relay
from harness.virtual_iphone.lockdown_services.notification_proxy import serve_notification_proxy
from harness.virtual_iphone.services import Service, ServiceRegistry


def phone_services() -> ServiceRegistry:
    """The services of a phone, by the names Apple gave them."""
    return ServiceRegistry(
        [
            Service("com.apple.afc", serve_media, needs_unlocked=True),
            Service("com.apple.crashreportcopymobile", serve_crash_report_files),
            Service("com.apple.crashreportmover", serve_crash_report_mover),
            Service("com.apple.mobile.assertion_agent", serve_assertion_agent),
            Service("com.apple.mobile.diagnostics_relay", serve_diagnostics_relay),
            Service("com.apple.mobile.heartbeat", serve_heartbeat),
            Service("com.apple.mobile.house_arrest", serve_house_arrest, needs_unlocked=True),
            Service("com.apple.mobile.insecure_notification_proxy", serve_notification_proxy),
            Service("com.apple.mobile.installation_proxy", serve_installation_proxy, needs_unlocked=True),
            Service("com.apple.mobile.mobile_image_mounter", serve_image_mounter),
            Service("com.apple.mobile.notification_proxy", serve_notification_proxy),
            Service("com.apple.os_trace_relay", serve_os_trace_relay),
            Service("com.apple.syslog_relay", serve_syslog_relay),
            *developer_services(),
        ]
    )
