"""``harness run``: a suite from model to verdict, or the rest of a run that was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.cli.live_progress import LiveProgress
    from harness.core.report import RunReport
    from harness.store import RunFolder


@click.command("run")
@click.argument("suite", type=click.Path(path_type=Path), required=False)
@click.option(
    "--resume",
    is_flag=True,
    help="Finish a run: SUITE is then a run folder, or nothing for the newest unfinished one.",
)
@click.option("--target", help="Where to run, instead of the suite's target: local, replay:RUN.")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="Judge by this file's [policy], not by the suite's."
)
@click.option("--runs", type=click.Path(path_type=Path), help="Where run folders are kept (reports/).")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Where built variants and decoded inputs are kept."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the report as JSON; progress goes to standard error."
)
def command(
    suite: Path | None,
    resume: bool,
    target: str | None,
    policy: Path | None,
    runs: Path | None,
    cache: Path | None,
    as_json: bool,
) -> int:
    """Build, run, measure and judge SUITE.

    Ctrl-C leaves a run that  harness run --resume  finishes. The exit status is the verdict.
    """
    from rich.console import Console

    from harness.cli.live_progress import LiveProgress
    from harness.cli.places import cache_folder, runs_folder
    from harness.cli.verdicts import exit_status
    from harness.errors import UsageError

    console = Console(stderr=True) if as_json else Console()
    if suite is None and not resume:
        raise UsageError("no suite is named", next_step="harness run SUITE, or harness run --resume.")
    runs = runs_folder(runs)
    with LiveProgress(console) as progress:
        folder = _resumed(suite, runs) if resume else _new(suite, target, runs)
        console.print(f"Run [bold]{folder.path}[/]")
        try:
            report = _work(folder, cache or cache_folder(), progress, policy)
        except KeyboardInterrupt:
            console.print(f"\nInterrupted. Finish it: harness run --resume {folder.path}")
            raise
    if as_json:
        click.echo(report.model_dump_json(indent=1, exclude_none=True))
    else:
        from harness.render.terminal import terminal_report

        console.print(terminal_report(report))
    return int(exit_status(report))


def _new(suite_path: Path | None, target: str | None, runs: Path) -> RunFolder:
    from harness.cli.places import runner_override
    from harness.pipeline.choose_target import choose_target
    from harness.pipeline.prepare import open_suite_source, plan_run
    from harness.store import RunFolder
    from harness.suite import read_suite

    assert suite_path is not None
    suite, text = read_suite(suite_path)
    name = target or suite.run.target
    # A target that cannot be used is told before anything is built.
    choose_target(name, idle_limit_s=suite.run.idle_limit_seconds, runner=runner_override()).close()
    source = open_suite_source(suite, suite_path.parent)
    return RunFolder.create(runs, plan_run(suite, suite_path, text, source, name))


def _resumed(named: Path | None, runs: Path) -> RunFolder:
    from harness.store import find_run, latest_incomplete_run

    return find_run(named, runs) if named else latest_incomplete_run(runs)


def _work(folder: RunFolder, cache: Path, progress: LiveProgress, policy_path: Path | None) -> RunReport:
    from harness.cli.places import runner_override
    from harness.pipeline.choose_target import choose_target
    from harness.pipeline.evaluate import evaluate, suite_of
    from harness.pipeline.measure import measure
    from harness.pipeline.prepare import prepare
    from harness.suite import read_policy
    from harness.wire.blobs import BlobStore

    suite = suite_of(folder)
    policy = read_policy(policy_path) if policy_path else None
    with folder.locked():
        if not folder.is_complete:
            variants = prepare(folder, suite, cache, progress)
            target = choose_target(
                folder.plan().target, idle_limit_s=suite.run.idle_limit_seconds, runner=runner_override()
            )
            try:
                measure(folder, variants, BlobStore(cache), target, progress)
            finally:
                target.close()
        report = evaluate(folder, policy, policy_path.parent if policy_path else None)
        folder.write_report(report)
    return report
