"""The reports that the system leaves when an app ends badly: .ips files, as ReportCrash and jetsam write them.

An .ips file is one line of JSON (the header) and one JSON document (the report).
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.virtual_iphone.identity import PhoneIdentity

if TYPE_CHECKING:
    from harness.virtual_iphone.processes import AppProcess, ProcessEnd
    from harness.virtual_iphone.system_log import SystemLog

_PAGE_BYTES = 16384
_REPORTER_PID = 71
_WATCHDOG_CODE = 0x8BADF00D
_EXCEPTIONS = {
    signal.SIGSEGV: "EXC_BAD_ACCESS",
    signal.SIGBUS: "EXC_BAD_ACCESS",
    signal.SIGILL: "EXC_BAD_INSTRUCTION",
    signal.SIGTRAP: "EXC_BREAKPOINT",
    signal.SIGABRT: "EXC_CRASH",
}


class CrashReports:
    """Writes reports into ``folder``, ``delay_s`` after the app's end."""

    def __init__(self, identity: PhoneIdentity, folder: Path, log: SystemLog) -> None:
        self._identity = identity
        self._log = log
        self._folder = folder
        self._device_key = uuid.uuid4().hex
        self._waiting: set[asyncio.TimerHandle] = set()
        self.delay_s = 0.0

    def report_end(self, process: AppProcess, end: ProcessEnd, memory_limit_bytes: int) -> None:
        """Report the end of a process, where it is one that the system reports."""
        if end.reason == "jetsam":
            name, text = self._jetsam_report(process, memory_limit_bytes)
        elif end.reason == "watchdog" or (end.reason == "signal" and end.signal_number != signal.SIGKILL):
            name, text = self._crash_report(process, end)
        else:
            return
        if self.delay_s > 0:
            timer = asyncio.get_running_loop().call_later(self.delay_s, self._write, name, text)
            self._waiting.add(timer)
        else:
            self._write(name, text)

    def stop(self) -> None:
        """Reports that are not yet there will never be."""
        for timer in self._waiting:
            timer.cancel()

    def _write(self, name: str, text: str) -> None:
        file = self._folder / f"{name}-{datetime.now():%Y-%m-%d-%H%M%S}.ips"
        number = 0
        while file.exists():
            number += 1
            file = file.with_name(f"{name}-{datetime.now():%Y-%m-%d-%H%M%S}.{number:03}.ips")
        temporary = file.with_suffix(".tmp")
        temporary.write_text(text, "utf-8")
        temporary.rename(file)
        place = f"/private/var/mobile/Library/Logs/CrashReporter/{file.name}"
        self._log.write(
            "osanalyticshelper", _REPORTER_PID, f"Saved type report at {place}", image="OSAnalytics"
        )

    def _header(self, bug_type: str, **more: Any) -> dict[str, Any]:
        return {
            "timestamp": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.00 +0000}",
            "bug_type": bug_type,
            "os_version": f"iPhone OS {self._identity.ios_version} ({self._identity.build})",
            "incident_id": str(uuid.uuid4()).upper(),
            **more,
        }

    def _crash_report(self, process: AppProcess, end: ProcessEnd) -> tuple[str, str]:
        info = process.app.info
        number = signal.Signals(end.signal_number or signal.SIGKILL)
        is_watchdog = end.reason == "watchdog"
        header = self._header(
            "309",
            app_name=process.name,
            name=process.name,
            app_version=str(info.get("CFBundleShortVersionString", "")),
            build_version=str(info.get("CFBundleVersion", "")),
            bundleID=process.app.bundle_id,
            platform=2,
            share_with_app_devs=0,
            is_first_party=0,
            roots_installed=0,
            slice_uuid=str(uuid.uuid4()),
        )
        termination = (
            {"namespace": "FRONTBOARD", "code": _WATCHDOG_CODE, "flags": 6}
            if is_watchdog
            else {"namespace": "SIGNAL", "code": int(number), "indicator": signal.strsignal(number)}
        )
        report = {
            "procName": process.name,
            "procPath": process.app.executable_on_phone,
            "pid": end.pid,
            "bundleInfo": {"CFBundleIdentifier": process.app.bundle_id},
            "incident": header["incident_id"],
            "crashReporterKey": self._device_key,
            "modelCode": self._identity.model.product_type,
            "osVersion": {
                "train": f"iPhone OS {self._identity.ios_version}",
                "build": self._identity.build,
                "releaseType": "User",
            },
            "procLaunch": _local_time(process.started_unix_ns),
            "captureTime": _local_time(time.time_ns()),
            "exception": {
                "type": "EXC_CRASH" if is_watchdog else _EXCEPTIONS.get(number, "EXC_CRASH"),
                "signal": number.name,
                "codes": "0x0000000000000000, 0x0000000000000000",
            },
            "termination": termination,
            "faultingThread": 0,
            "threads": [],
            "usedImages": [],
        }
        return process.name, _ips(header, report)

    def _jetsam_report(self, process: AppProcess, memory_limit_bytes: int) -> tuple[str, str]:
        header = self._header("298")
        pages = process.peak_footprint_bytes // _PAGE_BYTES
        is_over_limit = process.peak_footprint_bytes > memory_limit_bytes
        report = {
            "crashReporterKey": self._device_key,
            "product": self._identity.model.product_type,
            "build": header["os_version"],
            "incident": header["incident_id"],
            "date": header["timestamp"],
            "largestProcess": process.name,
            "memoryStatus": {
                "pageSize": _PAGE_BYTES,
                "compressorSize": 0,
                "memoryPages": {"active": pages, "free": 0},
            },
            "processes": [
                {
                    "name": process.name,
                    "pid": process.pid,
                    # Below its own limit it is ended for the memory of the whole phone.
                    "reason": "per-process-limit" if is_over_limit else "vm-pageshortage",
                    "states": ["frontmost"],
                    "rpages": pages,
                    "lifetimeMax": pages,
                    "memoryLimit": memory_limit_bytes // _PAGE_BYTES,
                }
            ],
        }
        return "JetsamEvent", _ips(header, report)


def _local_time(unix_ns: int) -> str:
    return f"{datetime.fromtimestamp(unix_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-2] + " +0000"


def _ips(header: dict[str, Any], report: dict[str, Any]) -> str:
    return f"{json.dumps(header)}\n{json.dumps(report, indent=2)}\n"
