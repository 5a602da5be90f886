"""Findings about the device that the jobs ran on: its own count of memory, what came in between, its battery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.events import StageFinished
from harness.core.finding import Finding, FindingKind, note, percent, warning
from harness.core.joblog import JobLog, steady_conditions
from harness.core.runs import JobOutcome
from harness.core.system_memory import SystemMemory

MEMORY_TOLERANCE = 0.1
"""Sampled once a second from outside and at stages from inside, the two are never quite equal."""
LOW_BATTERY = 0.2


def find_on_device(
    logs: Sequence[JobLog],
    outcomes: Mapping[str, JobOutcome | None],
    system_memory: Mapping[str, SystemMemory],
) -> list[Finding]:
    """By variant, in the order in which they first ran. ``outcomes`` and ``system_memory`` are by job."""
    found: list[Finding] = []
    for variant in dict.fromkeys(log.variant for log in logs):
        own = [log for log in logs if log.variant == variant]
        found += memory_disagrees(variant, own, system_memory)
        found += interrupted(variant, [outcome for log in own if (outcome := outcomes.get(log.job_id))])
        found += low_battery(variant, own)
    return found


def memory_disagrees(
    variant: str, logs: Sequence[JobLog], system_memory: Mapping[str, SystemMemory]
) -> list[Finding]:
    """The system counted a higher footprint than the peak that the runner told."""
    worst: tuple[float, int, int] | None = None
    for log in logs:
        counted = system_memory[log.job_id].peak_bytes if log.job_id in system_memory else None
        told = _told_peak_bytes(log)
        if counted is None or told is None:
            continue
        excess = counted / told - 1
        if excess > MEMORY_TOLERANCE and (worst is None or excess > worst[0]):
            worst = (excess, counted, told)
    if worst is None:
        return []
    excess, counted, told = worst
    return warning(
        FindingKind.MEMORY_DISAGREES,
        variant,
        f"the system counted {counted / 1e6:.1f} MB for the runner, which told a peak of {told / 1e6:.1f} MB: "
        f"{percent(excess)} more",
        "Trust the higher one: it is what the system ends an app for. Update the runner if it stays.",
    )


def _told_peak_bytes(log: JobLog) -> int | None:
    """The highest footprint the runner told, of the kind that a phone counts; on Linux its private memory."""
    told = [
        figure
        for event in log.events
        if isinstance(event, StageFinished)
        for figure in (
            event.memory.peak_footprint_bytes,
            event.memory.footprint_bytes,
            event.memory.peak_resident_bytes,
        )
        if figure
    ]
    return max(told, default=None)


def interrupted(variant: str, outcomes: Sequence[JobOutcome]) -> list[Finding]:
    """A job was cut off and went on: it has the load, compile and first run of more than one process."""
    reasons = [reason for outcome in outcomes for reason in outcome.interruptions]
    if not reasons:
        return []
    return note(
        FindingKind.INTERRUPTED,
        variant,
        f"its jobs were interrupted {len(reasons)} times and went on from their last record: {reasons[0]}",
        "Nothing is lost. For figures of one piece, run it again with the phone unlocked and the cable firm.",
    )


def low_battery(variant: str, logs: Sequence[JobLog]) -> list[Finding]:
    """The battery was so low that the system may save power."""
    levels = [
        block.battery_level
        for log in logs
        for block in steady_conditions(log)
        if block is not None and block.battery_level is not None
    ]
    if not levels or min(levels) >= LOW_BATTERY:
        return []
    return warning(
        FindingKind.LOW_BATTERY,
        variant,
        f"the battery was down to {percent(min(levels))} while samples were taken",
        "Charge the phone and measure again: iOS slows down on a low battery.",
    )
