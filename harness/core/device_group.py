"""One suite on several devices at once: the group, and its report with a column for each device."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.core.jobs import Count, JobId, PositiveCount
from harness.core.report import RunReport
from harness.core.value import Value
from harness.core.verdict import Answer

GROUP_VERSION = 1


class GroupDevice(Value):
    """A device of the group; its run is the folder ``devices/<folder>``. ``target`` is the plan's target."""

    folder: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    target: str


class DeviceGroup(Value):
    """``group.json``: what was going to be run where; written first, never changed."""

    group_version: Literal[1] = 1
    run_id: JobId
    created_unix_ns: Count
    suite_name: str
    target: str
    devices: Annotated[tuple[GroupDevice, ...], Field(min_length=1)]


class DeviceReport(Value):
    """The report of one device; none where its run was cut off before there was anything to evaluate."""

    label: str
    target: str
    report: RunReport | None = None
    problem: str = ""


class GroupReport(Value):
    """The reports of all devices, and one answer: fail if a device fails, pass only if all of them pass."""

    report_version: Literal[1] = 1
    run_id: JobId
    created_unix_ns: Count
    suite_name: str
    target: str
    devices: Annotated[tuple[DeviceReport, ...], Field(min_length=1)]
    answer: Answer
    reason: str
    jobs_done: Count
    jobs_planned: PositiveCount

    @property
    def is_complete(self) -> bool:
        return all(device.report is not None and device.report.is_complete for device in self.devices)


def group_report(group: DeviceGroup, devices: tuple[DeviceReport, ...]) -> GroupReport:
    """The combined report; a release that one phone refuses is refused."""
    answer, reason = _overall(devices)
    reports = [device.report for device in devices if device.report is not None]
    return GroupReport(
        run_id=group.run_id,
        created_unix_ns=group.created_unix_ns,
        suite_name=group.suite_name,
        target=group.target,
        devices=devices,
        answer=answer,
        reason=reason,
        jobs_done=sum(report.jobs_done for report in reports),
        jobs_planned=max(1, sum(report.jobs_planned for report in reports)),
    )


def device_answer(device: DeviceReport) -> Answer:
    """The device's own verdict; a run that is not complete never passes."""
    report = device.report
    if report is None:
        return Answer.UNDECIDED
    if report.verdict.answer is Answer.PASS and not report.is_complete:
        return Answer.UNDECIDED
    return report.verdict.answer


def _overall(devices: tuple[DeviceReport, ...]) -> tuple[Answer, str]:
    answers = [(device.label, device_answer(device)) for device in devices]
    for answer in (Answer.FAIL, Answer.UNDECIDED):
        those = [label for label, its in answers if its is answer]
        if those:
            return answer, f"{answer} on {len(those)} of {len(devices)} devices: {', '.join(those)}"
    return Answer.PASS, f"all {len(devices)} devices pass"
