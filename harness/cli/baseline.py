"""``harness baseline``: the runs that releases are compared with, kept by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.core.report import RunReport

_RUNS = click.option("--runs", type=click.Path(path_type=Path), help="Where run folders are kept (reports/).")


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
def set_(run: str, name: str | None, force: bool, runs: Path | None) -> int:
    """Keep the stored RUN as a baseline, in place of an earlier one of that name."""
    from harness.cli.named_runs import local_run
    from harness.cli.places import runs_folder
    from harness.pipeline.evaluate import evaluate
    from harness.store import find_run
    from harness.store.baselines import set_baseline
    from harness.store.need import Need

    runs = runs_folder(runs)
    report = evaluate(find_run(local_run(run, runs, Need.REPORT), runs))
    if not force:
        _refuse_unfit(report, run)
    path = set_baseline(runs, name or report.plan.suite_name, report)
    click.echo(f"{path}: {report.plan.run_id}")
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
def show(name: str, as_json: bool, runs: Path | None) -> int:
    """Show the report of the baseline NAME."""
    from harness.cli.places import runs_folder
    from harness.store.baselines import find_baseline

    found = find_baseline(runs_folder(runs), name)
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
def list_(runs: Path | None) -> int:
    """List the baselines: name, run, device, variants."""
    from rich.console import Console

    from harness.cli.places import runs_folder
    from harness.render.baselines import terminal_baselines
    from harness.store.baselines import BASELINES, list_baselines

    runs = runs_folder(runs)
    found = list_baselines(runs)
    if not found:
        click.echo(f"No baseline in {runs / BASELINES}. Set one: harness baseline set RUN")
        return 0
    Console().print(terminal_baselines([(one.name, one.report, one.problem) for one in found]))
    return 0
