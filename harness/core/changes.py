"""One figure in two measurements: how far it moved, and whether the evidence lets that be called a difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import numpy as np
from pydantic import Field

from harness.core.jobs import PositiveCount
from harness.core.measurements import Confidence, Interval
from harness.core.rank_tests import least_rounds, rank_sum_shift, signed_rank_shift
from harness.core.value import Value

MOST_ROUNDS_ADVISED = 10_000


class ComparedFigure(StrEnum):
    """What is compared of a variant that both sides measured."""

    FILE_SIZE = "file_size"
    COMPRESSED_SIZE = "compressed_size"
    P50_LATENCY = "p50_latency"
    P90_LATENCY = "p90_latency"
    PEAK_MEMORY = "peak_memory"
    TOP1_AGREEMENT = "top1_agreement"
    ACCURACY = "accuracy"


PROPORTIONS = (ComparedFigure.TOP1_AGREEMENT, ComparedFigure.ACCURACY)
LATENCIES = (ComparedFigure.P50_LATENCY, ComparedFigure.P90_LATENCY)
COSTS = (*LATENCIES, ComparedFigure.PEAK_MEMORY)


class Conclusion(StrEnum):
    """What may be said of a change from ``a`` to ``b``."""

    FASTER = "faster"
    SLOWER = "slower"
    LOWER = "lower"
    HIGHER = "higher"
    SAME = "the same"
    EQUIVALENT = "no real difference"
    NO_DIFFERENCE_SHOWN = "no difference shown"
    NOT_ENOUGH_DATA = "not enough data"

    @property
    def is_difference(self) -> bool:
        return self in (Conclusion.FASTER, Conclusion.SLOWER, Conclusion.LOWER, Conclusion.HIGHER)


class Method(StrEnum):
    """How the interval of a change came about."""

    SIGNED_RANK = "signed ranks of paired rounds"
    RANK_SUM = "ranks of rounds"
    MCNEMAR = "McNemar's exact test"


class Criterion(Value):
    """When a change is called a difference: beyond chance, and larger than an effect that matters.

    ``confidence`` is that of all figures of a variant together: each interval has its part of the rest
    (Bonferroni), so a comparison in which nothing changed raises an alarm with a chance of at most ``1 - confidence``.
    """

    confidence: Confidence = 0.95
    effect: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Of latency and memory, as a share of ``a``'s."""
    effect_points: Annotated[float, Field(ge=0, lt=1)] = 0.005
    """Of agreement and accuracy: 0.01 is one percentage point."""

    def level(self, figures: int) -> float:
        """The chance of a false alarm that each of so many figures may have."""
        return (1 - self.confidence) / max(1, figures)


class Change(Value):
    """One figure on both sides, in nanoseconds, bytes or as a proportion from 0 to 1.

    ``ratio`` is b / a, ``difference`` b less a: sizes, times and memory have the one, proportions the
    other. ``interval`` is of that one; exact sizes and too few rounds have none. A ratio of latencies or peaks is of
    the median rounds, so it need not be that of ``a`` and ``b``, which are of all samples.
    """

    figure: ComparedFigure
    a: float | None
    b: float | None
    ratio: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    p_value: Annotated[float, Field(ge=0, le=1)] | None = None
    method: Method | None = None
    conclusion: Conclusion
    rounds_needed: PositiveCount | None = None
    """About how many rounds on each side would settle what these did not; absent where more would not help."""
    confirmed: bool | None = None
    """Whether a second run, with both side by side, came to the same conclusion; absent: there was none."""


def size_change(figure: ComparedFigure, a: int, b: int) -> Change:
    """Of exact sizes in bytes: any difference is one."""
    conclusion = Conclusion.SAME if a == b else Conclusion.LOWER if b < a else Conclusion.HIGHER
    return Change(figure=figure, a=a, b=b, ratio=b / a if a else None, conclusion=conclusion)


def cost_change(
    figure: ComparedFigure,
    rounds: tuple[Sequence[float], Sequence[float]],
    *,
    paired: bool,
    shown: tuple[float | None, float | None],
    level: float,
    effect: float,
) -> Change:
    """Of a latency or a peak, by the rounds of ``a`` and of ``b``; ``shown`` are the figures of all samples.

    Rounds that ran side by side are paired, as far as both have them. Where they are too few for signed ranks they are
    taken apart, which is right as long as pairs are alike rather than opposed.
    """
    logs = [np.log(np.asarray(one, dtype=np.float64)) for one in rounds]
    estimate, method = None, Method.RANK_SUM
    if paired:
        both = min(len(one) for one in logs)
        estimate, method = signed_rank_shift(logs[1][:both] - logs[0][:both], level), Method.SIGNED_RANK
    if estimate is None:
        estimate, method = rank_sum_shift(logs[0], logs[1], level), Method.RANK_SUM
    if estimate is None:
        return Change(
            figure=figure,
            a=shown[0],
            b=shown[1],
            conclusion=Conclusion.NOT_ENOUGH_DATA,
            rounds_needed=least_rounds(level),
        )
    ratio = math.exp(estimate.value)
    low, high = math.exp(estimate.interval.low), math.exp(estimate.interval.high)
    conclusion = _of_cost(figure, ratio, low, high, effect)
    needed = None
    if conclusion is Conclusion.NO_DIFFERENCE_SHOWN and effect > 0:
        # An interval is about as wide as one over the root of the rounds.
        width = (estimate.interval.high - estimate.interval.low) / 2 / math.log1p(effect)
        more = math.ceil(min(len(one) for one in rounds) * max(width, 1.0) ** 2)
        needed = more if min(len(one) for one in rounds) < more <= MOST_ROUNDS_ADVISED else None
    return Change(
        figure=figure,
        a=shown[0],
        b=shown[1],
        ratio=ratio,
        interval=Interval(low=low, high=high),
        method=method,
        conclusion=conclusion,
        rounds_needed=needed,
    )


def _of_cost(figure: ComparedFigure, ratio: float, low: float, high: float, effect: float) -> Conclusion:
    if abs(ratio - 1) > effect and not low <= 1 <= high:
        if figure in LATENCIES:
            return Conclusion.FASTER if ratio < 1 else Conclusion.SLOWER
        return Conclusion.LOWER if ratio < 1 else Conclusion.HIGHER
    if low == high == 1:
        return Conclusion.SAME
    if 1 - effect <= low and high <= 1 + effect:
        return Conclusion.EQUIVALENT
    return Conclusion.NO_DIFFERENCE_SHOWN
