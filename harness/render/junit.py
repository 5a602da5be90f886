"""The verdict as JUnit XML, as CI systems read it: a suite for each variant, a case for each rule that holds for it.

The elements are those of the schema that Jenkins' xunit plugin publishes
(github.com/jenkinsci/xunit-plugin, junit-10.xsd), which GitLab, GitHub's actions and Azure read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal
from xml.etree import ElementTree

from harness.core.measurements import NotMeasured, Result, result_name
from harness.core.report import RunReport
from harness.core.verdict import Answer, RuleResult
from harness.render.judgement import result_figure, rule_in_words
from harness.render.plain_text import one_line
from harness.render.view import report_view

Undecided = Literal["fail", "skip"]

# XML 1.0 has no place for these, not even as a character reference.
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(report: RunReport, *, undecided: Undecided = "fail") -> str:
    """The document as text. ``undecided`` says whether a rule that is not decided fails its case or skips it.

    What is no candidate for release is skipped where it does not pass: the verdict is not about it. Each variant has
    a case ``measured`` too, so that one that crashed is seen where no rule is about it.
    """
    view = report_view(report)
    root = ElementTree.Element("testsuites", {"name": _text(view.suite)})
    created = datetime.fromtimestamp(report.plan.created_unix_ns // 10**9, tz=UTC).strftime(
        "%Y-%m-%dT%H:%M:%S"
    )
    for result in report.results:
        name = result_name(result)
        suite = ElementTree.SubElement(root, "testsuite", {"name": f"{view.suite}.{_text(name)}"})
        properties = ElementTree.SubElement(suite, "properties")
        for word, text in (("run", view.run_id), *view.facts, *_set_aside(report)):
            ElementTree.SubElement(properties, "property", {"name": word, "value": _text(text)})
        is_candidate = _text(name) in view.judgement.candidates
        cases = [_measured_case(result, is_candidate), *_rule_cases(report, name, undecided, is_candidate)]
        for case in cases:
            case.set("classname", f"{view.suite}.{_text(name)}")
            suite.append(case)
        suite.set("timestamp", created)
        suite.set("tests", str(len(cases)))
        for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            suite.set(attribute, str(sum(case.find(kind) is not None for case in cases)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _set_aside(report: RunReport) -> Iterator[tuple[str, str]]:
    """Why the run goes without its device, where it does; other formats have it among the findings."""
    if (why := report.set_aside) is not None:
        yield "set aside", f"after {why.failures} failures in a row: {why.problem}"


def _text(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", one_line(text))


def _measured_case(result: Result, is_candidate: bool) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"name": "measured"})
    if isinstance(result, NotMeasured):
        told = {"type": result.outcome, "message": _text(result.problem)}
        if is_candidate or result.outcome == "failed":
            ElementTree.SubElement(case, "error", told).text = _text(f"{result.problem} → {result.next_step}")
        else:
            ElementTree.SubElement(case, "skipped", {"message": _text(result.problem)})
    else:
        steady_s = result.latency.steady.p50.value / 1e9 if result.latency.steady.p50 else 0.0
        case.set("time", f"{steady_s:.6f}")
    return case


def _rule_cases(
    report: RunReport, variant: str, undecided: Undecided, is_candidate: bool
) -> Iterator[ElementTree.Element]:
    for judged in report.verdict.results:
        if judged.variant == variant:
            yield _rule_case(judged, undecided, is_candidate)


def _rule_case(judged: RuleResult, undecided: Undecided, is_candidate: bool) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"name": _text(rule_in_words(judged.rule))})
    reason = _text(judged.reason)
    if judged.answer is Answer.PASS:
        ElementTree.SubElement(case, "system-out").text = _text(result_figure(judged))
    elif not is_candidate:
        ElementTree.SubElement(case, "skipped", {"message": f"no candidate; {judged.answer}: {reason}"})
    elif judged.answer is Answer.FAIL or undecided == "fail":
        told = {"type": str(judged.answer), "message": reason}
        ElementTree.SubElement(case, "failure", told).text = reason
    else:
        ElementTree.SubElement(case, "skipped", {"message": f"undecided: {reason}"})
    return case
