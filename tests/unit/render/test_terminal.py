from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from render_records import LABELS
from rich.cells import cell_len
from rich.console import Console

from harness.core.finding import Finding
from harness.core.measurements import Measurement, NotMeasured
from harness.core.report import RunReport
from harness.core.runs import SkippedInput
from harness.render.markdown import markdown_report
from harness.render.terminal import terminal_disagreements, terminal_report

Shown = Callable[..., str]
HOSTILE = "[red]x[/] \x1b[2J\x1b]0;owned\x07 \u202e \r\n| <b>"


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_whole_report(
    report: RunReport, shown: Shown, check_snapshot: Callable[[str, str], None], width: int
) -> None:
    check_snapshot(f"report-{width}.txt", shown(terminal_report(report), width))


def test_the_whole_report_in_ascii(
    report: RunReport, shown: Shown, check_snapshot: Callable[[str, str], None]
) -> None:
    check_snapshot("report-100-ascii.txt", shown(terminal_report(report), 100, "ascii"))


@pytest.mark.parametrize("width", [30, 60, 80, 100, 140, 250])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "ascii"])
def test_no_line_is_wider_than_the_console_and_no_number_is_cut(
    report: RunReport, shown: Shown, width: int, encoding: str
) -> None:
    text = shown(terminal_report(report), width, encoding)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    for figure in ("18.57", "17.20", "1.873", "26.8", "97.4 %", "[95.5, 98.7]", "83/100"):
        assert figure in text


def test_the_verdict_comes_last_and_the_best_is_marked_without_colour(
    report: RunReport, shown: Shown
) -> None:
    text = shown(terminal_report(report))
    order = ["effnet-lite0", "Variant", "int16x8", "Behind the", "Disagreements", "Findings", "UNDECIDED"]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert "★ 1.873" in text
    assert text.rindex("Releasable: dynamic-int8") > text.index("UNDECIDED")


def test_an_incomplete_run_says_how_to_resume(report: RunReport, shown: Shown) -> None:
    text = shown(terminal_report(report.model_copy(update={"jobs_done": 9})))
    assert "9 of 15 jobs are done" in text
    assert "harness run --resume 20261120-101112-effnet-4f2a" in text


def test_a_run_in_which_nothing_was_measured(report: RunReport, shown: Shown) -> None:
    lost = [one for one in report.results if isinstance(one, NotMeasured)]
    text = shown(
        terminal_report(report.model_copy(update={"results": tuple(lost), "reference_variant": None}))
    )
    assert "failed in compile (crashed): the runner died of signal 11" in text
    assert "Behind the figures" not in text and "★" not in text


def hostile_report(report: RunReport) -> RunReport:
    results: list[Measurement | NotMeasured] = []
    for one in report.results:
        if isinstance(one, NotMeasured):
            hostile = {"problem": HOSTILE, "next_step": HOSTILE, "code": HOSTILE}
            results.append(one.model_copy(update=hostile))
            continue
        disagreements = tuple(
            entry.model_copy(update={"input_name": HOSTILE}) for entry in one.agreement.disagreements
        )
        results.append(
            one.model_copy(
                update={
                    "agreement": one.agreement.model_copy(update={"disagreements": disagreements}),
                    "device": one.device.model_copy(update={"model": HOSTILE, "os_version": HOSTILE}),
                    "runtime": one.runtime.model_copy(update={"version": HOSTILE}),
                }
            )
        )
    findings = [
        Finding(**{**one.model_dump(), "message": HOSTILE, "advice": HOSTILE}) for one in report.findings
    ]
    judged = report.verdict.model_copy(
        update={
            "reason": HOSTILE,
            "results": tuple(one.model_copy(update={"reason": HOSTILE}) for one in report.verdict.results),
        }
    )
    return report.model_copy(
        update={
            "results": tuple(results),
            "findings": tuple(findings),
            "verdict": judged,
            "target_description": HOSTILE,
            "reference_engine": HOSTILE,
            "skipped_inputs": (SkippedInput(file=HOSTILE, reason=HOSTILE),),
            "plan": report.plan.model_copy(
                update={
                    "suite_name": HOSTILE,
                    "source": report.plan.source.model_copy(update={"path": HOSTILE, "format": HOSTILE}),
                }
            ),
            "workload": report.workload.model_copy(update={"labels": tuple(HOSTILE for _ in LABELS)}),
        }
    )


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_text_from_files_and_devices_cannot_drive_the_terminal(
    report: RunReport, shown: Shown, encoding: str
) -> None:
    text = shown(terminal_report(hostile_report(report)), 140, encoding)
    assert not [character for character in text if character != "\n" and ord(character) < 0x20]
    assert "\u202e" not in text and "\x9b" not in text
    # Shown as it is, not read as markup.
    assert "[red]x[/] \\x1b[2J" in text


def test_colour_adds_only_the_consoles_own_sequences(report: RunReport) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True, color_system="standard")
    console.print(terminal_report(hostile_report(report)))
    assert "\x1b[2J" not in stream.getvalue() and "\x1b]" not in stream.getvalue()
    assert "\x1b[1;32m" in stream.getvalue()


def test_hostile_text_stays_text_in_markdown(report: RunReport) -> None:
    text = markdown_report(hostile_report(report))
    assert "<b>" not in text and "\x1b" not in text
    assert "\\| &lt;b&gt;" in text


def test_all_disagreements(report: RunReport, shown: Shown) -> None:
    text = shown(terminal_disagreements(report))
    assert text.count("kitchen_") == 19
    assert "more:" not in text
    agreeing = report.model_copy(update={"results": report.results[:1]})
    assert shown(terminal_disagreements(agreeing)).startswith("Every measured variant agrees")
