from __future__ import annotations

from harness.render.sparkline import sparkline


def test_heights_follow_the_values() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"


def test_a_bar_stands_before_each_break() -> None:
    assert sparkline([10, 10, 20, 20], {2}) == "▁▁╎██"


def test_little_noise_looks_little() -> None:
    assert sparkline([100.0, 100.4, 100.0]) == "▁▁▁"


def test_ascii_and_the_ends() -> None:
    assert sparkline([0, 7], {1}, unicode=False) == "_|#"
    assert sparkline([]) == ""
    assert sparkline([0.0, 0.0]) == "▁▁"
