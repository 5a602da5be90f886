"""Crash reports as clients fetch them: the mover that makes them ready, and their folder over AFC."""

from __future__ import annotations

from harness.virtual_iphone.lockdown_services.afc import serve_files
from harness.virtual_iphone.lockdown_services.confined_paths import ConfinedFolder
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.streams import Stream

# What the mover says once the reports are where clients read them.
_ACKNOWLEDGEMENT = b"ping\0"


async def serve_crash_report_mover(stream: Stream, phone: Phone) -> None:
    """``com.apple.crashreportmover``; reports are written into the folder at once, or late as a fault says."""
    del phone
    await stream.write(_ACKNOWLEDGEMENT)
    await stream.read(1)


async def serve_crash_report_files(stream: Stream, phone: Phone) -> None:
    """``com.apple.crashreportcopymobile``"""
    await serve_files(stream, phone, ConfinedFolder(phone.folders.crashes))
