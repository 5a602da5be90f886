"""The machine, and how much of it others used while the benchmarks ran."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.result import Machine
from harness.pipeline.prepare import describe_host
from harness.shards.pool import memory_bytes


@dataclass(frozen=True)
class Moment:
    """CPU seconds: of all cores since the system started, busy and all; of this process and its children."""

    busy_s: float
    all_s: float
    own_s: float


def this_moment() -> Moment | None:
    """proc(5), /proc/stat; ``None`` where there is no such file."""
    try:
        first_line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    user, nice, system, idle, iowait, irq, softirq, steal = (int(word) for word in first_line.split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    times = os.times()
    own_s = times.user + times.system + times.children_user + times.children_system
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    return Moment(busy_s=busy * tick_s, all_s=(busy + idle + iowait) * tick_s, own_s=own_s)


def other_cpu_fraction(before: Moment | None, after: Moment | None) -> float | None:
    """The share of all cores' time between the two that was neither idle nor ours."""
    if before is None or after is None or after.all_s <= before.all_s:
        return None
    others_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return min(1.0, max(0.0, others_s / (after.all_s - before.all_s)))


def describe_machine(load_average_1m_before: float, other_fraction: float | None) -> Machine:
    """This machine and the packages that matter to speed."""
    host = describe_host()
    return Machine(
        system=host.system,
        machine=host.machine,
        cpu=_cpu_name() or host.cpu,
        logical_cores=host.logical_cores,
        memory_bytes=memory_bytes(),
        python=host.python,
        packages=host.packages,
        load_average_1m_before=load_average_1m_before,
        other_cpu_fraction=other_fraction,
    )


def _cpu_name() -> str | None:
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
