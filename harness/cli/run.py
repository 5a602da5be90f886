"""``harness run``: a suite from model to verdict, or the rest of a run that was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.cli.live_progress import LiveProgress
    from harness.core.report import RunReport
    from harness.store import RunFolder
    from harness.suite.policy import PolicySection


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
    "--until-decided",
    is_flag=True,
    help="Sample until every rule is decided at the policy's error rates, or the budget is spent.",
)
@click.option(
    "--release", default="", help="What is measured, for the history: an app version, a tag, a commit."
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
    until_decided: bool,
    release: str,
    as_json: bool,
) -> int:
    """Build, run, measure and judge SUITE.

    Ctrl-C leaves a run that  harness run --resume  finishes. The exit status is the verdict.
    """
    import shlex

    from rich.console import Console
    from rich.markup import escape

    from harness.cli.live_progress import LiveProgress
    from harness.cli.places import cache_folder, runs_folder
    from harness.cli.verdicts import exit_status
    from harness.core.runs import LONGEST_RELEASE
    from harness.errors import UsageError

    console = Console(stderr=True) if as_json else Console()
    if suite is None and not resume:
        raise UsageError("no suite is named", next_step="harness run SUITE, or harness run --resume.")
    if resume and target is not None:
        raise UsageError(
            "a run is resumed on the target that it began on",
            where="--target",
            next_step="Leave --target out, or start a new run: harness run SUITE --target TARGET.",
        )
    if resume and until_decided:
        raise UsageError(
            "a run goes on as it was planned: sampling until decided is chosen when it starts",
            where="--until-decided",
            next_step="Leave it out, or start a new run: harness run SUITE --until-decided.",
        )
    if len(release) > LONGEST_RELEASE:
        raise UsageError(
            f"a release's name has at most {LONGEST_RELEASE} characters, not {len(release)}",
            where="--release",
            next_step="Give a version, a tag or a short commit.",
        )
    runs = runs_folder(runs)
    judging = _judging(policy) if policy else None
    with LiveProgress(console) as progress:
        folder = (
            _resumed(suite, runs) if resume else _new(suite, target, runs, judging, release, until_decided)
        )
        console.print(f"Run [bold]{escape(str(folder.path))}[/]", soft_wrap=True)
        try:
            report = _work(folder, cache or cache_folder(), progress, judging, is_new=not resume)
        except KeyboardInterrupt:
            finish = f"harness run --resume {escape(shlex.quote(str(folder.path)))}"
            console.print(f"\nInterrupted. Finish it: {finish}", soft_wrap=True)
            raise
    if as_json:
        click.echo(report.model_dump_json(indent=1))
    else:
        from harness.render.terminal import terminal_report

        console.print(terminal_report(report))
    return int(exit_status(report))


def _judging(policy_path: Path) -> tuple[PolicySection, Path]:
    """Another policy, and the folder that its baseline's path starts from."""
    from harness.suite.read import read_policy

    return read_policy(policy_path), policy_path.parent


def _new(
    suite_path: Path | None,
    target: str | None,
    runs: Path,
    judging: tuple[PolicySection, Path] | None,
    release: str,
    until_decided: bool,
) -> RunFolder:
    from harness.cli.places import runner_override
    from harness.pipeline.choose_target import absolute_target, choose_target
    from harness.pipeline.evaluate import read_baseline
    from harness.pipeline.prepare import open_suite_source, plan_run
    from harness.store import RunFolder
    from harness.suite.read import read_suite

    assert suite_path is not None
    suite, text = read_suite(suite_path)
    base = suite_path.parent
    name = absolute_target(target, Path()) if target else absolute_target(suite.run.target, base)
    # A target or a baseline that cannot be used is told before anything is built.
    choose_target(name, idle_limit_s=suite.run.idle_limit_seconds, runner=runner_override()).close()
    read_baseline(*(judging or (suite.policy, base)))
    source = open_suite_source(suite, base)
    plan = plan_run(suite, suite_path, text, source, name, release, until_decided=until_decided)
    return RunFolder.create(runs, plan)


def _resumed(named: Path | None, runs: Path) -> RunFolder:
    from harness.store import find_run, latest_incomplete_run

    return find_run(named, runs) if named else latest_incomplete_run(runs)


def _work(
    folder: RunFolder,
    cache: Path,
    progress: LiveProgress,
    judging: tuple[PolicySection, Path] | None,
    *,
    is_new: bool,
) -> RunReport:
    from harness.cli.places import runner_override
    from harness.errors import HarnessError
    from harness.pipeline.choose_target import choose_target
    from harness.pipeline.evaluate import evaluate, read_baseline, suite_of
    from harness.pipeline.measure import measure
    from harness.pipeline.prepare import prepare
    from harness.pipeline.until_decided import sample_until_decided
    from harness.wire.blobs import BlobStore

    suite = suite_of(folder)
    with folder.locked():
        if not folder.is_complete:
            try:
                variants = prepare(folder, suite, cache, progress)
            except HarnessError:
                # It would end the same way again: there is nothing to resume.
                if is_new:
                    folder.discard()
                raise
            target = choose_target(
                folder.plan().target, idle_limit_s=suite.run.idle_limit_seconds, runner=runner_override()
            )
            try:
                if folder.plan().until_decided is None:
                    measure(folder, suite.variants.specs, variants, BlobStore(cache), target, progress)
                else:
                    section, base = judging or (suite.policy, Path(folder.plan().suite_path).parent)
                    sample_until_decided(
                        folder,
                        suite,
                        variants,
                        BlobStore(cache),
                        target,
                        progress,
                        policy=section,
                        baseline=read_baseline(section, base),
                    )
            finally:
                target.close()
        report = evaluate(folder, *(judging or ()))
        folder.write_report(report)
    return report
