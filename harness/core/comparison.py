"""Two runs, figure by figure: what changed from ``a`` to ``b``, and what may not be compared at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from harness.core.changes import (
    COSTS,
    PROPORTIONS,
    Change,
    ComparedFigure,
    RoundSamples,
    latency_changes,
    peak_change,
    proportion_changes,
    size_change,
)
from harness.core.measurements import Confidence, Measurement, NotMeasured, Result
from harness.core.report import RunReport
from harness.core.value import Value

RoundLatencies = Mapping[str, RoundSamples]
"""By the name of the variant."""


class Mismatch(StrEnum):
    """How two runs differ so that figures of them cannot be compared."""

    TARGET_CLASS = "target-class"
    DEVICE = "device"
    THREADS = "threads"
    WORKLOAD = "workload"
    REFERENCE = "reference"
    TRUTH = "truth"


_REFUSED_BY = {
    Mismatch.TARGET_CLASS: COSTS + PROPORTIONS,
    Mismatch.DEVICE: COSTS + PROPORTIONS,
    Mismatch.THREADS: COSTS,
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
    """A variant that both runs measured. ``same_file``: its bytes did not change."""

    variant: str
    same_file: bool
    changes: tuple[Change, ...]


class NotCompared(Value):
    """A variant of both runs that at least one did not measure: its outcome in each."""

    variant: str
    outcome_a: Literal["measured", "failed", "incomplete", "not-built"]
    outcome_b: Literal["measured", "failed", "incomplete", "not-built"]


class Comparison(Value):
    """From run ``a`` to run ``b``. Variants are in the order of ``a``."""

    comparison_version: Literal[1] = 1
    run_a: str
    run_b: str
    confidence: Confidence
    effect: Annotated[float, Field(ge=0)]
    """The least change of a latency or a peak, as a share of a's, that is called a difference."""
    incomparable: tuple[Incomparable, ...]
    circumstances: tuple[Circumstance, ...]
    variants: tuple[VariantComparison, ...]
    not_compared: tuple[NotCompared, ...]
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]


def compare(
    a: RunReport,
    b: RunReport,
    samples_a: RoundLatencies,
    samples_b: RoundLatencies,
    *,
    effect: float = 0.05,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """What changed from ``a`` to ``b``.

    A latency is called different where the interval of the ratio excludes 1 and the ratio is farther
    from 1 than ``effect``; a peak where, beyond ``effect``, every round of one run lies below every round
    of the other and chance does so with at most ``1 - confidence`` (the exact rank-sum test's extreme:
    2 / C(rounds_a + rounds_b, rounds_a)). Sizes are exact. Agreement and accuracy are compared input by
    input (Tango's interval for paired proportions excludes 0). Each figure is judged for itself: of
    twenty at 95 %, one may differ by chance.
    """
    incomparable = _incomparable(a, b)
    refused = {figure for one in incomparable for figure in one.figures}
    by_name_a, by_name_b = _by_name(a), _by_name(b)
    variants: list[VariantComparison] = []
    not_compared: list[NotCompared] = []
    for name, result_a in by_name_a.items():
        result_b = by_name_b.get(name)
        if result_b is None:
            continue
        if isinstance(result_a, NotMeasured) or isinstance(result_b, NotMeasured):
            not_compared.append(
                NotCompared(variant=name, outcome_a=result_a.outcome, outcome_b=result_b.outcome)
            )
            continue
        rounds = samples_a.get(name, ()), samples_b.get(name, ())
        changes = [
            size_change(ComparedFigure.FILE_SIZE, result_a.variant.file_bytes, result_b.variant.file_bytes),
            size_change(
                ComparedFigure.COMPRESSED_SIZE,
                result_a.variant.compressed_bytes,
                result_b.variant.compressed_bytes,
            ),
            *latency_changes(result_a, result_b, rounds, effect, confidence, seed),
            peak_change(result_a, result_b, effect, confidence),
        ]
        if not refused.issuperset(PROPORTIONS):
            changes += proportion_changes(result_a, result_b, a.workload, confidence, refused)
        variants.append(
            VariantComparison(
                variant=name,
                same_file=result_a.variant.model.sha256 == result_b.variant.model.sha256,
                changes=tuple(
                    change for change in changes if change is not None and change.figure not in refused
                ),
            )
        )
    return Comparison(
        run_a=a.plan.run_id,
        run_b=b.plan.run_id,
        confidence=confidence,
        effect=effect,
        incomparable=incomparable,
        circumstances=_circumstances(a, b),
        variants=tuple(variants),
        not_compared=tuple(not_compared),
        only_in_a=tuple(name for name in by_name_a if name not in by_name_b),
        only_in_b=tuple(name for name in by_name_b if name not in by_name_a),
    )


def _by_name(report: RunReport) -> dict[str, Result]:
    return {
        result.variant.name if isinstance(result, Measurement) else result.name: result
        for result in report.results
    }


def _measured(report: RunReport) -> list[Measurement]:
    return [result for result in report.results if isinstance(result, Measurement)]


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def _incomparable(a: RunReport, b: RunReport) -> tuple[Incomparable, ...]:
    def devices(report: RunReport) -> str:
        return _listed([f"{one.device.model} ({one.device.cpu})" for one in _measured(report)])

    def reference(report: RunReport) -> str:
        return f"source {report.plan.source.sha256[:12]} by {report.reference_engine}"

    def truths(report: RunReport) -> list[int | None]:
        return [one.truth for one in report.workload.inputs]

    sides = {
        Mismatch.TARGET_CLASS: (str(a.target_class), str(b.target_class)),
        Mismatch.DEVICE: (devices(a), devices(b)),
        Mismatch.THREADS: (str(a.plan.settings.threads), str(b.plan.settings.threads)),
        Mismatch.WORKLOAD: (a.workload.digest[:12], b.workload.digest[:12]),
        Mismatch.REFERENCE: (reference(a), reference(b)),
    }
    if a.workload.digest == b.workload.digest and truths(a) != truths(b):
        labelled = [sum(truth is not None for truth in truths(report)) for report in (a, b)]
        sides[Mismatch.TRUTH] = (f"{labelled[0]} labelled", f"{labelled[1]} labelled, or labelled otherwise")
    if not _measured(a) or not _measured(b):
        del sides[Mismatch.DEVICE]
    return tuple(
        Incomparable(mismatch=mismatch, a=of_a, b=of_b, figures=_REFUSED_BY[mismatch])
        for mismatch, (of_a, of_b) in sides.items()
        if of_a != of_b
    )


def _circumstances(a: RunReport, b: RunReport) -> tuple[Circumstance, ...]:
    def runtime(report: RunReport) -> str:
        return _listed([f"{one.runtime.name} {one.runtime.version}" for one in _measured(report)])

    def system(report: RunReport) -> str:
        return _listed([f"{one.device.os} {one.device.os_version}" for one in _measured(report)])

    sides = {
        "source model": (a.plan.source.sha256[:12], b.plan.source.sha256[:12]),
        "runtime": (runtime(a), runtime(b)),
        "system": (system(a), system(b)),
        "loading": (str(a.plan.settings.loading), str(b.plan.settings.loading)),
        "harness": (a.plan.harness_version, b.plan.harness_version),
    }
    return tuple(
        Circumstance(what=what, a=of_a, b=of_b)
        for what, (of_a, of_b) in sides.items()
        if of_a != of_b and of_a and of_b
    )
