from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.core.report import RunReport
from harness.render.markdown import escaped, markdown_report


def test_the_whole_comment(report: RunReport, check_snapshot: Callable[[str, str], None]) -> None:
    check_snapshot("report.md", markdown_report(report))


def test_the_verdict_is_the_first_line(report: RunReport) -> None:
    first = markdown_report(report).splitlines()[0]
    assert first.startswith("**❔ UNDECIDED**: int8 has accuracy drop 3 %")


def test_every_row_of_a_table_has_as_many_cells_as_its_head(report: RunReport) -> None:
    lines = markdown_report(report).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("| Variant | Size"))
    rows = lines[start : start + 6]
    assert {line.replace("\\|", "").count("|") for line in rows} == {10}


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("a|b", "a\\|b"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("[x](http://e.vil)", "\\[x\\](http:\u200b//e.vil)"),
        ("@ada and #12", "@\u200bada and #\u200b12"),
        ("**_`x`_**", "\\*\\*\\_\\`x\\`\\_\\*\\*"),
        ("www.e.vil", "www\u200b.e.vil"),
        ("back\\slash", "back\\\\slash"),
    ],
)
def test_text_is_escaped(text: str, literal: str) -> None:
    assert escaped(text) == literal


def test_an_incomplete_run_says_so(report: RunReport) -> None:
    text = markdown_report(report.model_copy(update={"jobs_done": 9}))
    assert "`harness run --resume 20261120-101112-effnet-4f2a`" in text
