"""One figure in two runs: how far it moved, and whether the evidence lets that be called a difference."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from harness.core.measurements import Disagreement, Interval, Measurement
from harness.core.stats import paired_drop, ratio_of_percentiles
from harness.core.value import Value
from harness.core.workload import Workload

RoundSamples = Sequence[NDArray[np.int64]]
"""Steady latencies of one variant in nanoseconds, one array for each round."""


class ComparedFigure(StrEnum):
    """What is compared of a variant that both runs measured."""

    FILE_SIZE = "file_size"
    COMPRESSED_SIZE = "compressed_size"
    P50_LATENCY = "p50_latency"
    P90_LATENCY = "p90_latency"
    PEAK_MEMORY = "peak_memory"
    TOP1_AGREEMENT = "top1_agreement"
    ACCURACY = "accuracy"


PROPORTIONS = (ComparedFigure.TOP1_AGREEMENT, ComparedFigure.ACCURACY)
COSTS = (ComparedFigure.P50_LATENCY, ComparedFigure.P90_LATENCY, ComparedFigure.PEAK_MEMORY)


class Conclusion(StrEnum):
    """What may be said of a change from ``a`` to ``b``."""

    FASTER = "faster"
    SLOWER = "slower"
    LOWER = "lower"
    HIGHER = "higher"
    SAME = "the same"
    NO_DIFFERENCE_SHOWN = "no difference shown"
    NOT_ENOUGH_DATA = "not enough data"


class Change(Value):
    """One figure in both runs, in nanoseconds, bytes or as a proportion from 0 to 1.

    ``ratio`` is b / a, ``difference`` b less a: sizes, times and memory have the one, proportions the
    other. ``interval`` is of that one; exact sizes and too few samples have none.
    """

    figure: ComparedFigure
    a: float | None
    b: float | None
    ratio: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    conclusion: Conclusion


def size_change(figure: ComparedFigure, a: int, b: int) -> Change:
    """Of exact sizes in bytes: any difference is one."""
    conclusion = Conclusion.SAME if a == b else Conclusion.LOWER if b < a else Conclusion.HIGHER
    return Change(figure=figure, a=a, b=b, ratio=b / a if a else None, conclusion=conclusion)


def latency_changes(
    a: Measurement,
    b: Measurement,
    rounds: tuple[RoundSamples, RoundSamples],
    effect: float,
    confidence: float,
    seed: int,
) -> list[Change]:
    """Of p50 and p90; ``rounds`` are ``a``'s and ``b``'s. No conclusion from too few samples."""
    wanted = [
        (ComparedFigure.P50_LATENCY, 0.5, a.latency.steady.p50, b.latency.steady.p50),
        (ComparedFigure.P90_LATENCY, 0.9, a.latency.steady.p90, b.latency.steady.p90),
    ]
    changes = []
    for figure, fraction, estimate_a, estimate_b in wanted:
        ratio = None
        if all(rounds):
            ratio = ratio_of_percentiles(rounds[1], rounds[0], fraction, confidence, seed, paired=False)
        conclusion = Conclusion.NOT_ENOUGH_DATA
        if ratio is not None:
            conclusion = Conclusion.NO_DIFFERENCE_SHOWN
            if abs(ratio.value - 1) > effect and not ratio.interval.low <= 1 <= ratio.interval.high:
                conclusion = Conclusion.FASTER if ratio.value < 1 else Conclusion.SLOWER
        changes.append(
            Change(
                figure=figure,
                a=estimate_a.value if estimate_a else None,
                b=estimate_b.value if estimate_b else None,
                ratio=ratio.value if ratio else None,
                interval=ratio.interval if ratio else None,
                conclusion=conclusion,
            )
        )
    return changes


def peak_change(a: Measurement, b: Measurement, effect: float, confidence: float) -> Change | None:
    """Of peak memory, by the rounds; ``None`` where one has none or they are peaks of different kinds."""
    peak_a, peak_b = a.memory.peak_bytes, b.memory.peak_bytes
    if not peak_a or not peak_b or a.memory.peak_kind != b.memory.peak_kind:
        return None
    rounds_a, rounds_b = a.memory.peak_bytes_by_round, b.memory.peak_bytes_by_round
    ratio = peak_b / peak_a
    chance = 2 / math.comb(len(rounds_a) + len(rounds_b), len(rounds_a))
    if not rounds_a or not rounds_b or chance > 1 - confidence:
        conclusion = Conclusion.NOT_ENOUGH_DATA
    elif abs(ratio - 1) > effect and max(rounds_b) < min(rounds_a):
        conclusion = Conclusion.LOWER
    elif abs(ratio - 1) > effect and min(rounds_b) > max(rounds_a):
        conclusion = Conclusion.HIGHER
    else:
        conclusion = Conclusion.NO_DIFFERENCE_SHOWN
    return Change(figure=ComparedFigure.PEAK_MEMORY, a=peak_a, b=peak_b, ratio=ratio, conclusion=conclusion)


def proportion_changes(
    a: Measurement, b: Measurement, workload: Workload, confidence: float, refused: Collection[ComparedFigure]
) -> list[Change]:
    """Of agreement and accuracy, input by input: valid only if both have the same inputs and reference."""
    wrong_a = {one.input_index: one for one in a.agreement.disagreements}
    wrong_b = {one.input_index: one for one in b.agreement.disagreements}
    changes = [
        _paired(
            ComparedFigure.TOP1_AGREEMENT,
            (a.agreement.top1.value, b.agreement.top1.value),
            only_a=len(wrong_b.keys() - wrong_a.keys()),
            only_b=len(wrong_a.keys() - wrong_b.keys()),
            trials=a.agreement.top1.trials,
            confidence=confidence,
        )
    ]
    if a.accuracy is not None and b.accuracy is not None and ComparedFigure.ACCURACY not in refused:
        only_a = only_b = 0
        # Where both agree with the reference they are right or wrong together.
        for index in wrong_a.keys() | wrong_b.keys():
            truth = workload.inputs[index].truth
            if truth is None:
                continue
            reference = (wrong_a.get(index) or wrong_b[index]).reference_class
            right_a = _class(wrong_a.get(index), reference) == truth
            right_b = _class(wrong_b.get(index), reference) == truth
            only_a += right_a and not right_b
            only_b += right_b and not right_a
        values = a.accuracy.variant.value, b.accuracy.variant.value
        trials = a.accuracy.variant.trials
        changes.append(
            _paired(
                ComparedFigure.ACCURACY,
                values,
                only_a=only_a,
                only_b=only_b,
                trials=trials,
                confidence=confidence,
            )
        )
    return changes


def _class(disagreement: Disagreement | None, reference: int) -> int | None:
    return reference if disagreement is None else disagreement.variant_class


def _paired(
    figure: ComparedFigure,
    values: tuple[float, float],
    *,
    only_a: int,
    only_b: int,
    trials: int,
    confidence: float,
) -> Change:
    drop = paired_drop(only_a, only_b, trials, confidence)
    interval = Interval(low=-drop.interval.high, high=-drop.interval.low)
    conclusion = Conclusion.NO_DIFFERENCE_SHOWN
    if only_a == only_b == 0:
        conclusion = Conclusion.SAME
    elif interval.low > 0:
        conclusion = Conclusion.HIGHER
    elif interval.high < 0:
        conclusion = Conclusion.LOWER
    return Change(
        figure=figure,
        a=values[0],
        b=values[1],
        difference=-drop.value,
        interval=interval,
        conclusion=conclusion,
    )
