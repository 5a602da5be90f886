"""From a verdict to an exit status."""

from __future__ import annotations

from harness.core.device_group import GroupReport
from harness.core.report import RunReport
from harness.core.verdict import Answer
from harness.errors import ExitStatus


def group_exit_status(report: GroupReport) -> ExitStatus:
    """As ``exit_status``: fail where one device fails, pass only where all pass."""
    if report.answer is Answer.FAIL:
        return ExitStatus.FAIL
    return ExitStatus.PASS if report.answer is Answer.PASS else ExitStatus.UNDECIDED


def exit_status(report: RunReport) -> ExitStatus:
    """0 pass, 1 fail, 3 undecided; a run that is not complete never passes."""
    if report.verdict.answer is Answer.FAIL:
        return ExitStatus.FAIL
    if report.verdict.answer is Answer.PASS and report.is_complete:
        return ExitStatus.PASS
    return ExitStatus.UNDECIDED
