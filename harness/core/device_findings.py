"""Findings about the device that the jobs ran on: its own count of memory, what came in between, its battery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.events import Delegation, Interrupted, Stage, StageFinished
from harness.core.finding import Finding, FindingKind, note, percent, warning
from harness.core.joblog import JobLog, attempts, steady_conditions
from harness.core.runs import JobOutcome, SetAside
from harness.core.system_memory import SystemMemory

MEMORY_TOLERANCE = 0.1
"""Sampled once a second from outside and at stages from inside, the two are never quite equal."""
LOW_BATTERY = 0.2
LEAST_SLEEP_NS = 100_000_000


def find_on_device(
    logs: Sequence[JobLog],
    outcomes: Mapping[str, JobOutcome | None],
    system_memory: Mapping[str, SystemMemory],
    host_runtime: str | None = None,
) -> list[Finding]:
    """By variant, in the order in which they first ran. ``outcomes`` and ``system_memory`` are by job.

    ``host_runtime`` is the release of LiteRT on the machine that built the variants.
    """
    found: list[Finding] = []
    for variant in dict.fromkeys(log.variant for log in logs):
        own = [log for log in logs if log.variant == variant]
        found += memory_disagrees(variant, own, system_memory)
        found += interrupted(variant, [outcome for log in own if (outcome := outcomes.get(log.job_id))])
        found += low_battery(variant, own)
        found += left_the_front(variant, own) + slept(variant, own)
        found += accelerator_not_used(variant, own) + weight_cache_built(variant, own)
        found += runtime_differs(variant, own, host_runtime)
    return found


def set_aside(why: SetAside | None) -> list[Finding]:
    """The run goes without its device, which failed repeatedly."""
    if why is None:
        return []
    return warning(
        FindingKind.SET_ASIDE,
        None,
        f"the device was set aside after {why.failures} failures in a row; the last one: {why.problem}",
        f"{why.next_step} What it measured before counts.",
    )


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


def left_the_front(variant: str, logs: Sequence[JobLog]) -> list[Finding]:
    """The app was covered, left or locked while it measured: iOS then slows or halts it."""
    kinds = [event.kind for log in logs for event in log.events if isinstance(event, Interrupted)]
    left = sum(kind == "background" for kind in kinds)
    covered = sum(kind == "inactive" for kind in kinds)
    warned = sum(kind == "memory_warning" for kind in kinds)
    seen = [
        f"{what} {count} time{'' if count == 1 else 's'}"
        for count, what in (
            (left, "left or locked"),
            (covered, "covered by a call or another view"),
            (warned, "asked to free memory"),
        )
        if count
    ]
    if not seen:
        return []
    return warning(
        FindingKind.INTERRUPTED,
        variant,
        f"the app was {', '.join(seen)} while it measured",
        "Leave the phone alone while it measures, in flight mode, and run the variant again.",
    )


def slept(variant: str, logs: Sequence[JobLog]) -> list[Finding]:
    """The device slept during an attempt, by what its two clocks differ."""
    told = [
        block.suspended_ns
        for log in logs
        for block in steady_conditions(log)
        if block is not None and block.suspended_ns is not None
    ]
    longest_ns = max(told, default=0)
    if longest_ns < LEAST_SLEEP_NS:
        return []
    return warning(
        FindingKind.INTERRUPTED,
        variant,
        f"the device slept for {longest_ns / 1e9:.1f} s of an attempt",
        "Samples around the sleep are of a cold processor: keep the device awake and measure again.",
    )


def accelerator_not_used(variant: str, logs: Sequence[JobLog]) -> list[Finding]:
    """It asked for an accelerator and did not get it, or only for a part of its operations."""
    asked = [event for log in logs for event in log.events if isinstance(event, Delegation)]
    refused = next((event for event in asked if not event.obtained), None)
    if refused is not None:
        return warning(
            FindingKind.ACCELERATOR_NOT_USED,
            variant,
            f"it asked for {refused.requested} and ran on the CPU: {refused.reason or 'the runtime gave no reason'}",
            "Its figures are the CPU's. Build the app with the accelerator, or take accelerator out of the suite.",
        )
    partial = next((event for event in asked if event.delegated_operations < event.operations), None)
    if partial is None:
        return []
    return note(
        FindingKind.ACCELERATOR_NOT_USED,
        variant,
        f"{partial.requested} took {partial.delegated_operations} of {partial.operations} operations, in "
        f"{partial.partitions} partitions; the CPU ran the rest",
        "Each change between the two copies tensors: see which operations are left with a profile.",
    )


def weight_cache_built(variant: str, logs: Sequence[JobLog]) -> list[Finding]:
    """One of its compile times has the writing of the weight cache in it."""
    compiled = [
        event.weight_cache
        for log in logs
        for event in log.events
        if isinstance(event, StageFinished) and event.stage is Stage.COMPILE and event.weight_cache
    ]
    built = compiled.count("built")
    if not built:
        return []
    return note(
        FindingKind.WEIGHT_CACHE_BUILT,
        variant,
        f"{built} of {len(compiled)} processes wrote the weight cache; the others mapped it",
        "Their compile time and peak memory are those of an app's first start, the others' of every later one.",
    )


def runtime_differs(variant: str, logs: Sequence[JobLog], host_runtime: str | None) -> list[Finding]:
    """The device's runtime is another release than the host's, with which the variant was built and checked."""
    if host_runtime is None:
        return []
    others = sorted(
        {
            start.runtime.version
            for log in logs
            for start in attempts(log)
            if start.runtime.name == "LiteRT" and start.runtime.version not in ("unknown", host_runtime)
        }
    )
    if not others:
        return []
    return warning(
        FindingKind.RUNTIME_MISMATCH,
        variant,
        f"ran on LiteRT {', '.join(others)}, this host has {host_runtime}",
        "Another release may have other kernels: before a difference is the variant's, run both with one release.",
    )
