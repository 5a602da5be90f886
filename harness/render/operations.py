"""Where a variant's time goes, operation by operation, from the profile passes of its processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.events import OperationTime, Profile
from harness.render import figures
from harness.render.plain_text import one_line

_MOST_OPERATIONS = 400


@dataclass(frozen=True, slots=True)
class Operation:
    """``place`` is when it runs, from 1; ``share`` of the operations' time together, in percent."""

    place: int
    name: str
    delegated: bool
    mean: str
    mean_ns: float
    share: float


@dataclass(frozen=True, slots=True)
class VariantProfile:
    """``summary`` says how much of the graph a delegate took, and what the operations add up to."""

    variant: str
    summary: str
    operations: tuple[Operation, ...]
    left_out: int


def operation_profiles(profiles: Mapping[str, tuple[Profile, ...]]) -> tuple[VariantProfile, ...]:
    """Of each variant that was profiled. Processes that list the same operations are added up, others left out."""
    return tuple(_profile(variant, taken) for variant, taken in profiles.items() if taken and taken[0].times)


def _profile(variant: str, taken: Sequence[Profile]) -> VariantProfile:
    first = taken[0]
    names = [one.name for one in first.times]
    alike = [one for one in taken if [time.name for time in one.times] == names]
    totals = [_added([one.times[index] for one in alike]) for index in range(len(names))]
    whole_ns = sum(total_ns for total_ns, _ in totals) or 1
    operations = tuple(
        Operation(
            place=index + 1,
            name=one_line(time.name),
            delegated=time.delegated,
            mean=figures.time(total_ns / runs) if total_ns else figures.ABSENT,
            mean_ns=total_ns / runs,
            share=round(100 * total_ns / whole_ns, 2),
        )
        for index, (time, (total_ns, runs)) in enumerate(zip(first.times, totals, strict=True))
    )
    ranked = tuple(sorted(operations, key=lambda one: -one.mean_ns))[:_MOST_OPERATIONS]
    invocation_ns = sum(one.invocations_ns for one in alike) / sum(one.runs for one in alike)
    return VariantProfile(
        variant=one_line(variant),
        summary=(
            f"{first.delegated_operations} of {first.operations} operations taken by delegates in "
            f"{first.partitions} partition{'' if first.partitions == 1 else 's'}; an invocation with the profiler on "
            f"takes {figures.time(invocation_ns)}"
        ),
        operations=ranked,
        left_out=len(operations) - len(ranked),
    )


def _added(times: Sequence[OperationTime]) -> tuple[int, int]:
    return sum(time.total_ns for time in times), sum(time.runs for time in times)
