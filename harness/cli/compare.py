"""``harness compare A B``: what changed between two runs, variants, baselines or releases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.core.comparison import Comparison
    from harness.pipeline.compared_sides import ComparedSide

_BETWEEN = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command("compare")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option(
    "--effect",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.02,
    show_default=True,
    help="The least change of latency or memory that matters, as a share of A's.",
)
@click.option(
    "--effect-points",
    type=click.FloatRange(0, 100, max_open=True),
    default=0.5,
    show_default=True,
    help="The least change of agreement or accuracy that matters, in percentage points.",
)
@click.option(
    "--confidence",
    type=_BETWEEN,
    default=0.95,
    show_default=True,
    help="Of all figures of a variant together.",
)
@click.option(
    "--confirm", is_flag=True, help="Run what differs again, A and B in turn, and say whether it stays."
)
@click.option(
    "--fail-if-worse", is_flag=True, help="Exit with 1 if a figure is worse (with --confirm: and stays so)."
)
@click.option("--runs", type=click.Path(path_type=Path), help="Where run folders are kept (reports/).")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def command(
    before: str,
    after: str,
    effect: float,
    effect_points: float,
    confidence: float,
    confirm: bool,
    fail_if_worse: bool,
    runs: Path | None,
    as_json: bool,
) -> int:
    """Compare A with B, figure by figure.

    A and B are runs, report files, baseline:NAME or release:NAME, each with :VARIANT or without. Two variants of one
    run are compared round by round:  harness compare RUN:float32 RUN:int8
    """
    from harness.cli.places import runs_folder
    from harness.core.changes import Criterion
    from harness.core.comparison import compare, worse
    from harness.errors import ExitStatus
    from harness.pipeline.compared_sides import compared_side, compared_variants

    runs = runs_folder(runs)
    a, b = compared_side(before, runs), compared_side(after, runs)
    comparison = compare(
        a.report,
        b.report,
        variants=compared_variants(a, b),
        criterion=Criterion(confidence=confidence, effect=effect, effect_points=effect_points / 100),
    )
    if confirm:
        comparison = _confirmed(comparison, a, b, runs, as_json=as_json)
    if as_json:
        click.echo(comparison.model_dump_json(indent=1))
    else:
        from rich.console import Console

        from harness.render.comparison import terminal_comparison

        Console().print(terminal_comparison(comparison))
    return int(ExitStatus.FAIL if fail_if_worse and worse(comparison) else ExitStatus.PASS)


def _confirmed(
    comparison: Comparison, a: ComparedSide, b: ComparedSide, runs: Path, *, as_json: bool
) -> Comparison:
    from rich.console import Console

    from harness.cli.live_progress import LiveProgress
    from harness.cli.places import runner_override
    from harness.pipeline.choose_target import choose_target
    from harness.pipeline.confirm import confirm, stored_runs, to_confirm
    from harness.pipeline.evaluate import suite_of

    first, _ = stored_runs(a, b)
    if not to_confirm(comparison):
        return comparison
    idle_limit_s = suite_of(first).run.idle_limit_seconds
    target = choose_target(a.report.plan.target, idle_limit_s=idle_limit_s, runner=runner_override())
    try:
        with LiveProgress(Console(stderr=True) if as_json else Console()) as progress:
            return confirm(comparison, a, b, runs, target, progress)
    finally:
        target.close()
