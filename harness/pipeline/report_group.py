"""The combined report of a run on several devices, from what is stored of it. Needs no device."""

from __future__ import annotations

from pathlib import Path

from harness.core.device_group import DeviceReport, GroupReport, group_report
from harness.core.measurements import Measurement
from harness.core.report import RunReport
from harness.errors import RunError
from harness.pipeline.evaluate import evaluate
from harness.store.group_folder import GroupFolder, is_group
from harness.store.run_folder import find_folder
from harness.suite.policy import PolicySection

Judging = tuple[PolicySection, Path] | None
"""Another policy, and the folder that its baseline's path starts from; none: the suite's own."""


def report_group(group: GroupFolder, judging: Judging = None) -> GroupReport:
    """The combined report of a group as it is stored now."""
    devices = []
    for device, run in zip(group.group().devices, group.runs(), strict=True):
        try:
            report = evaluate(run, *(judging or ()))
        except RunError as error:
            devices.append(DeviceReport(label=device.folder, target=device.target, problem=error.problem))
            continue
        devices.append(DeviceReport(label=_label(device.folder, report), target=device.target, report=report))
    return group_report(group.group(), tuple(devices))


def _label(folder: str, report: RunReport) -> str:
    """What a person calls the device: number, model and iOS as its runner told them."""
    number = folder.rpartition(".")[2]
    for result in report.results:
        if isinstance(result, Measurement):
            device = result.device
            return f"{number}: {device.model}, {device.os} {device.os_version}"
    return folder


def device_pairs(before: str, after: str, runs: Path) -> list[tuple[str, str]]:
    """What to compare where ``before`` and ``after`` ran on several devices: the runs on the same models.

    Anything else is one pair, as it is named.

    Raises:
        RunError: one of the two is such a run and the other is not, or they have no model in common.
    """
    first, second = (find_folder(Path(name), runs) for name in (before, after))
    if not is_group(first) and not is_group(second):
        return [(before, after)]
    if not (is_group(first) and is_group(second)):
        group, other = (first, after) if is_group(first) else (second, before)
        raise RunError(
            f"ran on several devices, {other} on one",
            where=str(group),
            next_step=f"Name the device's run: {group.name}.1.",
        )
    theirs = _by_model(GroupFolder.open(second))
    pairs = [
        (path, theirs[model].pop(0))
        for model, paths in _by_model(GroupFolder.open(first)).items()
        for path in paths
        if theirs.get(model)
    ]
    if not pairs:
        raise RunError(
            f"ran on no model of device that {before} ran on",
            where=str(second),
            next_step="Compare runs on the same models of phone.",
        )
    return pairs


def _by_model(group: GroupFolder) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for run in group.runs():
        for result in evaluate(run).results:
            if isinstance(result, Measurement):
                found.setdefault(result.device.model, []).append(str(run.path))
                break
    return found
