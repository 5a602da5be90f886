"""The arithmetic behind docs/lab.md's example."""

from __future__ import annotations

import pytest

from benchmarks.lab_sizing import EXAMPLES, Costs, Lab, sizing_table, times_of

COSTS = Costs(reference_s=0.02, job_s=0.1, gigabyte_s=10.0)


def test_each_part_of_the_time() -> None:
    lab = Lab("x", 2, 5, 8, 1000, 1_000_000, 3, 4, 0.01, 1.5)
    times = times_of(lab, COSTS)
    assert times.reference_s == pytest.approx(1000 * 0.02 / 8)
    assert times.sending_s == pytest.approx(2 * 10.0)
    assert times.overhead_s == pytest.approx(3 * 4 * 0.1)
    assert times.phones_s == pytest.approx(3 * 1000 * 0.01 + 12 * 1.5 + 1.2)


def test_the_table_has_a_column_for_each_lab() -> None:
    lines = sizing_table(COSTS).splitlines()
    assert {line.count("|") for line in lines} == {len(EXAMPLES) + 2}
    assert lines[0] == "|  | two desks | a rack |"
    assert "| the reference | 1.25 s | 20.8 s |" in lines
