"""Run a suite's jobs on one device, or on several at once, and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from harness.core.device_group import GroupReport
from harness.core.report import RunReport
from harness.core.variants import Variant
from harness.errors import HarnessError, TargetBusyError, TargetError
from harness.pipeline.choose_target import TargetSettings, choose_target
from harness.pipeline.evaluate import baseline_of, evaluate, suite_of
from harness.pipeline.measure import measure
from harness.pipeline.prepare import prepare
from harness.pipeline.progress import Progress
from harness.pipeline.report_group import Judging, report_group
from harness.pipeline.shard_pools import shard_pool
from harness.pipeline.until_decided import sample_until_decided
from harness.store import RunFolder
from harness.store.group_folder import GroupFolder, share_preparation
from harness.targets.base import Target
from harness.wire.blobs import BlobStore


class DevicesProgress(Progress, Protocol):
    """A progress that can be split by device."""

    def of_device(self, label: str) -> Progress: ...


@dataclass(frozen=True)
class NewRun:
    """A run that was just planned, with the targets that it was planned for, still open."""

    folder: RunFolder | GroupFolder
    targets: tuple[Target, ...]
    settings: TargetSettings
    """By which its devices are reached."""


def run_on_device(
    folder: RunFolder,
    settings: TargetSettings,
    progress: Progress,
    judging: Judging,
    opened: Target | None = None,
) -> RunReport:
    """Prepare the run, measure what has not been measured, and write its report.

    ``opened`` is the target of a new run, closed here. A new run that cannot be prepared is removed: it would end the
    same way again; so is one whose device another harness works on.

    Raises:
        HarnessError: whatever kept it from being prepared, or the target from being used.
    """
    with folder.locked():
        if not folder.is_complete:
            with ExitStack() as closing_target:
                if opened is not None:
                    closing_target.callback(opened.close)
                variants = _prepared(folder, settings, progress, is_new=opened is not None)
                target = opened or _choose(folder, settings, progress)
                closing_target.callback(target.close)
                try:
                    _measure(folder, variants, settings, target, progress, judging)
                except TargetBusyError:
                    if opened is not None and not folder.has_begun:
                        folder.discard()
                    raise
        report = evaluate(folder, *(judging or ()))
        folder.write_report(report)
    return report


def run_on_devices(
    group: GroupFolder,
    settings: TargetSettings,
    progress: DevicesProgress,
    judging: Judging,
    opened: Sequence[Target] = (),
) -> tuple[GroupReport, list[TargetError]]:
    """The same on every device of the group at once, each in a thread of its own; variants are built once.

    A device that cannot be used does not keep the others from finishing: the report lacks it, and its error is
    returned.

    Raises:
        HarnessError: the run could not be prepared.
        TargetError: no device could be used.
    """
    runs = group.runs()
    errors: list[TargetError] = []
    with ExitStack() as held:
        for target in opened:
            held.callback(target.close)
        for run in runs:
            held.enter_context(run.locked())
        open_runs = [run for run in runs if not run.is_complete]
        if open_runs:
            try:
                variants = _prepared(runs[0], settings, progress, is_new=False)
            except HarnessError:
                if opened:
                    group.discard()
                raise
            for run in runs[1:]:
                share_preparation(runs[0], run)
            by_run = dict(zip([run.path for run in runs], opened, strict=True)) if opened else {}
            errors = _measure_all(open_runs, variants, settings, progress, judging, by_run)
            if len(errors) == len(runs):
                if opened and all(isinstance(error, TargetBusyError) for error in errors):
                    group.discard()
                raise errors[0]
        report = report_group(group, judging)
        for run, device in zip(runs, report.devices, strict=True):
            if device.report is not None:
                run.write_report(device.report)
        group.write_report(report)
    return report, errors


def _prepared(
    folder: RunFolder, settings: TargetSettings, progress: Progress, *, is_new: bool
) -> dict[str, Variant]:
    try:
        with shard_pool(settings) as pool:
            return prepare(folder, suite_of(folder), settings.cache, progress, pool)
    except HarnessError:
        if is_new:
            folder.discard()
        raise


def _measure(
    folder: RunFolder,
    variants: Mapping[str, Variant],
    settings: TargetSettings,
    target: Target,
    progress: Progress,
    judging: Judging,
) -> None:
    """Run the jobs that are left; of a run that samples until it is decided, as many as that takes."""
    suite, plan, cache = suite_of(folder), folder.plan(), BlobStore(settings.cache)
    if plan.until_decided is None:
        measure(folder, suite.variants.specs, variants, cache, target, progress)
        return
    sample_until_decided(
        folder,
        suite,
        variants,
        cache,
        target,
        progress,
        policy=judging[0] if judging else suite.policy,
        baseline=baseline_of(folder, judging),
    )


def device_label(run: RunFolder) -> str:
    """The number of a group's device."""
    return run.path.name.rpartition(".")[2]


def _choose(run: RunFolder, settings: TargetSettings, progress: Progress) -> Target:
    return choose_target(
        run.plan().target,
        replace(settings, watcher=progress, idle_limit_s=suite_of(run).run.idle_limit_seconds),
    )


def _measure_all(
    runs: Sequence[RunFolder],
    variants: dict[str, Variant],
    settings: TargetSettings,
    progress: DevicesProgress,
    judging: Judging,
    opened: Mapping[Path, Target],
) -> list[TargetError]:
    """Measure on each device in a thread of its own; what kept those from finishing that could not."""
    targets: list[Target] = []
    errors: list[TargetError] = []

    def work(run: RunFolder) -> None:
        device = progress.of_device(device_label(run))
        target = opened.get(run.path) or _choose(run, settings, device)
        targets.append(target)
        try:
            _measure(run, variants, settings, target, device, judging)
        finally:
            target.close()

    with ThreadPoolExecutor(len(runs), thread_name_prefix="device") as pool:
        pending = [pool.submit(work, run) for run in runs]
        try:
            for done in as_completed(pending):
                try:
                    done.result()
                except TargetError as error:
                    errors.append(error)
        except BaseException:
            # Ctrl-C reaches this thread alone: ending the targets ends what the others wait for.
            for one in pending:
                one.cancel()
            for target in targets:
                target.close()
            raise
    return errors
