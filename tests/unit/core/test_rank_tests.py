"""Rank intervals against SciPy's exact tests, by counting, and by their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, wilcoxon

from harness.core.rank_tests import least_rounds, rank_sum_shift, signed_rank_shift


@pytest.mark.parametrize("level", [0.05, 0.01])
def test_an_interval_excludes_zero_where_the_exact_test_rejects(level: float) -> None:
    generator = np.random.default_rng(2)
    for _ in range(60):
        a, b = generator.normal(0, 1, 8), generator.normal(0.9, 1, 6)
        found = rank_sum_shift(a, b, level)
        assert found is not None
        rejects = mannwhitneyu(a, b, method="exact").pvalue <= level
        assert rejects == (not found.interval.low <= 0 <= found.interval.high)
        differences = generator.normal(0.6, 1, 9)
        found = signed_rank_shift(differences, level)
        assert found is not None
        rejects = wilcoxon(differences, method="exact").pvalue <= level
        assert rejects == (not found.interval.low <= 0 <= found.interval.high)


def test_the_shift_is_the_median_of_all_pairs() -> None:
    found = rank_sum_shift([1.0, 2.0, 4.0, 8.0], [11.0, 12.0, 14.0, 18.0], 0.05)
    assert found is not None and found.value == 10
    # 16 differences; with the extremes at 1/70 each, the interval is their whole range.
    assert (found.interval.low, found.interval.high) == (3.0, 17.0)
    paired = signed_rank_shift([1.0, 2.0, 3.0, 4.0, 5.0, 100.0], 0.05)
    assert paired is not None and paired.value == 3.5
    assert (paired.interval.low, paired.interval.high) == (1.0, 100.0)


def test_too_few_say_nothing() -> None:
    assert signed_rank_shift([1.0] * 5, 0.05) is None
    assert signed_rank_shift([], 0.05) is None
    assert rank_sum_shift([1.0] * 3, [2.0] * 4, 0.05) is None
    assert rank_sum_shift([], [1.0] * 9, 0.05) is None
    assert [least_rounds(level) for level in (0.05, 0.025, 0.01)] == [4, 5, 5]


def test_ties_widen() -> None:
    tied = rank_sum_shift([1.0] * 6, [1.0] * 6, 0.05)
    assert tied is not None and (tied.interval.low, tied.value, tied.interval.high) == (0, 0, 0)


def test_beyond_sixty_the_normal_approximation_goes_on() -> None:
    generator = np.random.default_rng(3)
    a, b = generator.normal(0, 1, 61), generator.normal(0.8, 1, 61)
    exact, approximate = rank_sum_shift(a[:60], b[:60], 0.05), rank_sum_shift(a, b, 0.05)
    assert exact is not None and approximate is not None
    assert approximate.interval.low == pytest.approx(exact.interval.low, abs=0.1)
    assert approximate.interval.high == pytest.approx(exact.interval.high, abs=0.1)


def test_intervals_cover_at_their_rate() -> None:
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(400):
        # Heavy tails and skew, the same on both sides, a shift of 1.
        a = generator.lognormal(0, 1, 7)
        found = rank_sum_shift(a, generator.lognormal(0, 1, 7) + 1, 0.1)
        assert found is not None
        covered += found.interval.low <= 1 <= found.interval.high
    assert covered >= 0.9 * 400 - 2 * np.sqrt(400 * 0.09)
