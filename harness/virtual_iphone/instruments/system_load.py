"""How busy this machine is, which is what the phone runs on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CpuTimes:
    """Ticks of all CPUs together since the machine started."""

    user: int
    nice: int
    system: int
    idle: int

    @property
    def total(self) -> int:
        return self.user + self.nice + self.system + self.idle


def read_cpu_times(text: bytes | None = None) -> CpuTimes | None:
    """The first line of ``/proc/stat`` (proc(5)); ``None`` on a machine that has no such file."""
    if text is None:
        try:
            text = Path("/proc/stat").read_bytes()
        except OSError:
            return None
    user, nice, system, idle, waiting = map(int, text.split(None, 6)[1:6])
    return CpuTimes(user, nice, system, idle + waiting)


class SystemLoad:
    """The load between one call and the next, in percent of one CPU, as sysmon tells it."""

    def __init__(self) -> None:
        self._before = read_cpu_times()

    def since_last(self) -> dict[str, float] | None:
        """The loads by sysmon's names; ``None`` where nothing tells them, or no time has passed."""
        before, now = self._before, read_cpu_times()
        if before is None or now is None or now.total <= before.total:
            return None
        self._before = now
        percent = 100 * (os.cpu_count() or 1) / (now.total - before.total)
        user, nice, system = now.user - before.user, now.nice - before.nice, now.system - before.system
        return {
            "CPU_TotalLoad": (user + nice + system) * percent,
            "CPU_UserLoad": user * percent,
            "CPU_NiceLoad": nice * percent,
            "CPU_SystemLoad": system * percent,
        }
