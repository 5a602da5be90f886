"""What programs read: JUnit, CSV, Model Explorer."""

from __future__ import annotations

import csv
import io
import json
from xml.etree import ElementTree

import pytest
import render_records
from page_records import HOSTILE, explanation, hostile_report, series

from harness.core.report import RunReport
from harness.core.verdict import Verdict
from harness.render.junit import junit_report
from harness.render.model_explorer import model_explorer_overlay
from harness.render.samples_csv import COLUMNS, samples_csv


def _cases(report: RunReport, **options: str) -> dict[tuple[str, str], str]:
    """What became of each case, by its variant and name."""
    root = ElementTree.fromstring(junit_report(report, **options))  # type: ignore[arg-type]
    return {
        (str(case.get("classname")).split(".")[-1], str(case.get("name"))): next(
            (child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed"
        )
        for case in root.iter("testcase")
    }


def test_junit_has_a_case_for_each_variant_and_rule() -> None:
    report = render_records.report()
    cases = _cases(report)
    judged = {(one.variant, one.rule.metric) for one in report.verdict.results}
    assert len(cases) == len(judged) + len(report.results)
    assert cases["int8", "top-1 agreement ≥ 95 %"] == "passed"
    assert cases["int8", "accuracy drop ≤ 1 pp"] == "failure"
    assert _cases(report, undecided="skip")["int8", "accuracy drop ≤ 1 pp"] == "skipped"
    # float16 is no candidate: the verdict is not about it.
    assert cases["float16", "compressed size ≤ 0.3 × float32"] == "skipped"
    assert cases["int16x8", "measured"] == "error"


def test_junit_fails_the_rules_of_every_variant_where_none_is_a_candidate() -> None:
    report = render_records.report()
    policy = report.verdict.policy.model_copy(update={"candidates": ()})
    verdict: Verdict = report.verdict.model_copy(update={"policy": policy})
    cases = _cases(report.model_copy(update={"verdict": verdict}))
    assert cases["float16", "compressed size ≤ 0.3 × float32"] == "failure"


def test_junit_counts_and_survives_what_xml_cannot_hold() -> None:
    report = hostile_report().model_copy(update={"target_description": "a\x00b\x1b[31m]]>\ud800"})
    root = ElementTree.fromstring(junit_report(report))
    for suite in root.iter("testsuite"):
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.get(attribute, "")) == sum(case.find(kind) is not None for case in cases)


def test_csv_has_every_sample() -> None:
    one = series(samples=30)
    text = "".join(samples_csv([one], hostile_report().workload))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 30
    assert [int(row["latency_ns"]) for row in rows] == one.latencies_ns.tolist()
    assert [int(row["started_ns"]) for row in rows] == one.started_ns.tolist()
    assert [row["phase"] for row in rows[:4]] == ["warmup", "warmup", "steady", "steady"]
    assert [int(row["sample"]) for row in rows] == list(range(1, 31))
    assert {row["round"] for row in rows[:10]} == {"1"} and rows[29]["round"] == "3"
    assert rows[10]["input_name"] == HOSTILE


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "a,b", 'say "hi"', "two\r\nlines"])
def test_csv_names_are_neither_formulas_nor_more_cells(name: str) -> None:
    workload = render_records.report().workload
    inputs = (workload.inputs[0].model_copy(update={"name": name}), *workload.inputs[1:])
    text = "".join(samples_csv([series(samples=3)], workload.model_copy(update={"inputs": inputs})))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 3 and None not in rows[0]
    cell = rows[0]["input_name"]
    assert cell.removeprefix("'") == name and not cell.startswith(("=", "+", "-", "@"))


def test_the_overlay_colours_tensors_by_their_error() -> None:
    overlay = json.loads(model_explorer_overlay(explanation()))
    assert overlay["results"] == {HOSTILE: {"value": 0.3}, "conv1": {"value": 0.02}}
    assert [stop["stop"] for stop in overlay["gradient"]][::2] == [0, 1]
