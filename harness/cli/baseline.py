"""``harness baseline``: the runs that releases are compared with, kept by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.core.report import RunReport

_RUNS = click.option(
    "--runs", help="Where baselines are: a folder of runs (reports/), or the URL of a store."
)


@click.group("baseline")
def command() -> None:
    """Keep the runs that releases are compared with.

    A policy takes one by its file:  baseline = "../reports/baselines/NAME.json".
    """


@command.command("set")
@click.argument("run")
@click.option("--name", help="What to call it (the suite's name).")
@click.option("--force", is_flag=True, help="Take a run that did not pass, too.")
@_RUNS
def set_(run: str, name: str | None, force: bool, runs: str | None) -> int:
    """Keep the stored RUN as a baseline, in place of an earlier one of that name."""
    from harness.cli.named_runs import local_run, store_of_runs
    from harness.cli.places import runs_folder
    from harness.pipeline.evaluate import evaluate
    from harness.store import find_run
    from harness.store.baselines import set_baseline
    from harness.store.need import Need

    store = store_of_runs(runs)
    folder = runs_folder(None if store or runs is None else Path(runs))
    report = evaluate(find_run(local_run(run, folder, Need.REPORT), folder))
    if not force:
        _refuse_unfit(report, run)
    name = name or report.plan.suite_name
    if store is not None:
        from harness.store.remote.baselines import send_baseline

        kept = send_baseline(store, name, report)
    else:
        kept = str(set_baseline(folder, name, report))
    click.echo(f"{kept}: {report.plan.run_id}")
    return 0


def _refuse_unfit(report: RunReport, run: str) -> None:
    from harness.core.verdict import Answer
    from harness.errors import UsageError

    if not report.is_complete:
        raise UsageError(
            "the run is incomplete, so it has no figures to compare with",
            where=run,
            next_step=f"Finish it: harness run --resume {run}",
        )
    if report.verdict.policy.rules and report.verdict.answer is not Answer.PASS:
        raise UsageError(
            f"the run's verdict is {report.verdict.answer}: {report.verdict.reason}",
            where=run,
            next_step="Choose a run that passed, or insist: --force.",
        )


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print its report as JSON.")
@_RUNS
def show(name: str, as_json: bool, runs: str | None) -> int:
    """Show the report of the baseline NAME."""
    from harness.store.baselines import find_baseline

    found = find_baseline(_local(runs), name)
    assert found.report is not None
    if as_json:
        click.echo(found.report.model_dump_json(indent=1))
    else:
        from rich.console import Console

        from harness.render.terminal import terminal_report

        Console().print(terminal_report(found.report))
    return 0


@command.command("list")
@_RUNS
def list_(runs: str | None) -> int:
    """List the baselines: name, run, device, variants."""
    from rich.console import Console

    from harness.render.baselines import terminal_baselines
    from harness.store.baselines import list_baselines

    found = list_baselines(_local(runs))
    if not found:
        click.echo(f"No baseline in {runs or 'the runs'}. Set one: harness baseline set RUN")
        return 0
    Console().print(terminal_baselines([(one.name, one.report, one.problem) for one in found]))
    return 0


def _local(runs: str | None) -> Path:
    """The folder of runs, or what a store's baselines are brought to."""
    from harness.cli.named_runs import store_of_runs
    from harness.cli.places import cache_folder, runs_folder

    store = store_of_runs(runs)
    if store is None:
        return runs_folder(Path(runs) if runs else None)
    from harness.store.remote.baselines import fetch_baselines

    return fetch_baselines(store, cache_folder())
