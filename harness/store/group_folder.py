"""The folder of a run on several devices: ``group.json`` and, below ``devices/``, one run folder for each."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness.core.device_group import GROUP_VERSION, DeviceGroup, GroupDevice, GroupReport
from harness.core.runs import Plan
from harness.errors import RunError, UsageError
from harness.store.run_folder import RunFolder, find_folder
from harness.wire.strict_json import parse_object, read_value, version_problem, write_text, write_value

_DAMAGED = "The run folder is damaged: run the suite again."
_SHARED = ("workload.json", "skipped.json", "reference.json", "chain.json", "schedule.json")


class GroupFolder:
    """Reads and writes a group's folder; each device's run is an immutable run folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, runs: Path, plan: Plan, targets: tuple[str, ...]) -> GroupFolder:
        """A new folder in ``runs``: ``plan`` once for each of ``targets``, which it runs on instead of its own."""
        devices = tuple(
            GroupDevice(folder=f"{plan.run_id}.{number}", target=target)
            for number, target in enumerate(targets, start=1)
        )
        folder = cls(runs / plan.run_id)
        for device in devices:
            RunFolder.create(
                folder.path / "devices",
                plan.model_copy(update={"run_id": device.folder, "target": device.target}),
            )
        write_value(
            folder.path / "group.json",
            DeviceGroup(
                run_id=plan.run_id,
                created_unix_ns=plan.created_unix_ns,
                suite_name=plan.suite_name,
                target=plan.target,
                devices=devices,
            ),
        )
        return folder

    @classmethod
    def open(cls, path: Path) -> GroupFolder:
        """The group in ``path``.

        Raises:
            RunError: a newer harness wrote it.
            WireError: it is damaged.
        """
        folder = cls(path)
        try:
            document = parse_object((path / "group.json").read_bytes())
            newer = version_problem(document, "group_version", GROUP_VERSION)
        except (OSError, ValueError):
            newer = None
        if newer:
            raise RunError(newer, where=str(path), next_step="Update the harness to read this run.")
        folder.group()
        return folder

    def group(self) -> DeviceGroup:
        return read_value(self.path / "group.json", DeviceGroup, next_step=_DAMAGED)

    def runs(self) -> tuple[RunFolder, ...]:
        """The devices' runs, in the group's order.

        Raises:
            RunError: one of them is missing.
        """
        return tuple(RunFolder.open(self.path / "devices" / device.folder) for device in self.group().devices)

    def write_report(self, report: GroupReport) -> None:
        write_text(self.path / "group_report.json", report.model_dump_json(indent=1) + "\n")

    def discard(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path)

    @property
    def is_complete(self) -> bool:
        return all(run.is_complete for run in self.runs())


def is_group(path: Path) -> bool:
    return (path / "group.json").is_file()


def open_run(named: Path, runs: Path) -> RunFolder | GroupFolder:
    """The run or the group in the folder ``named``, or the one of that name in ``runs``.

    Raises:
        RunError: there is none there, or a newer harness wrote it.
    """
    folder = find_folder(named, runs)
    return GroupFolder.open(folder) if is_group(folder) else RunFolder.open(folder)


def latest_incomplete_run(runs: Path) -> RunFolder | GroupFolder:
    """The newest run or group in ``runs`` that was cut off.

    Raises:
        UsageError: there is none.
    """
    found = [path.parent for pattern in ("*/plan.json", "*/group.json") for path in runs.glob(pattern)]
    for path in sorted(found, reverse=True):
        folder = open_run(path, runs)
        if not folder.is_complete:
            return folder
    raise UsageError(
        "there is no unfinished run to resume", where=str(runs), next_step="Start one: harness run SUITE."
    )


def share_preparation(prepared: RunFolder, other: RunFolder) -> None:
    """Give ``other`` what ``prepared`` was prepared with: workload, reference, variants, schedule, blobs."""
    if other.has_schedule():
        return
    other.blobs.folder.mkdir(parents=True, exist_ok=True)
    for blob in prepared.blobs.folder.glob("*"):
        if not blob.name.startswith(".") and not (other.blobs.folder / blob.name).exists():
            _link_or_copy(blob, other.blobs.folder / blob.name)
    (other.path / "variants").mkdir(exist_ok=True)
    for variant in (prepared.path / "variants").glob("*.json"):
        _link_or_copy(variant, other.path / "variants" / variant.name)
    # The schedule last: with it a run counts as prepared.
    for name in _SHARED:
        if (prepared.path / name).is_file():
            _link_or_copy(prepared.path / name, other.path / name)


def _link_or_copy(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:
        shutil.copyfile(source, partial)
    partial.replace(target)
