from __future__ import annotations

import subprocess
import sys

import pytest
from render_records import disagreement, milliseconds

from harness.core.measurements import Estimate, Interval, KeystrokeLatency, Measurement, Percentiles
from harness.core.policy import Metric, Policy, Rule
from harness.core.report import RunReport
from harness.core.verdict import Answer
from harness.render.figure_tables import Cell
from harness.render.figures import ABSENT, ALIKE, MINUS, TIMES
from harness.render.judgement import rule_in_words
from harness.render.remarks import disagreements
from harness.render.view import ReportView, report_view


def cell(view: ReportView, variant: str, title: str) -> Cell:
    index = [column.title for column in view.main.columns].index(title)
    return next(row for row in view.main.rows if row.variant == variant).cells[index]


def changed(report: RunReport, variant: str, part: str, **update: object) -> RunReport:
    """The report with one part of one variant's measurement replaced."""
    results = tuple(
        one.model_copy(update={part: getattr(one, part).model_copy(update=update)})
        if isinstance(one, Measurement) and one.variant.name == variant
        else one
        for one in report.results
    )
    return report.model_copy(update={"results": results})


def test_cells_hold_the_figure_its_spread_and_the_change(report: RunReport) -> None:
    view = report_view(report)
    assert cell(view, "int8", "Size") == Cell("5.27", detail=f"{MINUS}72 %")
    assert cell(view, "int8", "p50") == Cell("1.873", "±0.013", f"{MINUS}57 %", is_best=True)
    assert cell(view, "int8", "Agreement") == Cell("97.4 %", detail="[95.5, 98.7]")
    assert cell(view, "int8", "Accuracy") == Cell("83/100", detail=f"{MINUS}3 pp")
    assert cell(view, "float32", "Size") == Cell("18.57")
    assert [column.unit for column in view.main.columns[:5]] == ["MB", "MB", "ms", "ms", "MB"]


def test_latencies_whose_intervals_overlap_are_called_alike(report: RunReport) -> None:
    assert cell(report_view(report), "float16", "p50").detail == ALIKE


def test_a_whole_round_that_was_slower_counts_against_a_difference(report: RunReport) -> None:
    slow = changed(report, "int8", "latency", round_p50_ns=(1.873e6, 1.9e6, 4.4e6))
    assert cell(report_view(slow), "int8", "p50").detail == ALIKE
    slow = changed(report, "int8", "latency", round_p50_ns=(1.873e6, 1.9e6, 3.2e6))
    assert cell(report_view(slow), "int8", "p50").detail == f"{MINUS}57 %"
    # Now dynamic-int8 is not shown to be slower, either.
    assert cell(report_view(slow), "dynamic-int8", "p50").is_best


def test_the_best_of_a_column_is_marked_unless_all_are_alike(report: RunReport) -> None:
    view = report_view(report)
    assert [row.variant for row in view.main.rows if row.cells[0].is_best] == ["dynamic-int8"]
    assert [row.variant for row in view.main.rows if row.cells[6].is_best] == ["float32", "float16"]
    float32 = report.results[0]
    assert isinstance(float32, Measurement)
    alike = report.model_copy(update={"results": (float32, float32.model_copy(deep=True))})
    assert not any(one.is_best for row in report_view(alike).main.rows for one in row.cells)


def test_what_is_absent_is_a_dash_with_the_reason(report: RunReport) -> None:
    without_peak = changed(report, "int8", "memory", peak_bytes=None, peak_kind=None)
    bare = without_peak.model_copy(
        update={
            "results": tuple(
                one.model_copy(update={"accuracy": None}) if isinstance(one, Measurement) else one
                for one in without_peak.results
            )
        }
    )
    view = report_view(bare)
    absent = cell(view, "int8", "Peak")
    assert absent.figure == ABSENT and absent.note is not None
    assert view.footnotes[absent.note - 1] == "the runner's platform reported no peak memory"
    assert cell(view, "float32", "Peak").figure == "61.2"
    accuracy = [cell(view, row.variant, "Accuracy").note for row in view.main.rows]
    assert len(set(accuracy)) == 1, "one reason is one footnote"
    assert view.footnotes[-1] == "p99: 500 samples do not support it"


def test_each_row_has_the_answer_of_all_its_rules(report: RunReport) -> None:
    answers = {row.variant: row.answer for row in report_view(report).main.rows}
    assert answers == {
        "float32": None,
        "float16": Answer.FAIL,
        "dynamic-int8": Answer.PASS,
        "int8": Answer.UNDECIDED,
    }


def test_a_variant_that_was_not_measured_says_why(report: RunReport) -> None:
    (crashed,) = report_view(report).without_figures
    assert (crashed.variant, crashed.what) == ("int16x8", "failed in compile (crashed)")
    assert crashed.problem.startswith("the runner died")
    assert crashed.next_step.startswith("Leave the recipe out")


def test_disagreements_are_shared_out_and_counted(report: RunReport) -> None:
    shown = disagreements(report)
    assert [(group.variant, group.count, len(group.lines)) for group in shown.groups] == [
        ("float16", 1, 1),
        ("dynamic-int8", 5, 4),
        ("int8", 13, 3),
    ]
    assert shown.not_shown == 11
    everything = disagreements(report, most=None)
    assert [len(group.lines) for group in everything.groups] == [1, 5, 13]
    assert everything.not_shown == 0
    few = disagreements(report, most=2)
    assert [len(group.lines) for group in few.groups] == [1, 1]
    assert few.not_shown == 17


def test_a_disagreement_names_labels_scores_and_who_was_right(report: RunReport) -> None:
    int8 = disagreements(report).groups[2].lines
    assert (int8[0].reference, int8[0].reference_score, int8[0].variant) == ("tiger cat", "0.610", "tabby")
    assert (int8[0].margin, int8[0].truth, int8[0].right) == ("0.270", "tiger cat", "reference")
    assert (int8[1].truth, int8[1].right) == ("Egyptian cat", "variant")
    assert (int8[2].truth, int8[2].right) == ("", "")


def test_an_output_that_is_not_finite_has_no_label(report: RunReport) -> None:
    broken = changed(report, "float16", "agreement", disagreements=(disagreement(3, 1, None, 0.5, None, 7),))
    line = disagreements(broken).groups[0].lines[0]
    assert (line.variant, line.variant_score, line.margin, line.right) == (
        "not finite",
        "",
        ABSENT,
        "neither",
    )


def test_findings_of_one_kind_stand_together_warnings_first(report: RunReport) -> None:
    groups = report_view(report).findings
    assert [(group.kind, len(group.messages)) for group in groups] == [
        ("noisy", 2),
        ("thermal", 1),
        ("views not independent", 1),
    ]
    assert len(groups[0].advice) == 1


def test_the_judgement_is_about_the_candidates(report: RunReport) -> None:
    judged = report_view(report).judgement
    assert [(rule.variant, rule.answer.value) for rule in judged.rules] == [
        ("dynamic-int8", "pass"),
        ("dynamic-int8", "pass"),
        ("int8", "pass"),
        ("int8", "undecided"),
        ("int8", "pass"),
        ("int8", "pass"),
    ]
    assert [(rule.variant, rule.figure) for rule in judged.others] == [("float16", f"0.50{TIMES}")]
    assert judged.next_steps == ("int8: about 3100 more inputs would likely decide: accuracy drop ≤ 1 pp",)
    # The verdict's reason is that of the undecided rule: it is not said twice.
    assert judged.rules[3].reason == ""
    assert judged.others[0].reason.startswith("float16 has compressed size")


def test_without_named_candidates_all_that_were_measured_are(report: RunReport) -> None:
    verdict = report.verdict.model_copy(update={"policy": Policy(rules=report.verdict.policy.rules)})
    judged = report_view(report.model_copy(update={"verdict": verdict})).judgement
    assert judged.candidates == ("float32", "float16", "dynamic-int8", "int8")
    assert judged.others == ()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(metric=Metric.TOP1_AGREEMENT, limit=0.95), "top-1 agreement ≥ 95 %"),
        (Rule(metric=Metric.TOP5_AGREEMENT, limit=0.995), "top-5 agreement ≥ 99.5 %"),
        (Rule(metric=Metric.ACCURACY_DROP, limit=0.01), "accuracy drop ≤ 1 pp"),
        (Rule(metric=Metric.P90_LATENCY, limit=5.5e6), "p90 latency ≤ 5.5 ms"),
        (Rule(metric=Metric.PEAK_MEMORY, limit=100e6), "peak memory ≤ 100 MB"),
        (
            Rule(metric=Metric.P50_LATENCY, limit=1.1, relative_to="baseline"),
            f"p50 latency ≤ 1.1 {TIMES} baseline",
        ),
    ],
)
def test_rules_in_words(rule: Rule, words: str) -> None:
    assert rule_in_words(rule) == words


def test_the_head_tells_what_ran_where(report: RunReport) -> None:
    view = report_view(report)
    assert view.created == "2026-11-20 10:11 UTC"
    facts = dict(view.facts)
    assert facts["source"] == "effnet.keras (keras, 18.8 MB)"
    assert facts["workload"] == "500 inputs from 100 originals, 100 labelled (image classification)"
    assert facts["target"] == "Ada's iPhone · iPhone15,4, iOS 26.1, 6 cores (iphone)"
    assert facts["runtime"] == "LiteRT 2.3.0, 2 threads"
    assert facts["left out"] == "1 input (broken.jpg: the file is truncated)"


def test_an_incomplete_run_says_how_to_go_on(report: RunReport) -> None:
    assert report_view(report).resume_command is None
    view = report_view(report.model_copy(update={"jobs_done": 9}))
    assert view.incomplete == "This run is incomplete: 9 of 15 jobs are done."
    assert view.resume_command == "harness run --resume 20261120-101112-effnet-4f2a"


def test_microsecond_models_get_microseconds(report: RunReport) -> None:
    quick = milliseconds(0.012, 0.0001, 0.0002)
    int8 = report.results[3]
    assert isinstance(int8, Measurement)
    steady = int8.latency.steady.model_copy(update={"p50": quick, "p90": quick})
    view = report_view(
        changed(report, "int8", "latency", steady=steady).model_copy(update={"reference_variant": None})
    )
    assert view.main.columns[2].unit == "µs"
    assert cell(view, "int8", "p50").figure == "12.0"


def test_importing_the_renderers_is_light() -> None:
    code = (
        "import sys, harness.render.terminal, harness.render.markdown, harness.render.comparison;"
        "print([name for name in ('scipy', 'tensorflow', 'keras', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_keystrokes_have_columns_where_there_are_any(report: RunReport) -> None:
    assert "Key p90" not in [column.title for column in report_view(report).main.columns]
    interval = Interval(low=39_000, high=42_000)
    typed = KeystrokeLatency(
        texts=3,
        pause_ns=2_000_000,
        latency=Percentiles(samples=90, p50=None, p90=Estimate(value=41_000, interval=interval), p99=None),
        round_p50_ns=(30_000.0,),
        round_p90_ns=(41_000.0,),
    )
    first, *others = [one for one in report.results if isinstance(one, Measurement)]
    view = report_view(
        report.model_copy(update={"results": (first.model_copy(update={"keystrokes": typed}), *others)})
    )
    at = [column.title for column in view.main.columns].index("Key p90")
    assert view.main.columns[at].unit == "µs"
    assert (view.main.rows[0].cells[at].figure, view.main.rows[0].cells[at].spread) == ("41", "±2")
    assert view.main.rows[1].cells[at].note is not None
    assert dict(view.facts)["keystrokes"] == (
        "3 texts typed key by key for each variant, 90 keystrokes 2.00 ms apart, "
        "each from the text so far to five suggestions"
    )
