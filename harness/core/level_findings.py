"""Findings about levels: latency that steps up or down, heat that changes, a first run unlike the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from harness.core.disturbances import OUTLIER_DEVIATIONS
from harness.core.events import Conditions
from harness.core.finding import Finding, FindingKind, milliseconds, note, warning
from harness.core.level_shifts import LevelShift, level_shifts
from harness.core.measurements import Measurement
from harness.core.stats import Samples

STEP_FRACTION = 0.10
"""Of the level before: a smaller step is within what processes differ by."""
_MOST_BINS = 60
"""Of the run: the search takes the square of it."""
_BINS_OF_A_ROUND = 10
_LEAST_BIN_SAMPLES = 5
_LEAST_LEVEL_BINS = 4
_BETTER_FIT = 0.8
"""Steps must leave at most this share of what a straight line leaves: else it is a drift, not a step."""
_LEAST_FIRST_RUNS = 5
_MOST_NAMED = 3


def level_shift(
    measured: Measurement,
    by_round: Sequence[Samples],
    conditions_by_round: Sequence[Sequence[Conditions | None]] = (),
) -> list[Finding]:
    """Latency moves to another level and stays there for a while, as where the processor changes its frequency.

    Change points of the medians of time bins (``level_shifts``: segmentation by ranks and permutations). Steps must
    describe the run better than a straight line does; a steady rise is ``drift``'s.
    """
    medians, rounds = _bins(by_round)
    shifts = level_shifts(medians.tolist(), effect=STEP_FRACTION, least=_LEAST_LEVEL_BINS)
    if not shifts or not _steps_fit_better(medians, shifts):
        return []
    said = [
        f"from {milliseconds(one.before)} to {milliseconds(one.after)} in round {rounds[one.index] + 1}"
        for one in shifts[:_MOST_NAMED]
    ]
    more = f" and {len(shifts) - _MOST_NAMED} times more" if len(shifts) > _MOST_NAMED else ""
    frequencies = sorted(
        {
            block.cpu_frequency_hz
            for blocks in conditions_by_round
            for block in blocks
            if block is not None and block.cpu_frequency_hz
        }
    )
    seen = (
        f"; the processor ran at {frequencies[0] / 1e9:.3g} to {frequencies[-1] / 1e9:.3g} GHz"
        if len(frequencies) > 1
        else ""
    )
    return warning(
        FindingKind.LEVEL_SHIFT,
        measured.variant.name,
        f"latency steps {', '.join(said)}{more}{seen}",
        "The processor changes its frequency or its cores, or other work begins: cool the device, plug it in, end "
        "other work, and measure again. All samples are kept; trust differences within rounds, not across.",
    )


def _bins(by_round: Sequence[Samples]) -> tuple[NDArray[np.float64], list[int]]:
    """Medians of time bins, at most ``_MOST_BINS`` of the run, and the round of each."""
    medians: list[float] = []
    rounds: list[int] = []
    for index, samples in enumerate(by_round):
        most = max(1, min(_BINS_OF_A_ROUND, _MOST_BINS // max(1, len(by_round))))
        count = min(most, len(samples) // _LEAST_BIN_SAMPLES)
        if count:
            medians += [float(np.median(part)) for part in np.array_split(samples, count)]
            rounds += [index] * count
    stride = -(-len(medians) // _MOST_BINS) if medians else 1
    starts = range(0, len(medians), stride)
    return np.array([float(np.median(medians[start : start + stride])) for start in starts]), rounds[::stride]


def _steps_fit_better(medians: NDArray[np.float64], shifts: Sequence[LevelShift]) -> bool:
    bounds = [0, *(one.index for one in shifts), len(medians)]
    left = sum(
        float(np.abs(medians[low:high] - np.median(medians[low:high])).sum())
        for low, high in pairwise(bounds)
    )
    time = np.arange(len(medians))
    first, second = np.triu_indices(len(medians), 1)
    slope = float(np.median((medians[second] - medians[first]) / (second - first)))
    off_line = medians - slope * time
    return left <= _BETTER_FIT * float(np.abs(off_line - np.median(off_line)).sum())


def thermal_change(
    measured: Measurement, conditions_by_round: Sequence[Sequence[Conditions | None]]
) -> list[Finding]:
    """The device told another thermal state from one sample block to a later one."""
    told = [
        (index, block.thermal_state)
        for index, blocks in enumerate(conditions_by_round)
        for block in blocks
        if block is not None and block.thermal_state
    ]
    changes = [(index, before, after) for (_, before), (index, after) in pairwise(told) if before != after]
    if not changes:
        return []
    index, before, after = changes[0]
    by_round = measured.latency.round_p50_ns
    then = ""
    if 0 < index < len(by_round):
        levels = float(np.median(by_round[:index])), float(np.median(by_round[index:]))
        then = f"; p50 was {milliseconds(levels[0])} in the rounds before and {milliseconds(levels[1])} from there on"
    more = f", {len(changes) - 1} more changes after it" if len(changes) > 1 else ""
    return warning(
        FindingKind.THERMAL_CHANGE,
        measured.variant.name,
        f"the thermal state went from {before} to {after} in round {index + 1}{more}{then}",
        "Let the device rest to one state before the run and between rounds, or measure fewer samples in each round.",
    )


def first_run_outliers(measured: Measurement) -> list[Finding]:
    """The first run of one process took far longer than that of the others. It is counted and kept."""
    first = np.array(measured.latency.first_run_ns, dtype=np.float64)
    if len(first) < _LEAST_FIRST_RUNS:
        return []
    middle = float(np.median(first))
    distance = first - middle
    deviation = float(np.median(np.abs(distance)))
    far = (
        np.flatnonzero(distance > OUTLIER_DEVIATIONS * deviation) if deviation > 0 else np.zeros(0, np.int64)
    )
    if not len(far):
        return []
    worst = int(far[np.argmax(first[far])])
    others = f" and {len(far) - 1} more" if len(far) > 1 else ""
    return note(
        FindingKind.FIRST_RUN_OUTLIER,
        measured.variant.name,
        f"the first run of process {worst + 1} of {len(first)}{others} took {milliseconds(first[worst])}, the median "
        f"first run {milliseconds(middle)}; it is kept",
        "The very first process reads files that nothing has read yet: that is what a user's first launch does too."
        if worst == 0
        else "Look for other work on the device at that time; the median first run is hardly affected.",
    )
