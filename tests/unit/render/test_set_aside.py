"""A device that was set aside: whoever reads a report, in whatever format, is told and told why."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from harness.core.device_findings import set_aside
from harness.core.report import RunReport
from harness.core.runs import SetAside
from harness.render.html.report_page import html_report
from harness.render.junit import junit_report
from harness.render.markdown import markdown_report
from harness.render.terminal import terminal_report

WHY = SetAside(failures=3, problem="no worker has iPhone15,2 <b>", next_step="See that a worker runs.")


@pytest.fixture
def aside(report: RunReport) -> RunReport:
    return report.model_copy(
        update={"set_aside": WHY, "findings": (*report.findings, *set_aside(WHY)), "is_complete": False}
    )


def test_in_a_terminal_and_in_markdown(aside: RunReport, shown: Callable[..., str]) -> None:
    text = " ".join(shown(terminal_report(aside), width=300).split())
    assert (
        "the device was set aside after 3 failures in a row; the last one: no worker has iPhone15,2 <b>"
        in text
    )
    assert "See that a worker runs. What it measured before counts." in text
    marked = markdown_report(aside)
    assert "set aside after 3 failures in a row; the last one: no worker has iPhone15,2" in marked
    assert "<b>" not in marked


def test_on_the_page(aside: RunReport) -> None:
    page = html_report(aside)
    assert "set aside after 3 failures in a row; the last one: no worker has iPhone15,2 &lt;b&gt;" in page


def test_in_json_and_junit(aside: RunReport) -> None:
    assert RunReport.model_validate_json(aside.model_dump_json()).set_aside == WHY
    root = ElementTree.fromstring(junit_report(aside))
    said = [one.get("value") for one in root.iter("property") if one.get("name") == "set aside"]
    assert said == ["after 3 failures in a row: no worker has iPhone15,2 <b>"] * len(aside.results)


def test_nothing_is_said_of_a_device_that_was_not(report: RunReport, shown: Callable[..., str]) -> None:
    assert "set aside" not in shown(terminal_report(report), width=300) + junit_report(report)
