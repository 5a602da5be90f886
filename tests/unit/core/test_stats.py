"""Estimates against published figures, closed forms, and exact enumeration of coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.stats import (
    clopper_pearson,
    least_samples,
    mcnemar_exact,
    order_statistic,
    paired_drop,
    percentile_estimate,
    percentiles,
    ratio_of_percentiles,
)

Z95 = 1.959963984540054


def test_clopper_pearson_has_its_closed_forms() -> None:
    # No failure in n: low = (alpha/2)^(1/n). One of two: sqrt(alpha/2) from the quadratic beta(1, 2).
    assert clopper_pearson(20, 20).low == pytest.approx(0.025 ** (1 / 20))
    assert clopper_pearson(20, 20).high == 1.0
    assert clopper_pearson(1, 2).low == pytest.approx(1 - math.sqrt(0.975))
    assert clopper_pearson(1, 2).high == pytest.approx(math.sqrt(0.975))


@given(st.integers(1, 60), st.data(), st.sampled_from([0.5, 0.9, 0.99]))
def test_clopper_pearson_is_symmetric_and_holds_its_value(
    n: int, data: st.DataObject, confidence: float
) -> None:
    k = data.draw(st.integers(0, n))
    interval, mirrored = clopper_pearson(k, n, confidence), clopper_pearson(n - k, n, confidence)
    assert interval.low <= k / n <= interval.high
    assert interval.low == pytest.approx(1 - mirrored.high)
    assert 0 <= interval.low < interval.high <= 1


def test_clopper_pearson_covers_what_it_promises() -> None:
    n = 15
    intervals = [clopper_pearson(k, n, 0.9) for k in range(n + 1)]
    for p in np.linspace(0.01, 0.99, 99):
        covered = sum(
            math.comb(n, k) * p**k * (1 - p) ** (n - k)
            for k, interval in enumerate(intervals)
            if interval.low <= p <= interval.high
        )
        assert covered >= 0.9 - 1e-12


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 2)])
def test_clopper_pearson_refuses_what_is_no_proportion(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        clopper_pearson(successes, trials)


@pytest.mark.parametrize(("fraction", "least"), [(0.5, 6), (0.9, 64), (0.95, 130), (0.99, 662)])
def test_a_percentile_is_absent_below_its_least_number_of_samples(fraction: float, least: int) -> None:
    assert least_samples(fraction) == least
    assert percentile_estimate(np.arange(least - 1), fraction) is None
    assert percentile_estimate(np.arange(least), fraction) is not None


def test_a_higher_confidence_needs_more_samples() -> None:
    # 0.5^n <= 0.005 from n = 8; 0.9^n <= 0.00005 from n = 94, more than the tail rule's 64.
    assert least_samples(0.5, 0.99) == 8
    assert least_samples(0.9, 0.9999) == 94
    with pytest.raises(ValueError, match="fraction"):
        least_samples(1.0)


def test_a_percentile_is_a_sample_that_occurred() -> None:
    assert order_statistic(np.array([1, 2, 3, 4]), 0.5) == 2
    assert order_statistic(np.arange(1, 101), 0.07) == 7
    assert order_statistic(np.arange(1, 101), 0.99) == 99


def test_the_median_interval_takes_the_tabulated_ranks() -> None:
    # Ranks of the 95 % interval of a median: 1 and 6 of 6, 2 and 9 of 10, 10 and 21 of 30, 40 and 61 of 100.
    for n, low, high in [(6, 1, 6), (10, 2, 9), (30, 10, 21), (100, 40, 61)]:
        shuffled = np.random.default_rng(0).permutation(np.arange(1, n + 1))
        estimate = percentile_estimate(shuffled, 0.5)
        assert estimate is not None
        assert (estimate.interval.low, estimate.interval.high) == (low, high)


@given(st.integers(64, 400), st.sampled_from([0.5, 0.9]))
def test_percentile_ranks_cover_what_they_promise(n: int, fraction: float) -> None:
    estimate = percentile_estimate(np.arange(1, n + 1), fraction)
    assert estimate is not None
    low, high = int(estimate.interval.low), int(estimate.interval.high)
    log_terms = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
        + i * math.log(fraction) + (n - i) * math.log1p(-fraction)
        for i in range(low, high)
    ]  # fmt: skip
    assert sum(math.exp(term) for term in log_terms) >= 0.95 - 1e-9
    assert low <= estimate.value <= high


def test_percentiles_leave_out_what_the_samples_do_not_support() -> None:
    found = percentiles(np.arange(100))
    assert found.samples == 100
    assert found.p50 is not None and found.p50.value == 49
    assert found.p90 is not None and found.p90.value == 89
    assert found.p99 is None
    with pytest.raises(ValueError, match="no samples"):
        percentiles(np.array([], dtype=np.int64))


def test_mcnemar_is_the_two_sided_binomial() -> None:
    assert mcnemar_exact(0, 0) == 1
    assert mcnemar_exact(0, 6) == pytest.approx(2 / 64)
    assert mcnemar_exact(2, 8) == mcnemar_exact(8, 2) == pytest.approx(2 * 56 / 1024)
    assert mcnemar_exact(5, 5) == 1
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 2)


def test_paired_drop_gives_the_published_interval() -> None:
    # Bentur et al. 2009 (n12 = 1, n21 = 7, n = 21) in Fagerland, Lydersen & Laake, "Recommended tests and
    # confidence intervals for paired binomial proportions", Statistics in Medicine 33 (2014): Tango's score.
    drop = paired_drop(1, 7, 21)
    assert drop.value == pytest.approx(-6 / 21)
    assert (round(drop.interval.low, 3), round(drop.interval.high, 3)) == (-0.517, -0.026)


@pytest.mark.parametrize("n", [1, 5, 20, 1000])
def test_paired_drop_without_discordant_pairs_keeps_its_width(n: int) -> None:
    drop = paired_drop(0, 0, n)
    assert drop.value == 0
    assert drop.interval.high == pytest.approx(Z95**2 / (n + Z95**2))
    assert drop.interval.low == pytest.approx(-drop.interval.high)


@given(st.integers(1, 80), st.data())
def test_paired_drop_is_antisymmetric(n: int, data: st.DataObject) -> None:
    b = data.draw(st.integers(0, n))
    c = data.draw(st.integers(0, n - b))
    one, other = paired_drop(b, c, n), paired_drop(c, b, n)
    assert -1 <= one.interval.low <= one.value <= one.interval.high <= 1
    assert one.interval.high - one.interval.low > 0
    assert one.interval.low == pytest.approx(-other.interval.high, abs=1e-9)


def test_paired_drop_covers_by_enumeration() -> None:
    n = 12
    intervals = {(b, c): paired_drop(b, c, n).interval for b in range(n + 1) for c in range(n + 1 - b)}
    coverages = []
    for p in np.arange(0.02, 0.5, 0.06):
        for q in np.arange(0.02, 0.5, 0.06):
            difference, rest = p - q, 1 - p - q
            coverages.append(
                sum(
                    math.comb(n, b) * math.comb(n - b, c) * p**b * q**c * rest ** (n - b - c)
                    for (b, c), interval in intervals.items()
                    if interval.low <= difference <= interval.high
                )
            )
    assert min(coverages) > 0.92
    assert 0.95 < float(np.mean(coverages)) < 0.98


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
def test_paired_drop_refuses_impossible_counts(b: int, c: int, n: int) -> None:
    with pytest.raises(ValueError, match="pair"):
        paired_drop(b, c, n)


def rounds_of(generator: np.random.Generator, scales: list[float], count: int = 100) -> list[np.ndarray]:
    return [(scale * generator.lognormal(14, 0.05, count)).astype(np.int64) for scale in scales]


def test_a_ratio_cancels_what_both_share_in_a_round() -> None:
    generator = np.random.default_rng(5)
    drifting = [1.0, 1.5, 2.0, 2.5]
    a, b = rounds_of(generator, [0.5 * one for one in drifting]), rounds_of(generator, drifting)
    ratio = ratio_of_percentiles(a, b, 0.5)
    assert ratio is not None
    assert ratio.interval.low < 0.5 < ratio.interval.high
    unpaired = ratio_of_percentiles(a, b[::-1], 0.5)
    assert unpaired is not None
    width = ratio.interval.high - ratio.interval.low
    assert unpaired.interval.high - unpaired.interval.low > 2 * width
    assert ratio_of_percentiles(a, b, 0.5) == ratio
    assert ratio_of_percentiles(a, b, 0.5, seed=1) != ratio


def test_the_ratio_interval_covers_for_few_rounds() -> None:
    generator = np.random.default_rng(11)
    hits = 0
    for _ in range(60):
        # Each process has its own speed, which pairing cannot cancel.
        a = rounds_of(generator, list(0.8 * generator.lognormal(0, 0.03, 4)), 30)
        b = rounds_of(generator, list(generator.lognormal(0, 0.03, 4)), 30)
        ratio = ratio_of_percentiles(a, b, 0.5, replicates=400)
        assert ratio is not None
        hits += ratio.interval.low <= 0.8 <= ratio.interval.high
    # A plain percentile interval holds about 85 % here, the widened one 95 %.
    assert hits >= 55


def test_a_ratio_is_absent_without_rounds_or_samples() -> None:
    generator = np.random.default_rng(0)
    enough, few = rounds_of(generator, [1.0, 1.0]), rounds_of(generator, [1.0, 1.0], 30)
    assert ratio_of_percentiles(enough[:1], enough[:1], 0.5) is None
    assert ratio_of_percentiles(few, enough, 0.9) is None
    assert ratio_of_percentiles(enough, few, 0.9) is None
    assert ratio_of_percentiles(enough, enough, 0.9) is not None
    with pytest.raises(ValueError, match="paired"):
        ratio_of_percentiles(enough, enough[:1], 0.5)
    with pytest.raises(ValueError, match="without samples"):
        ratio_of_percentiles([enough[0], enough[0][:0]], enough, 0.5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(10, 900), min_size=2, max_size=5), st.sampled_from([0.5, 0.9]))
def test_rounds_of_unlike_length_are_resampled_within_their_range(
    lengths: list[int], fraction: float
) -> None:
    a = [np.arange(1000, 1000 + length) for length in lengths]
    b = [np.full(length, 500) for length in lengths]
    ratio = ratio_of_percentiles(a, b, fraction, replicates=50)
    if sum(lengths) < least_samples(fraction):
        assert ratio is None
        return
    assert ratio is not None
    assert 2 <= ratio.interval.low <= ratio.value <= ratio.interval.high < 2 * (1000 + max(lengths)) / 1000


def test_long_rounds_are_thinned_without_moving_the_ratio() -> None:
    a = [np.arange(1, 20_001), np.arange(1, 20_001)]
    ratio = ratio_of_percentiles(a, a, 0.9)
    assert ratio is not None
    assert ratio.value == 1
    assert 0.95 < ratio.interval.low < 1 < ratio.interval.high < 1.05
