"""Findings about latency samples and the conditions they were taken in. One function per kind."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from harness.core.events import Conditions
from harness.core.finding import Finding, FindingKind, milliseconds, note, percent, warning
from harness.core.measurements import Measurement
from harness.core.stats import Samples, least_samples

NOISY_WIDTH = 0.10
"""Of the p50 interval, or between the rounds' p50s, relative to p50."""
BUSY_CPU_FRACTION = 0.10
"""Of all cores' time, used by other processes."""
SLOW_FIRST_RUN_FACTOR = 5
DRIFT_FRACTION = 0.05
"""Of p50, from the start to the end of a run or a round."""
OUTLIER_DEVIATIONS = 14.8
"""Of |x - median| / MAD: ten standard deviations of a normal distribution (Iglewicz & Hoaglin 1993)."""
MANY_OUTLIERS = 0.01
"""A share of samples above which outliers are more than a curiosity."""
_DRIFT_BINS = 10
_LEAST_BIN_SAMPLES = 5
_LEAST_TREND_BINS = 8


def too_few_samples(measured: Measurement) -> list[Finding]:
    """A percentile is absent; a note where it is only p99."""
    steady = measured.latency.steady
    absent = [
        (name, least_samples(fraction, measured.confidence))
        for name, fraction, estimate in (
            ("p50", 0.5, steady.p50),
            ("p90", 0.9, steady.p90),
            ("p99", 0.99, steady.p99),
        )
        if estimate is None
    ]
    if not absent:
        return []
    needs = ", ".join(f"{name} needs {max(1, least - steady.samples)} more" for name, least in absent)
    say = note if [name for name, _ in absent] == ["p99"] else warning
    return say(
        FindingKind.TOO_FEW_SAMPLES,
        measured.variant.name,
        f"{steady.samples} steady samples: {needs}",
        f"Set the least number of steady runs, over all rounds, to {absent[-1][1]} or more.",
    )


def noisy(measured: Measurement) -> list[Finding]:
    """The interval of p50, or the spread of p50 between rounds, is wide."""
    p50 = measured.latency.steady.p50
    if p50 is None:
        return []
    seen = []
    width = (p50.interval.high - p50.interval.low) / p50.value
    if width > NOISY_WIDTH:
        seen.append(f"the interval of p50 is {percent(width)} of it wide")
    by_round = measured.latency.round_p50_ns
    spread = (max(by_round) - min(by_round)) / p50.value
    if spread > NOISY_WIDTH:
        seen.append(f"p50 differs by {percent(spread)} between rounds")
    if not seen:
        return []
    return warning(
        FindingKind.NOISY,
        measured.variant.name,
        " and ".join(seen),
        "Close other programs, let the device cool, and measure more rounds.",
    )


def busy_machine(measured: Measurement, conditions: Sequence[Conditions | None]) -> list[Finding]:
    """Other processes worked during sample blocks; the load average where their share is not known."""
    known = [block for block in conditions if block is not None]
    told = [
        block for block in known if block.other_cpu_fraction is not None or block.load_average_1m is not None
    ]
    cores = measured.device.logical_cores
    busy = [
        block
        for block in told
        if (
            block.other_cpu_fraction > BUSY_CPU_FRACTION
            if block.other_cpu_fraction is not None
            else (block.load_average_1m or 0) > cores
        )
    ]
    if not busy:
        return []
    shares = [block.other_cpu_fraction for block in busy if block.other_cpu_fraction is not None]
    worst = (
        f"other processes used up to {percent(max(shares))} of all cores"
        if shares
        else f"the load average reached {max(b.load_average_1m or 0 for b in busy):.3g} on {cores} cores"
    )
    return warning(
        FindingKind.BUSY_MACHINE,
        measured.variant.name,
        f"in {len(busy)} of {len(told)} sample blocks {worst}",
        "Stop other work on the machine and measure again.",
    )


def slow_first_run(measured: Measurement) -> list[Finding]:
    """The first run is far slower than the steady state."""
    p50, first = measured.latency.steady.p50, measured.latency.first_run_ns
    if p50 is None or not first:
        return []
    median = statistics.median(first)
    if median <= SLOW_FIRST_RUN_FACTOR * p50.value:
        return []
    return note(
        FindingKind.SLOW_FIRST_RUN,
        measured.variant.name,
        f"the first run takes {milliseconds(median)}, {median / p50.value:.3g} times p50",
        "Run the model once before the user waits for it.",
    )


def drift(measured: Measurement, by_round: Sequence[Samples], *, over_run: bool = True) -> list[Finding]:
    """Latency rises or falls over the run, or over each round; a thermal state need not show it.

    Without ``over_run`` only over each round, where it is known to step from level to level over the run.

    Medians of time bins must have a trend at the 1 % level (Mann 1945, Kendall) whose robust slope
    (Theil 1950, Sen 1968) changes latency by more than ``DRIFT_FRACTION`` from first bin to last.
    """
    binned = [_bin_medians(samples) for samples in by_round]
    of_run = _trend([median for medians in binned for median in medians]) if over_run else 0.0
    like = [medians for medians in binned if len(medians) == _DRIFT_BINS]
    over_round = 0.0
    if like:
        relative = np.array(like) / np.median(np.array(like), axis=1, keepdims=True)
        over_round = _trend(np.median(relative, axis=0).tolist())
    change, where = max((of_run, "the run"), (over_round, "each round"), key=lambda one: abs(one[0]))
    if abs(change) <= DRIFT_FRACTION:
        return []
    return warning(
        FindingKind.DRIFT,
        measured.variant.name,
        f"latency {'rises' if change > 0 else 'falls'} by {percent(abs(change))} over {where}",
        "Let the device cool between rounds." if change > 0 else "Lengthen the warm-up.",
    )


def _bin_medians(samples: Samples) -> list[float]:
    bins = min(_DRIFT_BINS, len(samples) // _LEAST_BIN_SAMPLES)
    return [float(np.median(part)) for part in np.array_split(samples, bins)] if bins else []


def _trend(series: Sequence[float]) -> float:
    """Relative change from first to last; 0 where there is no significant trend."""
    count = len(series)
    if count < _LEAST_TREND_BINS:
        return 0.0
    values = np.asarray(series)
    first, second = np.triu_indices(count, 1)
    differences = values[second] - values[first]
    score = float(np.sign(differences).sum())
    if abs(score) / math.sqrt(count * (count - 1) * (2 * count + 5) / 18) < 2.576:
        return 0.0
    slope = float(np.median(differences / (second - first)))
    return slope * (count - 1) / float(np.median(values))


def outliers(measured: Measurement, by_round: Sequence[Samples]) -> list[Finding]:
    """Samples far from the median. They are counted and kept."""
    if not by_round:
        return []
    samples = np.concatenate(by_round)
    distance = np.abs(samples - np.median(samples))
    deviation = float(np.median(distance))
    # A clock coarser than the spread makes the deviation 0; then nothing can be called far.
    count = int((distance > OUTLIER_DEVIATIONS * deviation).sum()) if deviation > 0 else 0
    if not count:
        return []
    slowest = milliseconds(float(samples.max()))
    say = warning if count > MANY_OUTLIERS * len(samples) else note
    return say(
        FindingKind.OUTLIERS,
        measured.variant.name,
        f"{count} of {len(samples)} samples are outliers, the slowest {slowest}; they are kept",
        "Look for other work on the machine at that time; p50 is hardly affected, p99 is.",
    )


def thermal(measured: Measurement, conditions: Sequence[Conditions | None]) -> list[Finding]:
    """The device was warmer than nominal during sample blocks."""
    states = [block.thermal_state for block in conditions if block is not None and block.thermal_state]
    hot = [state for state in states if state != "nominal"]
    if not hot:
        return []
    worst = max(hot, key=("fair", "serious", "critical").index)
    return warning(
        FindingKind.THERMAL,
        measured.variant.name,
        f"the thermal state was above nominal in {len(hot)} of {len(states)} sample blocks, at worst {worst}",
        "Let the device cool, take it out of its case and measure again.",
    )


def low_power_mode(measured: Measurement, conditions: Sequence[Conditions | None]) -> list[Finding]:
    """Low-power mode slows the processor."""
    known = [block for block in conditions if block is not None and block.low_power_mode is not None]
    slow = sum(1 for block in known if block.low_power_mode)
    if not slow:
        return []
    return warning(
        FindingKind.LOW_POWER_MODE,
        measured.variant.name,
        f"low-power mode was on in {slow} of {len(known)} sample blocks",
        "Turn low-power mode off, charge the device and measure again.",
    )
