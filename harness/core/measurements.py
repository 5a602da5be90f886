"""What was measured of a variant, derived from event logs and outputs. All figures keep their units.

A figure that was not measured is ``None``; nothing here is ever zero for want of data.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.core.events import Delegation, Device, Memory, Profile, Runtime, Stage
from harness.core.jobs import Count, PositiveCount
from harness.core.value import Value
from harness.core.variants import FailedBuild, Variant

Confidence = Annotated[float, Field(gt=0, lt=1)]


class Interval(Value):
    """A two-sided confidence interval."""

    low: float
    high: float


class Estimate(Value):
    """A figure with its interval at the stated confidence."""

    value: float
    interval: Interval


class Percentiles(Value):
    """Of a latency distribution, in nanoseconds; absent where the samples do not support one."""

    samples: PositiveCount
    p50: Estimate | None
    p90: Estimate | None
    p99: Estimate | None


class Latency(Value):
    """Four figures, never mixed. Lists have one entry for each process (repetition), in order."""

    steady: Percentiles
    load_ns: tuple[int, ...]
    compile_ns: tuple[int, ...]
    first_run_ns: tuple[int, ...]
    warmup_runs: Count
    round_p50_ns: tuple[float, ...]
    """The steady p50 of each round, to see drift and to pair variants by round."""
    round_p90_ns: tuple[float, ...] = ()
    """The same of p90; empty where a round has fewer than ten samples, or an older harness wrote it."""


class KeystrokeLatency(Value):
    """What a keyboard's user waits for after each character: from the text so far to five suggestions, in nanoseconds.

    Encoding, copying, invocation and choosing together, in a pass of its own after the steady phase.
    """

    texts: PositiveCount
    """That were typed, over all rounds."""
    pause_ns: Count
    """Before each keystroke."""
    latency: Percentiles
    round_p50_ns: tuple[float, ...]
    round_p90_ns: tuple[float, ...]


class MemoryFigures(Value):
    """Memory after each stage (the median over repetitions, per kind) and the peak.

    ``peak_bytes`` is the largest peak over repetitions, ``peak_kind`` says of what: the physical
    footprint on Darwin (what the system kills on), peak resident memory on Linux.
    """

    by_stage: dict[Stage, Memory]
    peak_bytes: int | None
    peak_kind: Literal["peak_footprint_bytes", "peak_resident_bytes"] | None
    peak_bytes_by_round: tuple[int, ...]


class Proportion(Value):
    """``successes`` of ``trials`` with the exact (Clopper-Pearson) interval."""

    successes: Count
    trials: PositiveCount
    interval: Interval

    @property
    def value(self) -> float:
        return self.successes / self.trials


class Disagreement(Value):
    """An input where the variant's first label is not the reference's.

    ``margin`` is the reference's score of its own label less its score of the variant's label: how
    sure the reference was of the difference (small: a near tie). The variant's class, its score and
    the margin are absent where the variant's output is not finite.
    """

    input_index: Count
    input_name: str
    reference_class: Count
    variant_class: Count | None
    reference_score: float
    variant_score: float | None
    margin: float | None
    truth: Count | None


class Agreement(Value):
    """The variant's outputs against the reference's, input by input."""

    top1: Proportion
    top5: Proportion | None
    """The reference's first label is among the variant's first five; absent below six classes."""
    mean_kl_divergence_nats: float | None
    """KL(reference || variant) of the class distributions; absent where they are not distributions."""
    largest_absolute_difference: float | None
    """Over all outputs as the models give them; absent where no output of the variant is finite."""
    invalid_outputs: Count
    """Inputs for which the variant's output has a NaN or an infinity; each is a disagreement."""
    constant_output: bool
    """Every input gives the very same output (of two inputs or more): agreement then means nothing."""
    disagreements: tuple[Disagreement, ...]
    """Those without a margin first, then by margin, the largest first."""


class PairedAccuracy(Value):
    """Top-1 accuracy where truth is known, pair by pair against the reference."""

    variant: Proportion
    reference: Proportion
    only_reference_right: Count
    only_variant_right: Count
    drop: Estimate
    """Reference accuracy less variant accuracy, with an interval for paired proportions."""
    mcnemar_p: Annotated[float, Field(ge=0, le=1)]


THERMAL_STATES = ("nominal", "fair", "serious", "critical")
"""From cool to hot, as iOS tells them."""


class Disturbance(Value):
    """The worst that any block of steady samples was taken in; absent where the device does not tell."""

    worst_thermal_state: Literal["nominal", "fair", "serious", "critical"] | None = None
    low_power_mode: bool | None = None


class Measurement(Value):
    """All that is known of one variant in one run on one target."""

    outcome: Literal["measured"] = "measured"
    variant: Variant
    device: Device
    runtime: Runtime
    threads: PositiveCount
    confidence: Confidence
    """Of every interval in the measurement."""
    latency: Latency
    memory: MemoryFigures
    agreement: Agreement
    accuracy: PairedAccuracy | None
    repeat_mismatches: Count
    keystrokes: KeystrokeLatency | None = None
    inputs_run: tuple[Count, ...] | None = None
    """The inputs that agreement and accuracy are of, where sampling stopped before it had run them all."""
    disturbance: Disturbance = Disturbance()
    profiles: tuple[Profile, ...] = ()
    """The extra passes that timed each operation, one for each process that took one."""
    delegations: tuple[Delegation, ...] = ()
    """What came of asking for an accelerator, one for each process; empty where none was asked for."""


class NotMeasured(Value):
    """A variant without a complete measurement, and why: it can never pass a gate.

    ``failed``: it crashed, was killed or was refused; ``incomplete``: the run was cut off and can be
    resumed; ``not-built``: there is no file to run.
    """

    outcome: Literal["failed", "incomplete", "not-built"]
    name: str
    stage: Stage | None = None
    code: str
    problem: str
    next_step: str
    variant: Variant | None = None


def not_built(build: FailedBuild) -> NotMeasured:
    """The result of a variant that could not be built."""
    return NotMeasured(
        outcome="not-built",
        name=build.name,
        code="build_failed",
        problem=build.problem,
        next_step=build.next_step,
    )


Result = Annotated[Measurement | NotMeasured, Field(discriminator="outcome")]


def result_name(result: Measurement | NotMeasured) -> str:
    """The variant's."""
    return result.variant.name if isinstance(result, Measurement) else result.name
