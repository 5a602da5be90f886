"""Crash and JetsamEvent reports that the phone wrote after a moment on its own clock."""

from __future__ import annotations

import asyncio
import posixpath
import time
from contextlib import suppress
from typing import Any

from pymobiledevice3.lockdown import UsbmuxLockdownClient

from harness.targets.iphone.device.limits import abort, within
from harness.targets.iphone.messages import Report
from harness.targets.iphone.trouble import PhoneTrouble

_LARGEST_BYTES = 4 * 1024 * 1024
_SUFFIXES = (".ips", ".synced", ".beta")
_POLL_S = 0.5
_CLOCK_GRAIN_S = 1.0


async def reports_since(
    client: UsbmuxLockdownClient,
    since_unix_s: float,
    process_name: str,
    *,
    wait_s: float,
    answer_s: float,
) -> tuple[Report, ...]:
    """Reports about the process or about memory, newest first; waits ``wait_s`` for the first to be written.

    Trouble on the way is no report: what is known of the end otherwise still counts.
    """
    deadline_s = time.monotonic() + wait_s
    seen: set[str] = set()
    while True:
        found: tuple[Report, ...] = ()
        with suppress(PhoneTrouble):
            found = await _look(client, since_unix_s, process_name, answer_s, seen)
        if found or time.monotonic() > deadline_s:
            return found
        await asyncio.sleep(_POLL_S)


async def _look(
    client: UsbmuxLockdownClient, since_unix_s: float, process_name: str, answer_s: float, seen: set[str]
) -> tuple[Report, ...]:
    # Only where an app died: it brings parsers of its own.
    from pymobiledevice3.services.crash_reports import CrashReportsManager

    manager = CrashReportsManager(client)

    def close() -> None:
        abort(manager.afc)

    async def listing() -> list[tuple[float, str, dict[str, Any]]]:
        with suppress(Exception):
            # The mover is a courtesy: reports that are there already can be read without it.
            await asyncio.wait_for(manager.flush(), answer_s / 2)
        rows = []
        for name in await manager.afc.listdir("/"):
            if not name.endswith(_SUFFIXES) or "/" in name or name in seen:
                continue
            if not (name.startswith("JetsamEvent") or (process_name and name.startswith(process_name))):
                continue
            found = await manager.afc.stat(f"/{name}")
            rows.append((found["st_mtime"].timestamp(), name, found))
        return sorted(rows, reverse=True)

    try:
        reports = []
        for modified_s, name, found in await within(answer_s, "list the crash reports", listing(), close):
            if modified_s < since_unix_s - _CLOCK_GRAIN_S or not 0 < int(found["st_size"]) <= _LARGEST_BYTES:
                continue
            data = await within(
                answer_s, "read a crash report", manager.afc.get_file_contents(f"/{name}"), close
            )
            text = data.decode("utf-8", errors="replace")
            if text.rstrip().endswith("}"):
                reports.append(Report(name=posixpath.basename(name), text=text))
        return tuple(reports)
    finally:
        close()
