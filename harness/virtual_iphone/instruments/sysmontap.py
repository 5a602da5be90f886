"""``sysmontap``: pushes the figures of the running processes, sample after sample."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from harness.virtual_iphone.instruments.channel_service import SelectorService, selector
from harness.virtual_iphone.instruments.dtx_connection import CallError, Channel
from harness.virtual_iphone.instruments.keyed_archive import NSError, TapMessage
from harness.virtual_iphone.instruments.mach_clock import mach_ticks
from harness.virtual_iphone.instruments.process_figures import ProcessFigures
from harness.virtual_iphone.instruments.system_load import SystemLoad
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.streams import StreamEndedError

IDENTIFIER = "com.apple.instruments.server.services.sysmontap"
SYSTEM_ATTRIBUTES = ["physMemSize"]

_SHORTEST_INTERVAL_S = 0.01
_DEFAULT_INTERVAL_NS = 500_000_000
_MAX_ATTRIBUTES = 256
# The kinds of rows that Instruments tells apart: of the system, and of processes.
_SYSTEM_ROW, _PROCESSES_ROW = 41, 5


class Sysmontap(SelectorService):
    """One tap: configured once, started, stopped."""

    def __init__(self, channel: Channel, phone: Phone) -> None:
        self._channel = channel
        self._phone = phone
        self._process_attributes: list[str] = []
        self._system_attributes: list[str] = []
        self._interval_s = _DEFAULT_INTERVAL_NS / 1e9
        self._sampling: asyncio.Task[None] | None = None

    async def close(self) -> None:
        await self.stop()

    @selector("setConfig:", dict)
    async def set_config(self, config: dict[Any, Any]) -> None:
        self._process_attributes = _names(config, "procAttrs")
        self._system_attributes = _names(config, "sysAttrs")
        interval_ns = config.get("sampleInterval", _DEFAULT_INTERVAL_NS)
        if not isinstance(interval_ns, int) or interval_ns <= 0:
            raise CallError(NSError.described("DTXMessage", 1, "sampleInterval is no number of nanoseconds"))
        self._interval_s = max(interval_ns / 1e9, _SHORTEST_INTERVAL_S)

    @selector("start")
    async def start(self) -> None:
        if self._sampling is None:
            self._sampling = asyncio.create_task(self._sample(), name="sysmontap")

    @selector("stop")
    async def stop(self) -> None:
        sampling, self._sampling = self._sampling, None
        if sampling is not None:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)

    async def _sample(self) -> None:
        figures, load = ProcessFigures(), SystemLoad()
        try:
            # The tap says first that it runs, before it has anything to tell.
            await self._channel.post(TapMessage("DTTapStatusMessage", {"status": 1}))
            since = mach_ticks()
            while True:
                now = mach_ticks()
                await self._channel.post(
                    TapMessage("DTSysmonTapMessage", self._rows(figures, load, since, now))
                )
                since = now
                await asyncio.sleep(self._interval_s)
        except StreamEndedError:
            pass  # the connection ends, and with it this tap

    def _rows(self, figures: ProcessFigures, load: SystemLoad, since: int, now: int) -> list[dict[str, Any]]:
        running = self._phone.processes.running()
        figures.forget_all_but({process.pid for process in running})
        processes = {process.pid: figures.of(process, self._process_attributes) for process in running}
        cpus = os.cpu_count() or 1
        known = {"physMemSize": self._phone.identity.model.memory_bytes}
        span = {"StartMachAbsTime": since, "EndMachAbsTime": now}
        system: dict[str, Any] = {
            "Type": _SYSTEM_ROW,
            "System": [known.get(name) for name in self._system_attributes],
            "CPUCount": cpus,
            "EnabledCPUs": cpus,
            **span,
        }
        system_load = load.since_last()
        if system_load is not None:
            system["SystemCPUUsage"] = system_load
        return [system, {"Type": _PROCESSES_ROW, "Processes": processes, **span}]


def _names(config: dict[Any, Any], key: str) -> list[str]:
    names = config.get(key, [])
    if not isinstance(names, list) or len(names) > _MAX_ATTRIBUTES:
        raise CallError(NSError.described("DTXMessage", 1, f"{key} is no list of attributes"))
    return [str(name) for name in names]
