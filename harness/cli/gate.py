"""``harness gate RUN``: judge a stored run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.store import GroupFolder
    from harness.suite.policy import PolicySection


@click.command("gate")
@click.argument("run")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="A TOML file with a [policy] table; a suite will do."
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def command(run: str, policy: Path | None, as_json: bool) -> int:
    """Judge the stored RUN by its suite's policy, or by another.

    Runs nothing. Exit status: 0 pass, 1 fail, 3 undecided or incomplete.
    """
    from harness.cli.named_runs import local_run
    from harness.cli.places import runs_folder
    from harness.cli.verdicts import exit_status
    from harness.pipeline.evaluate import evaluate
    from harness.store import GroupFolder, open_run
    from harness.store.need import Need
    from harness.suite.read import read_policy

    section = read_policy(policy) if policy else None
    runs = runs_folder(None)
    folder = open_run(local_run(run, runs, Need.REPORT), runs)
    if isinstance(folder, GroupFolder):
        return _gate_group(folder, (section, policy.parent) if section and policy else None, as_json=as_json)
    report = evaluate(folder, section, policy.parent if policy else None)
    if as_json:
        click.echo(report.verdict.model_dump_json(indent=1))
    else:
        from rich.console import Console

        from harness.render.terminal import terminal_verdict

        Console().print(terminal_verdict(report))
    return int(exit_status(report))


def _gate_group(folder: GroupFolder, judging: tuple[PolicySection, Path] | None, *, as_json: bool) -> int:
    from harness.cli.verdicts import group_exit_status
    from harness.pipeline.report_group import report_group

    report = report_group(folder, judging)
    if as_json:
        click.echo(report.model_dump_json(indent=1, include={"run_id", "answer", "reason"}))
    else:
        from rich.console import Console

        from harness.render.device_group import terminal_group_verdict

        Console().print(terminal_group_verdict(report))
    return int(group_exit_status(report))
