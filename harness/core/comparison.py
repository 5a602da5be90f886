"""Two runs or variants, figure by figure: what changed from ``a`` to ``b``, and what may not be compared at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Literal

from harness.core.answer_changes import accuracy_change, agreement_change
from harness.core.changes import (
    COSTS,
    LATENCIES,
    PROPORTIONS,
    Change,
    ComparedFigure,
    Conclusion,
    Criterion,
    cost_change,
    size_change,
)
from harness.core.measurements import THERMAL_STATES, Measurement, NotMeasured, result_name
from harness.core.report import RunReport
from harness.core.value import Value

_THROTTLED = ("serious", "critical")


class Mismatch(StrEnum):
    """How two runs differ so that figures of them cannot be compared."""

    TARGET_CLASS = "target-class"
    DEVICE = "device"
    THREADS = "threads"
    THROTTLED = "throttled"
    WORKLOAD = "workload"
    REFERENCE = "reference"
    TRUTH = "truth"


_REFUSED_BY: Mapping[Mismatch, tuple[ComparedFigure, ...]] = {
    Mismatch.TARGET_CLASS: COSTS + PROPORTIONS,
    Mismatch.DEVICE: COSTS + PROPORTIONS,
    Mismatch.THREADS: COSTS,
    Mismatch.THROTTLED: LATENCIES,
    Mismatch.WORKLOAD: COSTS + PROPORTIONS,
    Mismatch.REFERENCE: PROPORTIONS,
    Mismatch.TRUTH: (ComparedFigure.ACCURACY,),
}


class Incomparable(Value):
    """Figures that are not compared, and why: ``a`` and ``b`` are what the runs have."""

    mismatch: Mismatch
    a: str
    b: str
    figures: tuple[ComparedFigure, ...]


class Circumstance(Value):
    """What else differs between the runs: it forbids nothing, yet may be the cause of a change."""

    what: str
    a: str
    b: str


class VariantComparison(Value):
    """A variant that both sides measured; ``variant_b`` is its name in ``b``. ``same_file``: its bytes are equal.

    ``paired``: both ran in the same rounds, side by side.
    """

    variant: str
    variant_b: str
    same_file: bool
    paired: bool
    changes: tuple[Change, ...]


class NotCompared(Value):
    """A variant of both runs that at least one did not measure: its outcome in each."""

    variant: str
    outcome_a: Literal["measured", "failed", "incomplete", "not-built"]
    outcome_b: Literal["measured", "failed", "incomplete", "not-built"]


class Comparison(Value):
    """From ``a`` to ``b``. Variants are in the order of ``a``."""

    comparison_version: Literal[1] = 1
    run_a: str
    run_b: str
    criterion: Criterion
    incomparable: tuple[Incomparable, ...]
    circumstances: tuple[Circumstance, ...]
    variants: tuple[VariantComparison, ...]
    not_compared: tuple[NotCompared, ...]
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]
    confirmed_by: str | None = None
    """The confirming run, where there was one."""


def compare(
    a: RunReport,
    b: RunReport,
    *,
    variants: tuple[str, str] | None = None,
    criterion: Criterion | None = None,
) -> Comparison:
    """What changed from ``a`` to ``b``: of every variant that both have, or from one of ``a`` to one of ``b``.

    A change is a difference where its interval excludes none and it is larger than the criterion's effect. Latencies
    and peaks are compared round by round: paired where both variants ran side by side in one run, else by ranks.
    Agreement and accuracy are compared original by original, by McNemar's exact test. Sizes are exact.
    """
    criterion = criterion or Criterion()
    by_name_a = {result_name(result): result for result in a.results}
    by_name_b = {result_name(result): result for result in b.results}
    names = [variants] if variants is not None else [(name, name) for name in by_name_a if name in by_name_b]
    pairs = [(by_name_a[name_a], by_name_b[name_b]) for name_a, name_b in names]
    measured = [
        (one, other)
        for one, other in pairs
        if isinstance(one, Measurement) and isinstance(other, Measurement)
    ]
    incomparable = _incomparable(a, b, measured)
    refused = {figure for one in incomparable for figure in one.figures}
    paired = a.plan.run_id == b.plan.run_id
    return Comparison(
        run_a=a.plan.run_id,
        run_b=b.plan.run_id,
        criterion=criterion,
        incomparable=incomparable,
        circumstances=_circumstances(a, b, measured),
        variants=tuple(
            VariantComparison(
                variant=one.variant.name,
                variant_b=other.variant.name,
                same_file=one.variant.model.sha256 == other.variant.model.sha256,
                paired=paired,
                changes=_changes(one, other, a, refused, paired, criterion),
            )
            for one, other in measured
        ),
        not_compared=tuple(
            NotCompared(variant=result_name(one), outcome_a=one.outcome, outcome_b=other.outcome)
            for one, other in pairs
            if isinstance(one, NotMeasured) or isinstance(other, NotMeasured)
        ),
        only_in_a=tuple(name for name in by_name_a if name not in by_name_b) if variants is None else (),
        only_in_b=tuple(name for name in by_name_b if name not in by_name_a) if variants is None else (),
    )


def _changes(
    a: Measurement,
    b: Measurement,
    report: RunReport,
    refused: set[ComparedFigure],
    paired: bool,
    criterion: Criterion,
) -> tuple[Change, ...]:
    wanted = [figure for figure in (*COSTS, *PROPORTIONS) if figure not in refused and _has(figure, a, b)]
    level = criterion.level(len(wanted))
    changes: list[Change | None] = [
        size_change(ComparedFigure.FILE_SIZE, a.variant.file_bytes, b.variant.file_bytes),
        size_change(ComparedFigure.COMPRESSED_SIZE, a.variant.compressed_bytes, b.variant.compressed_bytes),
    ]
    for figure in wanted:
        if figure is ComparedFigure.TOP1_AGREEMENT:
            changes.append(agreement_change(a, b, report.workload, level, criterion))
        elif figure is ComparedFigure.ACCURACY:
            changes.append(accuracy_change(a, b, report.workload, level, criterion))
        else:
            changes.append(
                cost_change(
                    figure,
                    (round_figures(figure, a), round_figures(figure, b)),
                    paired=paired,
                    shown=(_shown(figure, a), _shown(figure, b)),
                    level=level,
                    effect=criterion.effect,
                )
            )
    return tuple(change for change in changes if change is not None)


def _has(figure: ComparedFigure, a: Measurement, b: Measurement) -> bool:
    if figure is ComparedFigure.ACCURACY:
        return a.accuracy is not None and b.accuracy is not None
    if figure is ComparedFigure.PEAK_MEMORY:
        both = bool(a.memory.peak_bytes_by_round and b.memory.peak_bytes_by_round)
        return both and a.memory.peak_kind == b.memory.peak_kind
    return True


def round_figures(figure: ComparedFigure, measured: Measurement) -> Sequence[float]:
    """The figure of each round, in order; empty where there is none."""
    if figure is ComparedFigure.PEAK_MEMORY:
        return measured.memory.peak_bytes_by_round
    latency = measured.latency
    return latency.round_p50_ns if figure is ComparedFigure.P50_LATENCY else latency.round_p90_ns


def _shown(figure: ComparedFigure, measured: Measurement) -> float | None:
    if figure is ComparedFigure.PEAK_MEMORY:
        return measured.memory.peak_bytes
    steady = measured.latency.steady
    estimate = steady.p50 if figure is ComparedFigure.P50_LATENCY else steady.p90
    return estimate.value if estimate else None


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def _incomparable(
    a: RunReport, b: RunReport, pairs: Sequence[tuple[Measurement, Measurement]]
) -> tuple[Incomparable, ...]:
    def reference(report: RunReport) -> str:
        return f"source {report.plan.source.sha256[:12]} by {report.reference_engine}"

    def truths(report: RunReport) -> list[int | None]:
        return [one.truth for one in report.workload.inputs]

    same_run = a.plan.run_id == b.plan.run_id
    sides = {
        Mismatch.TARGET_CLASS: (str(a.target_class), str(b.target_class)),
        Mismatch.DEVICE: _both(pairs, lambda one: f"{one.device.model} ({one.device.cpu})"),
        # Two variants of one run may be compared for that very reason.
        Mismatch.THREADS: ("", "") if same_run else _both(pairs, lambda one: str(one.threads)),
        Mismatch.WORKLOAD: (a.workload.digest[:12], b.workload.digest[:12]),
        Mismatch.REFERENCE: (reference(a), reference(b)),
    }
    if a.workload.digest == b.workload.digest and truths(a) != truths(b):
        labelled = [sum(truth is not None for truth in truths(report)) for report in (a, b)]
        sides[Mismatch.TRUTH] = (f"{labelled[0]} labelled", f"{labelled[1]} labelled, or labelled otherwise")
    found = [
        Incomparable(mismatch=mismatch, a=of_a, b=of_b, figures=_REFUSED_BY[mismatch])
        for mismatch, (of_a, of_b) in sides.items()
        if of_a != of_b
    ]
    slowed = tuple(_slowed([pair[side] for pair in pairs]) for side in (0, 1))
    # Both slowed is no better than one: nobody knows by how much.
    if any(is_slowed for is_slowed, _ in slowed):
        found.append(
            Incomparable(
                mismatch=Mismatch.THROTTLED,
                a=slowed[0][1],
                b=slowed[1][1],
                figures=_REFUSED_BY[Mismatch.THROTTLED],
            )
        )
    return tuple(found)


def _slowed(measured: Sequence[Measurement]) -> tuple[bool, str]:
    """Whether the device held the processor back, and in which words."""
    states = [state for one in measured if (state := one.disturbance.worst_thermal_state) is not None]
    worst = max(states, key=THERMAL_STATES.index) if states else None
    words = [f"thermal state {worst}"] if worst else []
    is_saving = any(one.disturbance.low_power_mode for one in measured)
    if is_saving:
        words.append("low-power mode")
    return worst in _THROTTLED or is_saving, ", ".join(words) or "not told"


def _both(
    pairs: Sequence[tuple[Measurement, Measurement]], text: Callable[[Measurement], str]
) -> tuple[str, str]:
    return _listed([text(one) for one, _ in pairs]), _listed([text(other) for _, other in pairs])


def _circumstances(
    a: RunReport, b: RunReport, pairs: Sequence[tuple[Measurement, Measurement]]
) -> tuple[Circumstance, ...]:
    sides = {
        "release": (a.plan.release, b.plan.release),
        "source model": (a.plan.source.sha256[:12], b.plan.source.sha256[:12]),
        "runtime": _both(pairs, lambda one: f"{one.runtime.name} {one.runtime.version}"),
        "system": _both(pairs, lambda one: f"{one.device.os} {one.device.os_version}"),
        "threads": _both(pairs, lambda one: str(one.threads)),
        "loading": (str(a.plan.settings.loading), str(b.plan.settings.loading)),
        "harness": (a.plan.harness_version, b.plan.harness_version),
    }
    return tuple(
        Circumstance(what=what, a=of_a, b=of_b)
        for what, (of_a, of_b) in sides.items()
        if of_a != of_b and of_a and of_b
    )


def worse(comparison: Comparison) -> list[tuple[str, Change]]:
    """The figures that are worse in ``b``, by variant; without those that a confirming run did not see again.

    A size counts from the effect on.
    """
    return [
        (one.variant, change)
        for one in comparison.variants
        for change in one.changes
        if _is_worse(change, comparison.criterion.effect) and change.confirmed is not False
    ]


def _is_worse(change: Change, effect: float) -> bool:
    if change.figure in PROPORTIONS:
        return change.conclusion is Conclusion.LOWER
    if change.figure in COSTS:
        return change.conclusion in (Conclusion.SLOWER, Conclusion.HIGHER)
    return change.ratio is not None and change.ratio > 1 + effect
