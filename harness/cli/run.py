"""``harness run``: a suite from model to verdict, or the rest of a run that was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.cluster_options import ClusterOptions, cluster_options

if TYPE_CHECKING:
    from rich.console import Console

    from harness.core.device_group import GroupReport
    from harness.core.runs import Plan
    from harness.pipeline.choose_target import TargetSettings
    from harness.store import GroupFolder, RunFolder
    from harness.suite.policy import PolicySection
    from harness.targets.base import Target


@click.command("run")
@click.argument("suite", type=click.Path(path_type=Path), required=False)
@click.option(
    "--resume",
    is_flag=True,
    help="Finish a run: SUITE is then a run folder, or nothing for the newest unfinished one.",
)
@click.option(
    "--target",
    help="Where to run, instead of the suite's target: local, iphone, iphone:UDID, iphone:*, "
    "'iphone where model=iPhone15,* and ios>=18', virtual, replay:RUN.",
)
@click.option(
    "--launch",
    type=click.Choice(["auto", "tap"]),
    default="auto",
    show_default=True,
    help="On a phone: launch the app where that is possible, or wait for a person to tap it.",
)
@click.option(
    "--policy", type=click.Path(path_type=Path), help="Judge by this file's [policy], not by the suite's."
)
@click.option("--runs", type=click.Path(path_type=Path), help="Where run folders are kept (reports/).")
@click.option(
    "--store", help="Send the run to this folder or URL too, such as s3://bucket/folder (HARNESS_STORE)."
)
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
@cluster_options
@click.option(
    "--json", "as_json", is_flag=True, help="Print the report as JSON; progress goes to standard error."
)
def command(
    suite: Path | None,
    resume: bool,
    target: str | None,
    launch: str,
    policy: Path | None,
    runs: Path | None,
    store: str | None,
    cache: Path | None,
    until_decided: bool,
    release: str,
    cluster: ClusterOptions,
    as_json: bool,
) -> int:
    """Build, run, measure and judge SUITE.

    Ctrl-C leaves a run that  harness run --resume  finishes. The exit status is the verdict.
    """
    import shlex
    from contextlib import ExitStack

    from rich.console import Console
    from rich.markup import escape

    from harness.cli.live_progress import LiveProgress
    from harness.cli.places import cache_folder, runs_folder
    from harness.cli.push import sent_when_done
    from harness.cli.verdicts import exit_status
    from harness.core.runs import LONGEST_RELEASE
    from harness.errors import UsageError
    from harness.pipeline.new_run import new_run
    from harness.pipeline.reach_devices import reached
    from harness.pipeline.run_devices import run_on_device, run_on_devices
    from harness.render.plain_text import one_line
    from harness.store import GroupFolder

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
    resumed = _resumed(suite, runs) if resume else None
    plans = [] if resumed is None else _plans(resumed)
    plan = plans[0] if plans else None
    if launch == "tap" and cluster.address_for(plan) is not None:
        raise UsageError(
            "the phones of a cluster are launched by their workers",
            where="--launch",
            next_step="Leave --launch out, or run beside the phone: --target iphone without --cluster.",
        )
    judging = _judging(policy) if policy else None
    settings = _settings(cache or cache_folder(), launch)
    # When all is shown, and however the run ends.
    sending = click.get_current_context().with_resource(sent_when_done(store, console))
    with LiveProgress(console) as progress, ExitStack() as held:
        no_targets: tuple[Target, ...] = ()
        if resumed is not None or not _is_replay(suite, target):
            settings = held.enter_context(cluster.reaching(settings, plan))
        if resumed is not None:
            folder, opened = resumed, no_targets
            settings = held.enter_context(reached([plan.target for plan in plans], settings))
        else:
            assert suite is not None
            new = new_run(
                suite,
                runs,
                settings,
                held,
                target=target,
                judging=judging,
                release=release,
                until_decided=until_decided,
                progress=progress,
            )
            folder, opened, settings = new.folder, new.targets, new.settings
        sending.folder = folder.path
        console.print(f"Run [bold]{escape(str(folder.path))}[/]", soft_wrap=True)
        try:
            if isinstance(folder, GroupFolder):
                of_group, errors = run_on_devices(folder, settings, progress, judging, opened)
                for error in errors:
                    console.print(
                        f"[red]✗[/] {escape(one_line(str(error)))} [dim]{escape(one_line(error.next_step))}[/]"
                    )
                return _show_group(of_group, console, as_json=as_json)
            report = run_on_device(folder, settings, progress, judging, next(iter(opened), None))
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


def _show_group(report: GroupReport, console: Console, *, as_json: bool) -> int:
    from harness.cli.verdicts import group_exit_status

    if as_json:
        click.echo(report.model_dump_json(indent=1))
    else:
        from harness.render.device_group import terminal_group

        console.print(terminal_group(report))
    return int(group_exit_status(report))


def _plans(folder: RunFolder | GroupFolder) -> list[Plan]:
    """Of each of its devices."""
    from harness.store import GroupFolder

    return [run.plan() for run in (folder.runs() if isinstance(folder, GroupFolder) else (folder,))]


def _is_replay(suite: Path | None, target: str | None) -> bool:
    """Whether recorded events are the target, for which no cluster need answer."""
    from harness.suite.read import read_suite

    if target is None and suite is not None:
        target = read_suite(suite)[0].run.target
    return target is not None and target.startswith("replay:")


def _settings(cache: Path, launch: str) -> TargetSettings:
    from harness.cli.places import runner_override
    from harness.pipeline.choose_target import TargetSettings
    from harness.targets.iphone.messages import LaunchMode

    return TargetSettings(cache=cache, runner=runner_override(), launch=LaunchMode(launch))


def _judging(policy_path: Path) -> tuple[PolicySection, Path]:
    """Another policy, and the folder that its baseline's path starts from."""
    from harness.suite.read import read_policy

    return read_policy(policy_path), policy_path.parent


def _resumed(named: Path | None, runs: Path) -> RunFolder | GroupFolder:
    from harness.cli.named_runs import refuse_copy
    from harness.store import latest_incomplete_run, open_run

    if named is None:
        return latest_incomplete_run(runs)
    refuse_copy(named)
    return open_run(named, runs)
