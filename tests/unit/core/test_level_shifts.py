"""Change points: found where they are, absent where there are none, at the stated rate of false alarms."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.level_shifts import level_shifts


def _noisy(levels: list[tuple[float, int]], spread: float, seed: int) -> list[float]:
    generator = np.random.default_rng(seed)
    return [float(level * (1 + spread * generator.normal())) for level, count in levels for _ in range(count)]


def test_one_step_is_found_where_it_is() -> None:
    (shift,) = level_shifts(_noisy([(10.0, 12), (12.0, 9)], 0.01, seed=1))
    assert shift.index == 12
    assert shift.ratio == pytest.approx(1.2, abs=0.02)
    assert shift.before == pytest.approx(10, abs=0.2)
    assert shift.p_value <= 0.01


def test_up_and_down_again_are_two() -> None:
    shifts = level_shifts(_noisy([(10.0, 10), (13.0, 10), (10.0, 10)], 0.01, seed=2))
    assert [shift.index for shift in shifts] == [10, 20]
    assert shifts[0].ratio > 1.2
    assert shifts[1].ratio < 0.85


def test_a_step_below_the_effect_is_no_shift() -> None:
    series = _noisy([(10.0, 20), (10.3, 20)], 0.002, seed=3)
    assert level_shifts(series) == ()
    assert [shift.index for shift in level_shifts(series, effect=0.02)] == [20]


def test_two_values_are_a_blip_not_a_level() -> None:
    assert level_shifts([10.0] * 10 + [20.0, 20.0] + [10.0] * 10) == ()


def test_a_short_or_constant_series_has_none() -> None:
    assert level_shifts([]) == ()
    assert level_shifts([1.0, 9.0, 1.0, 9.0, 9.0]) == ()
    assert level_shifts([5.0] * 30) == ()


def test_ties_are_handled() -> None:
    assert [shift.index for shift in level_shifts([1.0] * 8 + [2.0] * 8)] == [8]


def test_pure_noise_alarms_at_the_stated_rate() -> None:
    generator = np.random.default_rng(11)
    alarms = sum(bool(level_shifts(10 + generator.normal(size=24), effect=0.0)) for _ in range(200))
    assert alarms <= 7  # 1 % of 200 is 2; eight or more have a chance of one in a thousand
