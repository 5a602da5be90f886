"""All findings about a run; here those about outputs, inputs and runtimes. One function per kind."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.core.disturbances import (
    busy_machine,
    drift,
    low_power_mode,
    noisy,
    outliers,
    slow_first_run,
    thermal,
    too_few_samples,
)
from harness.core.finding import Finding, FindingKind, milliseconds, note, percent, warning
from harness.core.joblog import JobLog, round_latencies, rounds, steady_conditions
from harness.core.level_findings import first_run_outliers, level_shift, thermal_change
from harness.core.measurements import Measurement, Result
from harness.core.stats import paired_drop
from harness.core.text_findings import text_findings
from harness.core.variants import Recipe
from harness.core.workload import Workload

__all__ = ["Finding", "FindingKind", "find"]

WIDE_DROP = 0.02
"""Accuracy drop that even equal answers on all labelled inputs leave possible."""


def find(
    results: Sequence[Result],
    logs: Sequence[JobLog],
    workload: Workload,
    reference_engine: str,
) -> list[Finding]:
    """All findings: those of the run first, then by variant in the order of ``results``.

    ``logs`` are of all variants; one without logs gets only what its measurement tells.
    ``reference_engine`` is ``Reference.engine``.
    """
    measured = [result for result in results if isinstance(result, Measurement)]
    found = views_not_independent(workload) + no_truth(workload) + few_labelled(workload)
    found += one_class(workload) + text_findings(workload)
    found += runtime_mismatch(measured, reference_engine)
    for one in measured:
        own = [log for log in logs if log.variant == one.variant.name]
        by_round = round_latencies(own)
        conditions = [block for log in own for block in steady_conditions(log)]
        for of_measurement in (
            too_few_samples,
            noisy,
            slow_first_run,
            nondeterministic,
            invalid_outputs,
            constant_output,
        ):
            found += of_measurement(one)
        by_round_conditions = [
            [block for log in group for block in steady_conditions(log)] for group in rounds(own)
        ]
        steps = level_shift(one, by_round, by_round_conditions)
        found += steps + drift(one, by_round, over_run=not steps) + outliers(one, by_round)
        found += first_run_outliers(one) + thermal_change(one, by_round_conditions)
        for of_conditions in (busy_machine, thermal, low_power_mode):
            found += of_conditions(one, conditions)
    return found + no_gain(measured)


def nondeterministic(measured: Measurement) -> list[Finding]:
    """The same input gave other output bytes."""
    if measured.repeat_mismatches == 0:
        return []
    return warning(
        FindingKind.NONDETERMINISTIC,
        measured.variant.name,
        f"{measured.repeat_mismatches} steady runs gave other output bytes than the first of their input",
        "Run with one thread; if it stays, the runtime or a delegate is not deterministic.",
    )


def invalid_outputs(measured: Measurement) -> list[Finding]:
    """Outputs with a NaN or an infinity."""
    count = measured.agreement.invalid_outputs
    if count == 0:
        return []
    return warning(
        FindingKind.INVALID_OUTPUTS,
        measured.variant.name,
        f"the output of {count} of {measured.agreement.top1.trials} inputs has a NaN or an infinity",
        "They count as disagreements. Look for overflow in float16 or a broken calibration.",
    )


def constant_output(measured: Measurement) -> list[Finding]:
    """Every input gives the same output."""
    if not measured.agreement.constant_output:
        return []
    return warning(
        FindingKind.CONSTANT_OUTPUT,
        measured.variant.name,
        f"all {measured.agreement.top1.trials} inputs give the very same output: agreement means nothing",
        "Check the preprocessing and the calibration: the model does not see its inputs.",
    )


def views_not_independent(workload: Workload) -> list[Finding]:
    """Several inputs were made from one original."""
    inputs, originals = len(workload.inputs), len({one.group for one in workload.inputs})
    if originals == inputs:
        return []
    return warning(
        FindingKind.VIEWS_NOT_INDEPENDENT,
        None,
        f"{inputs} inputs were made from {originals} originals, yet intervals take them for independent",
        f"Trust the proportions no more than {originals} inputs allow; add originals, not views.",
    )


def _labelled(workload: Workload) -> int:
    return sum(1 for one in workload.inputs if one.truth is not None)


def no_truth(workload: Workload) -> list[Finding]:
    """No input has a label, so that accuracy is absent."""
    if _labelled(workload):
        return []
    return note(
        FindingKind.NO_TRUTH,
        None,
        f"none of the {len(workload.inputs)} inputs has a label, so accuracy is not measured",
        "Give labels to learn whether a disagreement is an error or a repair.",
    )


def few_labelled(workload: Workload) -> list[Finding]:
    """So few labels that even equal answers leave a large accuracy drop possible."""
    labelled = _labelled(workload)
    if labelled == 0:
        return []
    possible = paired_drop(0, 0, labelled).interval.high
    if possible <= WIDE_DROP:
        return []
    return warning(
        FindingKind.FEW_LABELLED,
        None,
        f"{labelled} of {len(workload.inputs)} inputs have labels: even without any difference on them an "
        f"accuracy drop of up to {percent(possible)} stays possible",
        "Label more inputs.",
    )


def one_class(workload: Workload) -> list[Finding]:
    """All labels are the same: whoever always answers so is always right."""
    truths = {one.truth for one in workload.inputs if one.truth is not None}
    if len(truths) != 1 or _labelled(workload) < 2:
        return []
    return warning(
        FindingKind.ONE_CLASS,
        None,
        f"all {_labelled(workload)} labelled inputs are of one class, {workload.label(truths.pop())}",
        "Add inputs of other classes: a model that gives this class for everything would have every one right.",
    )


def runtime_mismatch(measured: Sequence[Measurement], reference_engine: str) -> list[Finding]:
    """The runtime is another version than the reference's, or not the same for all variants."""
    found: list[Finding] = []
    kinds = sorted({f"{one.runtime.name} {one.runtime.version}" for one in measured})
    if len(kinds) > 1:
        found += warning(
            FindingKind.RUNTIME_MISMATCH,
            None,
            f"variants ran on different runtimes: {', '.join(kinds)}",
            "Run all variants with one runtime: a difference may be the runtime's.",
        )
    for one in measured:
        engine = re.search(rf"(?i)(?<!\S){re.escape(one.runtime.name)}\s+(\S+)", reference_engine)
        if engine is not None and engine.group(1) != one.runtime.version:
            found += warning(
                FindingKind.RUNTIME_MISMATCH,
                one.variant.name,
                f"ran on {one.runtime.name} {one.runtime.version}, the reference on {engine.group(1)}",
                "Compute the reference with the same version to tell the runtime's part in a difference.",
            )
    return found


def no_gain(measured: Sequence[Measurement]) -> list[Finding]:
    """A variant that is neither smaller than float32 nor measurably faster."""
    base = next((one for one in measured if one.variant.recipe is Recipe.FLOAT32), None)
    if base is None or base.latency.steady.p50 is None:
        return []
    found: list[Finding] = []
    for one in measured:
        p50 = one.latency.steady.p50
        smaller = (
            one.variant.file_bytes < base.variant.file_bytes
            or one.variant.compressed_bytes < base.variant.compressed_bytes
        )
        if one is base or smaller or p50 is None:
            continue
        if p50.interval.high >= base.latency.steady.p50.interval.low:
            found += note(
                FindingKind.NO_GAIN,
                one.variant.name,
                f"{one.variant.file_bytes} bytes and p50 {milliseconds(p50.value)}, {base.variant.name} has "
                f"{base.variant.file_bytes} bytes and {milliseconds(base.latency.steady.p50.value)}",
                f"Ship {base.variant.name} instead, or look at why the recipe changed nothing.",
            )
    return found
