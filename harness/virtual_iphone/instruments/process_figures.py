"""The figures of the apps' processes by the names that sysmon gives them. What this machine does not tell is absent."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.virtual_iphone.processes import AppProcess

Figure = int | float | str | None

_LAUNCHD = 1
_USER_MOBILE = 501
_NS = 1_000_000_000


@dataclass(frozen=True)
class ProcStat:
    """What proc(5) tells of a process: times in nanoseconds since its start, sizes in bytes."""

    user_ns: int
    system_ns: int
    threads: int
    resident_bytes: int
    virtual_bytes: int

    @property
    def cpu_ns(self) -> int:
        return self.user_ns + self.system_ns


def read_proc_stat(pid: int) -> ProcStat | None:
    """The figures of ``/proc/<pid>/stat``; ``None`` where the process is gone, or the machine has no such file."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    if b")" not in text:
        return None  # it went while the file was read
    # The name stands in parentheses and may hold anything, closing parentheses too.
    fields = text[text.rindex(b")") + 2 :].split()
    tick_ns = _NS // os.sysconf("SC_CLK_TCK")
    return ProcStat(
        user_ns=int(fields[11]) * tick_ns,
        system_ns=int(fields[12]) * tick_ns,
        threads=int(fields[17]),
        virtual_bytes=int(fields[20]),
        resident_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
    )


@dataclass
class ProcessFigures:
    """Reads figures, sample after sample: the CPU usage is that since the sample before."""

    _last_cpu: dict[int, tuple[int, int]] = field(default_factory=dict)

    def of(self, process: AppProcess, attributes: list[str]) -> list[Figure]:
        """The ``attributes`` of a process, in their order."""
        stat = read_proc_stat(process.pid) if sys.platform == "linux" else None
        usage = self._cpu_percent(process.pid, stat)
        known: dict[str, Callable[[], Figure]] = {
            "pid": lambda: process.pid,
            "name": lambda: process.name,
            "ppid": lambda: _LAUNCHD,
            "uid": lambda: _USER_MOBILE,
            "physFootprint": process.footprint_bytes,
            "procAge": lambda: time.time_ns() - process.started_unix_ns,
            "cpuUsage": lambda: usage,
        }
        if stat is not None:
            known |= {
                "cpuTotalUser": lambda: stat.user_ns,
                "cpuTotalSystem": lambda: stat.system_ns,
                "threadCount": lambda: stat.threads,
                "memResidentSize": lambda: stat.resident_bytes,
                "memVirtualSize": lambda: stat.virtual_bytes,
            }
        return [known[name]() if name in known else None for name in attributes]

    def forget_all_but(self, pids: set[int]) -> None:
        for pid in set(self._last_cpu) - pids:
            del self._last_cpu[pid]

    def _cpu_percent(self, pid: int, stat: ProcStat | None) -> float | None:
        """Percent of one core; the first sample has nothing to compare with."""
        if stat is None:
            return None
        now_ns = time.monotonic_ns()
        before = self._last_cpu.get(pid)
        self._last_cpu[pid] = (now_ns, stat.cpu_ns)
        if before is None or now_ns <= before[0]:
            return None
        return 100 * (stat.cpu_ns - before[1]) / (now_ns - before[0])


PROCESS_ATTRIBUTES = [
    "pid",
    "name",
    "ppid",
    "uid",
    "physFootprint",
    "procAge",
    "cpuUsage",
    "cpuTotalUser",
    "cpuTotalSystem",
    "threadCount",
    "memResidentSize",
    "memVirtualSize",
]
