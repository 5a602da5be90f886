"""Tests by betting against hand-made capital, Wald's likelihood ratio, and Ville's bound by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.betting import (
    BETS,
    first_crossing,
    log_capital,
    lower_bound,
    median_bounds,
    upper_bound,
    wald_bet,
)


def test_the_bet_of_two_hypotheses_is_walds_likelihood_ratio() -> None:
    outcomes = np.array([1, 1, 0, 1, 1, 1, 0, 1], dtype=np.float64)
    bet = wald_bet(0.6, 0.8)
    assert bet is not None
    single = np.cumsum(np.log1p(bet * (outcomes / 0.6 - 1)))
    ratio = np.cumsum(np.where(outcomes == 1, math.log(0.8 / 0.6), math.log(0.2 / 0.4)))
    assert single == pytest.approx(ratio)
    # Half of the capital is bet so, the rest is spread over the other bets.
    others = [np.prod(1 + share * (outcomes / 0.6 - 1)) for share in BETS]
    whole = 0.5 * math.exp(ratio[-1]) + 0.5 * float(np.mean(others))
    assert math.exp(log_capital(outcomes, 0.6, bet)[-1]) == pytest.approx(whole)


@pytest.mark.parametrize(("mean", "alternative"), [(0.9, 0.9), (0.9, 0.5), (0.0, 0.5), (0.9, 1.0)])
def test_there_is_no_wald_bet_without_an_alternative_above(mean: float, alternative: float) -> None:
    assert wald_bet(mean, alternative) is None


def test_nothing_can_be_shown_above_one_and_anything_refutes_zero() -> None:
    assert log_capital(np.ones(50), 1.0).tolist() == [0.0] * 50
    assert log_capital(np.array([0.0, 0.5, 0.0]), 0.0).tolist() == [0.0, math.inf, math.inf]
    assert len(log_capital(np.zeros(0), 0.5)) == 0


def test_a_crossing_stays_a_crossing() -> None:
    path = np.array([0.0, 3.1, 0.5])
    assert first_crossing(path, 0.05) == 2
    assert first_crossing(path, 0.01) is None


@pytest.mark.parametrize("mean", [0.5, 0.95])
def test_however_often_one_looks_a_true_hypothesis_is_refuted_with_the_stated_chance(mean: float) -> None:
    generator = np.random.default_rng(11)
    runs, looks = 600, 600
    bet = wald_bet(mean, (1 + mean) / 2)
    crossed = sum(
        first_crossing(log_capital((generator.random(looks) < mean).astype(np.float64), mean, bet), 0.1)
        is not None
        for _ in range(runs)
    )
    # Looked at 600 times each, at a level of 0.1: a fixed-size test would err in most.
    assert 0.02 < crossed / runs <= 0.1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.01, 0.4))
def test_bounds_enclose_the_mean_and_widen_with_confidence(values: list[float], level: float) -> None:
    figures = np.array(values)
    low, high = lower_bound(figures, level), upper_bound(figures, level)
    assert low <= figures.mean() + 1e-6 and high >= figures.mean() - 1e-6
    assert lower_bound(figures, level / 2) <= low + 1e-9
    if low > 0.01:
        # What lies below the bound is refuted, what lies above is not.
        assert log_capital(figures, low - 1e-3)[-1] >= math.log(1 / level) - 1e-6
        assert log_capital(figures, min(low + 1e-3, 0.999))[-1] < math.log(1 / level)


def test_a_median_has_bounds_once_there_are_enough_rounds() -> None:
    few = np.arange(1.0, 5.0)
    assert median_bounds(few, 0.05, 0.05) == (None, None)
    assert median_bounds(np.zeros(0), 0.05, 0.05) == (None, None)
    rounds = np.arange(1.0, 31.0)
    low, high = median_bounds(rounds, 0.05, 0.05)
    assert low is not None and high is not None
    assert 1 < low < 15.5 < high < 30
    assert low - 1 == pytest.approx(30 - high)


def test_all_rounds_alike_bound_the_median_to_that_figure() -> None:
    assert median_bounds(np.full(12, 7.0), 0.05, 0.05) == (7.0, 7.0)
