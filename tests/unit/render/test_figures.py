from __future__ import annotations

import pytest

from harness.core.measurements import Interval
from harness.render import figures
from harness.render.figures import Scale

MS = Scale("ms", 1e6)


def interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high)


@pytest.mark.parametrize(
    ("value_ns", "low_ns", "high_ns", "figure", "spread"),
    [
        (4_312_345, 4_294_000, 4_333_000, "4.31", "±0.02"),
        (4_312_345, 4_300_000, 4_326_000, "4.312", "±0.014"),
        (4_312_345, 3_500_000, 4_900_000, "4.3", "±0.8"),
        (61_243_000, 58_000_000, 64_000_000, "61", "±3"),
        (1_234_000_000, 1_150_000_000, 1_310_000_000, "1230", "±80"),
        # A spread below the fourth digit still shows, as one of that digit.
        (4_312_345, 4_312_300, 4_312_400, "4.312", "±0.001"),
        (4_312_345, 4_312_345, 4_312_345, "4.312", "±0.000"),
    ],
)
def test_a_figure_ends_where_its_interval_does(
    value_ns: float, low_ns: float, high_ns: float, figure: str, spread: str
) -> None:
    assert figures.with_spread(value_ns, interval(low_ns, high_ns), MS) == (figure, spread)


def test_the_spread_is_the_larger_side() -> None:
    assert figures.with_spread(4.5e6, interval(4.45e6, 4.59e6), MS) == ("4.50", "±0.09")


@pytest.mark.parametrize(
    ("value", "text"),
    [(4.3123e6, "4.31 ms"), (12_300, "12.3 µs"), (870, "870 ns"), (74e9, "74.0 s"), (1.5e9, "1.50 s")],
)
def test_times(value: float, text: str) -> None:
    assert figures.time(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(5_271_072, "5.27 MB"), (18_826_032, "18.8 MB"), (3_072, "3.07 kB"), (512, "512 B"), (3.2e9, "3.20 GB")],
)
def test_sizes_are_decimal(value: float, text: str) -> None:
    assert figures.size(value) == text


def test_a_column_has_one_unit_in_which_its_smallest_can_be_read() -> None:
    assert figures.time_scale([4.3e6, 0.5e6]).unit == "ms"
    assert figures.time_scale([4.3e6, 0.05e6]).unit == "µs"
    assert figures.time_scale([3e9]).unit == "ms"
    assert figures.time_scale([]).unit == "ms"
    assert figures.size_scale([18e6, 5e6]).unit == "MB"
    assert figures.size_scale([18e3, 5e3]).unit == "kB"


@pytest.mark.parametrize(
    ("value", "low", "high", "texts"),
    [
        (0.974, 0.9559, 0.9861, ("97.4 %", "[95.5, 98.7]")),
        (1.0, 0.9926, 1.0, ("100 %", "[99.2, 100]")),
        (0.0, 0.0, 0.0074, ("0 %", "[0, 0.8]")),
        (0.85, 0.6211, 0.9679, ("85 %", "[62, 97]")),
        # One of 200 differs: that is not all of them, whatever the interval supports.
        (0.995, 0.9725, 0.9999, ("99.5 %", "[97.2, 100]")),
        (0.9999, 0.99944, 0.99999, ("99.99 %", "[99.94, 100]")),
    ],
)
def test_proportions_round_their_interval_outward(
    value: float, low: float, high: float, texts: tuple[str, str]
) -> None:
    assert figures.percent(value, interval(low, high)) == texts


def test_a_proportion_without_interval_is_never_rounded_to_all_or_none() -> None:
    assert figures.percent(0.9996, None) == ("99.96 %", "")
    assert figures.percent(0.0004, None) == ("0.04 %", "")
    assert figures.percent(0.5, None) == ("50.0 %", "")


def test_differences_of_proportions_carry_their_sign() -> None:
    assert figures.percentage_points(-0.03, interval(-0.0853, 0.0197)) == (
        f"{figures.MINUS}3 pp",
        f"[{figures.MINUS}9, +2]",
    )
    assert figures.percentage_points(0.012, interval(0.0041, 0.0197)) == ("+1.2 pp", "[+0.4, +2.0]")
    assert figures.percentage_points(0.0, None) == ("0.0 pp", "")


@pytest.mark.parametrize(
    ("value", "base", "text"),
    [
        (5.0, 18.57, f"{figures.MINUS}73 %"),
        (72.4, 61.2, "+18 %"),
        (6.8, 2.0, f"3.4{figures.TIMES}"),
        (250.0, 2.0, f"125{figures.TIMES}"),
        (1.004, 1.0, "+0.4 %"),
        (1.0, 1.0, figures.ALIKE),
        (1.0, 1000.0, f"{figures.MINUS}99.9 %"),
    ],
)
def test_relative_changes(value: float, base: float, text: str) -> None:
    assert figures.relative_change(value, base) == text


def test_intervals_of_quantities_round_outward() -> None:
    assert figures.time_with_interval(1.95e6, interval(1.9312e6, 1.9888e6)) == "1.95 ms [1.93, 1.99]"
    assert figures.size_with_interval(61.2e6, None) == "61.2 MB"
    assert figures.factor_with_interval(0.82, interval(0.8011, 0.8499)) == f"0.82{figures.TIMES} [0.80, 0.85]"


def test_limits_stay_as_they_were_written() -> None:
    assert figures.time_limit(5e6) == "5 ms"
    assert figures.time_limit(5_125_500) == "5.1255 ms"
    assert figures.size_limit(20_000_000) == "20 MB"


def test_scores() -> None:
    assert figures.score(0.3849, is_probability=True) == "0.385"
    assert figures.score(0.0001, is_probability=True) == "<0.001"
    assert figures.score(0.0, is_probability=True) == "0.000"
    assert figures.score(-12.345, is_probability=False) == f"{figures.MINUS}12.3"
    assert figures.significant(2.1e-9) == f"2.1e{figures.MINUS}9"


def test_decimal_points_stand_below_each_other() -> None:
    assert figures.align_on_point(["4.31", "12.5", "870"]) == ["  4.31", " 12.5 ", "870   "]
    assert figures.align_on_point([]) == []


def test_no_figure_shows_a_negative_zero() -> None:
    assert figures.fixed(-0.001, 2) == "0.00"
    assert figures.signed(-0.001, 2) == "0.00"
