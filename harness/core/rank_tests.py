"""How far two sets of round figures are apart, with exact intervals that assume no distribution.

Each interval holds the shifts that its rank test does not reject, so test and interval never contradict each other:
Hodges & Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34 (1963) 598-611;
Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, 3rd ed. 2014, sections 3.2, 3.3, 4.2 and 4.3. Ties make
them wider, never narrower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.core.measurements import Estimate, Interval

Figures = Sequence[float] | NDArray[np.float64]

_MOST_EXACT = 60
"""Figures on a side; beyond, the normal approximation with continuity correction is as good."""


def signed_rank_shift(differences: Figures, level: float) -> Estimate | None:
    """The centre of paired ``differences`` and its interval at confidence ``1 - level`` (Wilcoxon's signed ranks).

    They are taken for symmetric, as differences of two figures of the same distribution are. ``None`` where so few
    never reject at this level: below six at 5 %.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not len(values):
        return None
    first, second = np.triu_indices(len(values))
    means = np.sort((values[first] + values[second]) / 2)
    return _estimate(means, _rank(_signed_rank_cumulative(len(values)), len(means), level))


def rank_sum_shift(a: Figures, b: Figures, level: float) -> Estimate | None:
    """By how much ``b`` lies above ``a``, with its interval at confidence ``1 - level`` (Mann & Whitney's U).

    ``None`` where so few never reject at this level: below four and four at 5 %.
    """
    if not len(a) or not len(b):
        return None
    shifts = np.sort(np.subtract.outer(np.asarray(b, np.float64), np.asarray(a, np.float64)), axis=None)
    return _estimate(shifts, _rank(_rank_sum_cumulative(len(a), len(b)), len(shifts), level))


def least_rounds(level: float) -> int:
    """Rounds on each side with which ``rank_sum_shift`` can tell anything at this level."""
    count = 1
    while 2 / math.comb(2 * count, count) > level:
        count += 1
    return count


def _estimate(ordered: NDArray[np.float64], rank: int) -> Estimate | None:
    if rank < 1:
        return None
    return Estimate(
        value=float(np.median(ordered)),
        interval=Interval(low=float(ordered[rank - 1]), high=float(ordered[len(ordered) - rank])),
    )


def _rank(cumulative: NDArray[np.float64], count: int, level: float) -> int:
    """The largest rank from either end at which the interval still has its confidence; 0: none."""
    return min(int(np.searchsorted(cumulative, level / 2, side="right")), (count + 1) // 2)


@lru_cache(maxsize=256)
def _signed_rank_cumulative(count: int) -> NDArray[np.float64]:
    """``P(T <= t)`` for every ``t``, where each rank from 1 to ``count`` is in the sum or not with equal chance."""
    total = count * (count + 1) // 2
    if count > _MOST_EXACT:
        return _normal_cumulative(total, math.sqrt(count * (count + 1) * (2 * count + 1) / 24))
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    for rank in range(1, count + 1):
        chances = chances / 2
        chances[rank:] += chances[: total + 1 - rank].copy()
    return np.cumsum(chances)


@lru_cache(maxsize=256)
def _rank_sum_cumulative(first: int, second: int) -> NDArray[np.float64]:
    """``P(U <= u)`` for every ``u``: the coefficients of the Gaussian binomial, in whole numbers."""
    total = first * second
    if max(first, second) > _MOST_EXACT:
        return _normal_cumulative(total, math.sqrt(total * (first + second + 1) / 12))
    ways = [1] + [0] * total
    for part in range(1, first + 1):
        for place in range(total, second + part - 1, -1):
            ways[place] -= ways[place - second - part]
        for place in range(part, total + 1):
            ways[place] += ways[place - part]
    return np.cumsum(np.array(ways, dtype=np.float64)) / math.comb(first + second, first)


def _normal_cumulative(total: int, deviation: float) -> NDArray[np.float64]:
    from scipy.special import ndtr

    return np.asarray(ndtr((np.arange(total + 1) + 0.5 - total / 2) / deviation), dtype=np.float64)
