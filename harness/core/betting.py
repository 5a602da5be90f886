"""Tests by betting: evidence about a mean that may be looked at after every observation, and acted upon.

A gambler starts with 1 and bets on each observation that the mean lies above ``mean``; if it does not, the capital is
a nonnegative supermartingale and ever reaches ``1 / level`` with a probability of at most ``level`` (Ville 1939).
So sampling may stop whenever it does, which an interval of fixed size does not allow. Waudby-Smith & Ramdas,
"Estimating means of bounded random variables by betting", JRSS B 86 (2024) 1-27. With observations of 0 and 1
and the one bet that ``wald_bet`` gives, it is Wald's sequential probability ratio test ("Sequential tests of
statistical hypotheses", Annals of Mathematical Statistics 16 (1945) 117-186); several bets with shares of the capital
make it the mixture that Robbins describes ("Statistical methods related to the law of the iterated logarithm", ibid.
41 (1970) 1397-1409).

Nothing is assumed but that each observation, given those before it, has a mean on the side of the hypothesis.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Observations = NDArray[np.float64]

BETS = (0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.8, 0.95)
"""Shares of the largest bet that cannot lose more than all. Evidence for a mean far from the hypothesis grows fastest
by large ones, for one nearby by small ones; the capital is spread evenly over them."""

_WALD_SHARE = 0.5
"""Of the capital, for the bet that suits the stated alternative best, where one is stated."""


def wald_bet(mean: float, alternative: float) -> float | None:
    """The bet by which capital grows fastest where observations of 0 and 1 have the mean ``alternative``.

    ``None`` where ``alternative`` is no mean above ``mean``.
    """
    if not 0 < mean < alternative < 1:
        return None
    return (alternative - mean) / (1 - mean)


def log_capital(observations: Observations, mean: float, bet: float | None = None) -> NDArray[np.float64]:
    """Natural logarithm of the capital after each of ``observations`` ``[n]``, which lie in [0, 1].

    It is evidence against "the mean is at most ``mean``"; for "at least", pass ``1 - observations`` and ``1 - mean``.
    ``bet`` is one more bet, with half of the capital. Below a mean of 0, or at 1 and above, no bet is possible.
    """
    if mean >= 1 or not len(observations):
        return np.zeros(len(observations))
    if mean <= 0:
        # That the mean is 0 is refuted by the first observation that is not.
        return np.where(np.cumsum(observations) > 0, np.inf, 0.0)
    bets, shares = _bets(bet)
    gains = np.log1p(np.outer(bets, np.asarray(observations, dtype=np.float64) / mean - 1))
    capital = np.cumsum(gains, axis=1) + np.log(shares)[:, None]
    return np.asarray(np.logaddexp.reduce(capital, axis=0))


def _bets(bet: float | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All bets, and the share of the capital that each has."""
    bets, shares = np.array(BETS), np.full(len(BETS), 1 / len(BETS))
    if bet is None:
        return bets, shares
    return np.append(bets, min(bet, BETS[-1])), np.append(shares * (1 - _WALD_SHARE), _WALD_SHARE)


def first_crossing(log_capitals: NDArray[np.float64], level: float) -> int | None:
    """After how many observations the capital first reached ``1 / level``; ``None`` if it did not."""
    reached = np.flatnonzero(log_capitals >= math.log(1 / level))
    return int(reached[0]) + 1 if len(reached) else None


def lower_bound(observations: Observations, level: float, bet: float | None = None) -> float:
    """What the mean lies above with a confidence of ``1 - level``, whenever sampling stopped: all means that the
    capital does not refute after the last observation. The capital falls as the refuted mean rises."""

    if not len(observations):
        return 0.0
    # The order is no matter at the end, and there are few different figures.
    values, counts = np.unique(observations, return_counts=True)
    bets, shares = _bets(bet)

    def refuted(mean: float) -> bool:
        gains = np.log1p(np.outer(bets, values / mean - 1)) @ counts
        return bool(np.logaddexp.reduce(gains + np.log(shares)) >= math.log(1 / level))

    return _last_true(refuted, 0.0, 1.0)


def upper_bound(observations: Observations, level: float, bet: float | None = None) -> float:
    """The same from above."""
    return 1 - lower_bound(1 - observations, level, bet)


def _last_true(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where ``holds``, true below and false above, changes; ``low`` where it holds nowhere between."""
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def median_bounds(
    figures: NDArray[np.float64], low_level: float, high_level: float, bet: float | None = None
) -> tuple[float | None, float | None]:
    """What the median of ``figures`` ``[n]`` lies at or above, and at or below, each at its own level.

    By the share of figures on one side of each of them: Howard & Ramdas, "Sequential estimation of quantiles with
    applications to A/B testing and best-arm identification", Bernoulli 28 (2022) 1704-1728, with the capital above
    for their boundary. ``None`` where there are too few for a bound.
    """

    count = len(figures)
    if not count:
        return None, None
    ordered = np.sort(figures)

    def enough(level: float) -> int | None:
        """How many of the figures on one side show that the median is there; the capital grows with each."""
        needed = bisect_left(
            range(count + 1), True, key=lambda on_side: _final(on_side, count, bet) >= 1 / level
        )
        return needed if needed <= count else None

    at_least, at_most = enough(low_level), enough(high_level)
    return (
        None if at_least is None else float(ordered[count - at_least]),
        None if at_most is None else float(ordered[at_most - 1]),
    )


def _final(successes: int, trials: int, bet: float | None) -> float:
    """The capital of bets on a mean above a half, after so many outcomes of 1 among ``trials``."""
    bets, shares = _bets(bet)
    grown = successes * np.log1p(bets) + (trials - successes) * np.log1p(-bets)
    return float(np.exp(np.logaddexp.reduce(grown + np.log(shares))))
