"""Estimates with intervals. Two-sided throughout: each tail gets half of ``1 - confidence``."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.core.measurements import Estimate, Interval, Percentiles

Samples = NDArray[np.int64 | np.float64]

_LEAST_SAMPLES_CONFIDENCE = 0.99

P90_LEAST_SAMPLES = 10
"""Of a round: below it the nearest rank of the 90th percentile is just the slowest sample."""

_RESAMPLED_VALUES = 2000
"""Values that one replicate draws for one variant. More samples are thinned to so many: see below."""


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """The exact interval of a proportion.

    Clopper & Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934) 404-413, in its beta-quantile form. Covers at least ``confidence``.

    Raises:
        ValueError: not ``0 <= successes <= trials`` or no trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials is not a proportion")
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    failures = trials - successes
    low = 0.0 if successes == 0 else float(betaincinv(successes, failures + 1, tail))
    high = 1.0 if failures == 0 else float(betaincinv(successes + 1, failures, 1 - tail))
    return Interval(low=low, high=high)


def least_samples(fraction: float, confidence: float = 0.95) -> int:
    """How many samples a percentile needs before it is reported.

    Two demands, the larger wins. Its interval must exist: the extremes of ``n`` samples must enclose
    the percentile with ``confidence`` (6 for the median at 95 %). In a tail, at least two samples must
    lie beyond it with 99 % confidence, so that one freak sample cannot be the estimate: the least ``n``
    with ``P(Binomial(n, 1 - fraction) <= 1) <= 0.01``, which is 64, 130 and 662 for p90, p95 and p99, the
    early-stopping numbers of MLPerf's LoadGen (github.com/mlcommons/inference, loadgen/early_stopping).
    """
    if not 0 < fraction < 1:
        raise ValueError(f"a percentile's fraction lies between 0 and 1, not {fraction:g}")
    from scipy.special import bdtr

    beyond = min(fraction, 1 - fraction)
    needed = max(1, math.ceil(math.log((1 - confidence) / 2) / math.log1p(-beyond)))
    if beyond < 0.5:
        rarer = 1 - _LEAST_SAMPLES_CONFIDENCE
        while bdtr(1, needed, beyond) > rarer:
            needed += 1
    return needed


def order_statistic(sorted_samples: Samples, fraction: float) -> float:
    """The smallest sample that at least ``fraction`` of the samples do not exceed (nearest rank).

    Definition 1 of Hyndman & Fan, "Sample quantiles in statistical packages", The American
    Statistician 50 (1996) 361-365: always a latency that occurred, never a mean of two.
    """
    return float(sorted_samples[_rank(len(sorted_samples), fraction) - 1])


def _rank(samples: int, fraction: float) -> int:
    # 0.07 * 100 is 7.000000000000001 in binary and must still be rank 7.
    return min(samples, max(1, math.ceil(samples * fraction - 1e-9)))


def percentile_estimate(samples: Samples, fraction: float, confidence: float = 0.95) -> Estimate | None:
    """A percentile with a distribution-free interval; ``None`` below ``least_samples``.

    The value is ``order_statistic``. The interval runs between the order statistics ``l`` and ``u``
    nearest to it with ``P(B < l) <= tail`` and ``P(B >= u) <= tail`` for ``B ~ Binomial(n, fraction)``
    (David & Nagaraja, Order Statistics, 3rd ed. 2003, section 7.1). It assumes independent samples
    and nothing of their distribution.
    """
    count = len(samples)
    if count < least_samples(fraction, confidence):
        return None
    from scipy.special import bdtr

    tail = (1 - confidence) / 2

    def cumulative(successes: int) -> float:
        return float(bdtr(successes, count, fraction))

    low_rank = bisect_right(range(count), tail, key=cumulative)
    high_rank = bisect_left(range(count), 1 - tail, key=cumulative) + 1
    if low_rank < 1 or high_rank > count:
        return None
    ordered = np.sort(samples)
    return Estimate(
        value=order_statistic(ordered, fraction),
        interval=Interval(low=float(ordered[low_rank - 1]), high=float(ordered[high_rank - 1])),
    )


def percentiles(samples: Samples, confidence: float = 0.95) -> Percentiles:
    """p50, p90 and p99, each only where the samples support it.

    Raises:
        ValueError: there are no samples.
    """
    if len(samples) == 0:
        raise ValueError("there are no samples")
    ordered = np.sort(samples)
    return Percentiles(
        samples=len(ordered),
        p50=percentile_estimate(ordered, 0.5, confidence),
        p90=percentile_estimate(ordered, 0.9, confidence),
        p99=percentile_estimate(ordered, 0.99, confidence),
    )


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided p of the exact (binomial) McNemar test on the two discordant counts.

    McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947) 153-157. Without discordant pairs it is 1.
    """
    if only_a < 0 or only_b < 0:
        raise ValueError("counts are not negative")
    discordant = only_a + only_b
    if discordant == 0:
        return 1.0
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(only_a, only_b), discordant, 0.5)))


def paired_drop(
    only_reference_right: int, only_variant_right: int, trials: int, confidence: float = 0.95
) -> Estimate:
    """Reference accuracy less variant accuracy over the same ``trials`` inputs, with a score interval.

    Tango, "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17 (1998) 891-908: all differences that the score test
    does not reject. Without discordant pairs it is ``±z²/(trials + z²)``, so never of zero width.

    Raises:
        ValueError: negative counts, no trials, or more discordant pairs than trials.
    """
    if trials < 1 or min(only_reference_right, only_variant_right) < 0:
        raise ValueError("paired counts are not negative, and there is at least one pair")
    if only_reference_right + only_variant_right > trials:
        raise ValueError("there are more discordant pairs than pairs")
    from scipy.special import ndtri

    z = float(ndtri(1 - (1 - confidence) / 2))
    value = (only_reference_right - only_variant_right) / trials

    def rejected(difference: float) -> bool:
        return abs(_tango_score(only_reference_right, only_variant_right, trials, difference)) > z

    return Estimate(
        value=value,
        interval=Interval(
            low=_edge(rejected, inside=value, outside=-1.0), high=_edge(rejected, inside=value, outside=1.0)
        ),
    )


def _tango_score(b: int, c: int, n: int, difference: float) -> float:
    """Tango's statistic for the hypothesis that the difference is ``difference`` (his eq. 26 and 28)."""
    linear = (2 * n - b + c) * difference - b - c
    constant = -c * difference * (1 - difference)
    # Rounding may put the root of the discriminant a hair below |linear| where the probability is zero.
    smaller = max(0.0, (math.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n))
    variance = n * (2 * smaller + difference * (1 - difference))
    distance = b - c - n * difference
    if distance == 0:
        return 0.0
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)


def _edge(rejected: Callable[[float], bool], *, inside: float, outside: float) -> float:
    """Where the accepted range around ``inside`` ends on the way to ``outside``."""
    if not rejected(outside):
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        if rejected(middle):
            outside = middle
        else:
            inside = middle
    return inside


def ratio_of_percentiles(
    rounds_a: Sequence[Samples],
    rounds_b: Sequence[Samples],
    fraction: float,
    confidence: float = 0.95,
    seed: int = 0,
    replicates: int = 2000,
) -> Estimate | None:
    """A percentile of ``a`` over the same percentile of ``b``, both over all rounds.

    Hierarchical bootstrap: rounds are drawn with replacement, the same rounds for both since they ran
    side by side; then samples within each drawn round, for each alone. So drift and differences
    between processes widen the interval. The percentile interval is widened for the few rounds as in
    Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69 (2015)
    371-386 (the expanded percentile interval): tails of ``Φ(-sqrt(R / (R - 1)) * t)`` with R - 1 degrees
    of freedom. With two or three rounds that is the whole range of the replicates.

    ``None`` with fewer than two rounds, or where either lacks samples for the percentile. Deterministic
    for a seed. Cost is bounded: of longer rounds, evenly spaced order statistics are resampled, which
    makes the interval wider, never narrower; the value is of all samples.

    Raises:
        ValueError: ``a`` and ``b`` differ in their number of rounds, or a round is empty.
    """
    if len(rounds_a) != len(rounds_b):
        raise ValueError(f"rounds are paired, but there are {len(rounds_a)} and {len(rounds_b)}")
    if any(len(samples) == 0 for samples in (*rounds_a, *rounds_b)):
        raise ValueError("a round without samples cannot be resampled")
    rounds = len(rounds_a)
    if rounds < 2:
        return None
    least = least_samples(fraction, confidence)
    pooled_a, pooled_b = np.sort(np.concatenate(rounds_a)), np.sort(np.concatenate(rounds_b))
    if min(len(pooled_a), len(pooled_b)) < least or pooled_b[0] <= 0:
        return None
    from scipy.special import ndtr, stdtrit

    generator = np.random.default_rng(seed)
    chosen = generator.integers(0, rounds, size=(replicates, rounds))
    drawn_a = _resampled_percentiles(generator, rounds_a, chosen, fraction)
    drawn_b = _resampled_percentiles(generator, rounds_b, chosen, fraction)
    t = float(stdtrit(rounds - 1, 1 - (1 - confidence) / 2))
    tail = float(ndtr(-math.sqrt(rounds / (rounds - 1)) * t))
    ratios = np.sort(drawn_a / drawn_b)
    value = order_statistic(pooled_a, fraction) / order_statistic(pooled_b, fraction)
    below = math.floor(replicates * tail)
    return Estimate(
        value=value,
        interval=Interval(
            # Two rounds of unlike length may leave the pooled ratio outside all replicates.
            low=min(value, float(ratios[below])),
            high=max(value, float(ratios[replicates - 1 - below])),
        ),
    )


def _resampled_percentiles(
    generator: np.random.Generator,
    rounds: Sequence[Samples],
    drawn_rounds: NDArray[np.int64],
    fraction: float,
) -> NDArray[np.float64]:
    """The percentile of each replicate: ``[replicates]`` from ``drawn_rounds [replicates, rounds]``."""
    most = max(1, _RESAMPLED_VALUES // len(rounds))
    kept = [_thinned(samples, most) for samples in rounds]
    lengths = np.array([len(samples) for samples in kept], dtype=np.int64)
    width = int(lengths.max())
    table = np.full((len(kept), width), np.inf)
    for row, samples in zip(table, kept, strict=True):
        row[: len(samples)] = samples
    drawn_lengths = lengths[drawn_rounds][..., None]
    position = generator.random((*drawn_rounds.shape, width), dtype=np.float32)
    # Rounding in float32 can give the length itself, which is no index.
    index = np.minimum((position * drawn_lengths.astype(np.float32)).astype(np.int64), drawn_lengths - 1)
    values = table[drawn_rounds[..., None], index]
    if int(lengths.min()) < width:
        values[np.arange(width) >= drawn_lengths] = np.inf
    flat = values.reshape(len(drawn_rounds), -1)
    ranks = np.array([_rank(int(total), fraction) - 1 for total in drawn_lengths.sum(axis=(1, 2))])
    if len(np.unique(ranks)) == 1:
        chosen: NDArray[np.float64] = np.partition(flat, ranks[0], axis=1)[:, ranks[0]]
        return chosen
    return np.asarray(np.take_along_axis(np.sort(flat, axis=1), ranks[:, None], axis=1)[:, 0])


def _thinned(samples: Samples, most: int) -> NDArray[np.float64]:
    """At most ``most`` order statistics of ``samples``, evenly spaced in rank."""
    if len(samples) <= most:
        return np.asarray(samples, dtype=np.float64)
    middles = ((np.arange(most) + 0.5) * len(samples) / most).astype(np.int64)
    return np.sort(samples)[middles].astype(np.float64)
