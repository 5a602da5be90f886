"""``harness gate RUN``: judge a stored run again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("gate")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--policy", type=click.Path(path_type=Path), help="A TOML file with a [policy] table; a suite will do."
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def command(run: Path, policy: Path | None, as_json: bool) -> int:
    """Judge the stored RUN by its suite's policy, or by another.

    Runs nothing. Exit status: 0 pass, 1 fail, 3 undecided or incomplete.
    """
    from harness.cli.places import runs_folder
    from harness.cli.verdicts import exit_status
    from harness.pipeline.evaluate import evaluate
    from harness.store import find_run
    from harness.suite.read import read_policy

    section = read_policy(policy) if policy else None
    report = evaluate(find_run(run, runs_folder(None)), section, policy.parent if policy else None)
    if as_json:
        click.echo(report.verdict.model_dump_json(indent=1))
    else:
        from rich.console import Console

        from harness.render.terminal import terminal_verdict

        Console().print(terminal_verdict(report))
    return int(exit_status(report))
