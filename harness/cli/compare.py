"""``harness compare RUN RUN``: what changed between two stored runs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("compare")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def command(before: Path, after: Path, as_json: bool) -> int:
    """Compare the stored runs BEFORE and AFTER, variant by variant."""
    from harness.cli.places import runs_folder
    from harness.core.comparison import compare
    from harness.pipeline.evaluate import evaluate, steady_latencies
    from harness.store import find_run

    runs = runs_folder(None)
    first, second = find_run(before, runs), find_run(after, runs)
    comparison = compare(evaluate(first), evaluate(second), steady_latencies(first), steady_latencies(second))
    if as_json:
        click.echo(comparison.model_dump_json(indent=1))
    else:
        from rich.console import Console

        from harness.render.comparison import terminal_comparison

        Console().print(terminal_comparison(comparison))
    return 0
