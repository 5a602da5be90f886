"""``deviceinfo``: what runs, and what the phone is."""

from __future__ import annotations

import datetime
import os
import time
from typing import Any

from harness.virtual_iphone.instruments.channel_service import SelectorService, selector
from harness.virtual_iphone.instruments.dtx_connection import Channel
from harness.virtual_iphone.instruments.mach_clock import DENOMINATOR, NUMERATOR, mach_ticks
from harness.virtual_iphone.instruments.process_figures import PROCESS_ATTRIBUTES
from harness.virtual_iphone.instruments.sysmontap import SYSTEM_ATTRIBUTES
from harness.virtual_iphone.phone import Phone

IDENTIFIER = "com.apple.instruments.server.services.deviceinfo"

_USERS = {0: "root", 501: "mobile"}


class DeviceInfo(SelectorService):
    """Answers questions; of the processes of a phone it knows those that exist here, the apps."""

    def __init__(self, channel: Channel, phone: Phone) -> None:
        del channel
        self._phone = phone

    @selector("runningProcesses")
    async def running_processes(self) -> list[dict[str, Any]]:
        return [
            {
                "pid": process.pid,
                "name": process.name,
                "realAppName": process.app.executable_on_phone,
                "isApplication": True,
                "foregroundRunning": True,
                "startDate": datetime.datetime.fromtimestamp(process.started_unix_ns / 1e9, datetime.UTC),
            }
            for process in self._phone.processes.running()
        ]

    @selector("execnameForPid:", int)
    async def executable_name(self, pid: int) -> str:
        process = self._phone.processes.find(pid)
        return "" if process is None else process.app.executable_on_phone

    @selector("isRunningPid:", int)
    async def is_running(self, pid: int) -> bool:
        return self._phone.processes.find(pid) is not None

    @selector("nameForUID:", int)
    async def name_for_user(self, number: int) -> str:
        return _USERS.get(number, "")

    @selector("nameForGID:", int)
    async def name_for_group(self, number: int) -> str:
        return _USERS.get(number, "")

    @selector("systemInformation")
    async def system_information(self) -> dict[str, Any]:
        identity = self._phone.identity
        return {
            "_deviceDescription": f"Build Version {identity.build}, iPhone ID {identity.udid}",
            "_deviceDisplayName": identity.name,
            "_deviceIdentifier": identity.udid,
            "_deviceVersion": identity.build,
            "_productType": identity.model.product_type,
            "_productVersion": identity.ios_version,
        }

    @selector("hardwareInformation")
    async def hardware_information(self) -> dict[str, Any]:
        cpus = os.cpu_count() or 1
        return {
            "numberOfCpus": cpus,
            "numberOfPhysicalCpus": cpus,
            "hwMemSize": self._phone.identity.model.memory_bytes,
        }

    @selector("networkInformation")
    async def network_information(self) -> dict[str, Any]:
        return {"lo0": "Loopback"}

    @selector("machTimeInfo")
    async def mach_time_info(self) -> list[int]:
        return [mach_ticks(), NUMERATOR, DENOMINATOR, time.time_ns() // 1000]

    @selector("machKernelName")
    async def kernel_name(self) -> str:
        return "/mach.virtual"

    @selector("sysmonProcessAttributes")
    async def sysmon_process_attributes(self) -> list[str]:
        return PROCESS_ATTRIBUTES

    @selector("sysmonSystemAttributes")
    async def sysmon_system_attributes(self) -> list[str]:
        return SYSTEM_ATTRIBUTES
