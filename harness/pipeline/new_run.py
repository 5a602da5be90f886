"""From a suite file to a run that can begin: checked, its target open, its plan written."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from harness.pipeline.choose_target import (
    TargetSettings,
    absolute_target,
    choose_target,
    devices_of,
    lasting_name,
)
from harness.pipeline.evaluate import read_baseline
from harness.pipeline.prepare import open_suite_source, plan_run
from harness.pipeline.reach_devices import reached
from harness.pipeline.report_group import Judging
from harness.pipeline.run_devices import DevicesProgress, NewRun
from harness.store import GroupFolder, RunFolder, read_report
from harness.suite.read import read_suite


def new_run(
    suite_path: Path,
    runs: Path,
    settings: TargetSettings,
    held: ExitStack,
    *,
    target: str | None = None,
    judging: Judging = None,
    release: str = "",
    until_decided: bool = False,
    progress: DevicesProgress | None = None,
) -> NewRun:
    """Plan a run of the suite in a new folder of ``runs``; ``target`` instead of the suite's own.

    Several devices make a group of runs. ``progress`` also hears what its targets do meanwhile. What reaches the
    devices stays open as long as ``held``; the result's settings are those by which they are reached.

    Raises:
        HarnessError: the suite, its target or the baseline cannot be used; nothing was built yet.
    """
    suite, text = read_suite(suite_path)
    base = suite_path.parent
    name = absolute_target(target, Path()) if target else absolute_target(suite.run.target, base)
    read_baseline(*(judging or (suite.policy, base)))
    source = open_suite_source(suite, base)
    devices = devices_of(name, settings.cluster)
    named_cluster = settings.cluster
    settings = replace(settings, idle_limit_s=suite.run.idle_limit_seconds)
    settings = held.enter_context(reached(devices, settings))
    with ExitStack() as opened:
        # A target that cannot be used is told before anything is built.
        targets = []
        for number, device in enumerate(devices, start=1):
            watched = settings
            if progress is not None:
                watcher = progress.of_device(str(number)) if len(devices) > 1 else progress
                watched = replace(settings, watcher=watcher)
            targets.append(choose_target(device, watched))
            opened.callback(targets[-1].close)
        plan = plan_run(suite, suite_path, text, source, name, release, until_decided=until_decided)
        if named_cluster is not None:
            plan = plan.model_copy(update={"cluster": named_cluster.address})
        names = tuple(map(lasting_name, devices, targets))
        folder: RunFolder | GroupFolder
        if len(devices) > 1:
            folder = GroupFolder.create(runs, plan, names)
        else:
            folder = RunFolder.create(runs, plan.model_copy(update={"target": names[0]}))
        if suite.policy.baseline is not None and judging is None:
            # The run can be judged again where that file is not.
            for run in folder.runs() if isinstance(folder, GroupFolder) else (folder,):
                run.write_baseline(read_report(base / suite.policy.baseline))
        opened.pop_all()
    return NewRun(folder, tuple(targets), settings)
