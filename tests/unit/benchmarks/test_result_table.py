"""The table in the terminal and the page in docs/, from one made-up record."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks.figures import figure_text
from benchmarks.page import performance_page
from benchmarks.result import Machine, NotMeasured, Part, Record, Result, Spread
from benchmarks.table import result_table


def record(other_cpu_fraction: float | None = 0.01) -> Record:
    return Record(
        unix_ns=1_795_468_055_000_000_000,
        harness_version="0.1.0",
        machine=Machine(
            system="Linux 6.1",
            machine="x86_64",
            cpu="A CPU",
            logical_cores=2,
            memory_bytes=16_000_000_000,
            python="3.11.7",
            packages={"numpy": "2.4.6"},
            load_average_1m_before=0.25,
            other_cpu_fraction=other_cpu_fraction,
        ),
        results=(
            Result(
                name="latency",
                figure=1.004,
                unit="×",
                goal=1.01,
                spread=Spread(low=0.998, high=1.0071, of="quartiles of 12 pairs"),
                compared="this over that",
                parts=(Part(name="this", figure=5.5, unit="ms"),),
            ),
            Result(name="memory", figure=12.25, unit="MB", goal=10.0, compared="one minus another"),
            Result(name="conversions", figure=28.41, unit="s", compared="a sum"),
        ),
        not_measured=(NotMeasured(name="other", reason="needs a compiler"),),
    )


def lines_of(shown: Record) -> list[list[str]]:
    console = Console(file=io.StringIO(), width=110, record=True)
    console.print(result_table(shown))
    return [line.split() for line in console.export_text().splitlines()]


def test_the_table_has_every_figure_with_its_goal_and_whether_it_is_met() -> None:
    assert lines_of(record()) == [
        ["benchmark", "figure", "spread", "goal"],
        ["latency", "1.004×", "0.998×", "–", "1.007×", "≤", "1.01×", "met"],
        ["this", "5.50", "ms"],
        ["memory", "12.2", "MB", "–", "≤", "10", "MB", "missed"],
        ["conversions", "28.4", "s", "–", "–", "–"],
        ["not", "measured", "other:", "needs", "a", "compiler"],
    ]


def test_the_page_has_the_table_what_was_compared_and_the_machine() -> None:
    page = performance_page(record())
    assert "| latency | 1.004× | 0.998× – 1.007× | ≤ 1.01× | met |\n" in page
    assert "| memory | 12.2 MB | – | ≤ 10 MB | missed |\n" in page
    assert "| other | not measured: needs a compiler | | | |\n" in page
    assert (
        "**latency**: this over that. Spread: quartiles of 12 pairs.\n\n| | |\n|---|--:|\n| this | 5.50 ms |\n"
        in page
    )
    assert "Measured on 2026-11-23 with harness 0.1.0: A CPU, 2 logical cores, 16 GB" in page
    assert "Other processes used 1.0% of all cores' time" in page
    assert page.endswith("\n") and not page.endswith("\n\n")


def test_the_page_says_when_the_machine_was_busy() -> None:
    assert "To be measured again" not in performance_page(record(0.01))
    assert "**To be measured again**: other processes used 43% of the machine" in performance_page(
        record(0.43)
    )
    assert "How busy the machine was is not known" in performance_page(record(None))


def test_a_record_reads_back() -> None:
    assert Record.model_validate_json(record().model_dump_json()) == record()


@pytest.mark.parametrize(
    ("figure", "unit", "text"),
    [
        (1.0044, "×", "1.004×"),
        (0.01234, "×", "0.0123×"),
        (28.41, "s", "28.4 s"),
        (1.324, "MB", "1.32 MB"),
        (0.0461, "s", "0.046 s"),
        (-0.25, "MB", "-0.250 MB"),
    ],
)
def test_figures_keep_three_digits(figure: float, unit: str, text: str) -> None:
    assert figure_text(figure, unit) == text
