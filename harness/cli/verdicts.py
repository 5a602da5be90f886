"""From a verdict to an exit status."""

from __future__ import annotations

from harness.core.report import RunReport
from harness.core.verdict import Answer
from harness.errors import ExitStatus


def exit_status(report: RunReport) -> ExitStatus:
    """0 pass, 1 fail, 3 undecided; a run that is not complete never passes."""
    if report.verdict.answer is Answer.FAIL:
        return ExitStatus.FAIL
    if report.verdict.answer is Answer.PASS and report.is_complete:
        return ExitStatus.PASS
    return ExitStatus.UNDECIDED
