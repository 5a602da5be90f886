"""``harness compare A B``: what changed between two runs, variants, baselines or releases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.cluster_options import ClusterOptions, cluster_options

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
@click.option("--runs", help="Where runs are: a folder (reports/), or the URL of a store.")
@cluster_options
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write a page that opens from disk."
)
def command(
    before: str,
    after: str,
    effect: float,
    effect_points: float,
    confidence: float,
    confirm: bool,
    fail_if_worse: bool,
    runs: str | None,
    cluster: ClusterOptions,
    as_json: bool,
    html: Path | None,
) -> int:
    """Compare A with B, figure by figure.

    A and B are runs, report files, baseline:NAME or release:NAME, each with :VARIANT or without. Two variants of one
    run are compared round by round:  harness compare RUN:float32 RUN:int8
    Of two runs on several devices those on the same model are compared, one after another.
    """
    from harness.cli.named_runs import StoredSides, local_side, store_of_runs
    from harness.cli.places import runs_folder
    from harness.core.changes import Criterion
    from harness.core.comparison import compare, worse
    from harness.errors import ExitStatus
    from harness.pipeline.compared_sides import compared_side, compared_variants
    from harness.pipeline.report_group import device_pairs
    from harness.store.need import Need

    store = store_of_runs(runs)
    folder = runs_folder(None if store or runs is None else Path(runs))
    need = Need.WHOLE if confirm else Need.REPORT
    if store is not None:
        sides = StoredSides(store, need)
        before, after = sides.local(before), sides.local(after)
    before, after = (local_side(name, folder, need) for name in (before, after))
    criterion = Criterion(confidence=confidence, effect=effect, effect_points=effect_points / 100)
    comparisons = []
    for one, other in device_pairs(before, after, folder):
        a, b = compared_side(one, folder), compared_side(other, folder)
        comparison = compare(a.report, b.report, variants=compared_variants(a, b), criterion=criterion)
        if confirm:
            comparison = _confirmed(comparison, a, b, folder, cluster, as_json=as_json)
        comparisons.append(comparison)
    if as_json and len(comparisons) == 1:
        click.echo(comparisons[0].model_dump_json(indent=1))
    elif as_json:
        click.echo(f"[{','.join(one.model_dump_json(indent=1) for one in comparisons)}]")
    else:
        from rich.console import Console

        from harness.render.comparison import terminal_comparison

        for comparison in comparisons:
            Console().print(terminal_comparison(comparison))
    if html is not None:
        from harness.render.html.comparison_page import html_comparison
        from harness.wire.strict_json import write_text

        write_text(html, html_comparison(comparisons))
        click.echo(f"wrote {html}", err=True)
    is_worse = any(map(worse, comparisons))
    return int(ExitStatus.FAIL if fail_if_worse and is_worse else ExitStatus.PASS)


def _confirmed(
    comparison: Comparison,
    a: ComparedSide,
    b: ComparedSide,
    runs: Path,
    cluster: ClusterOptions,
    *,
    as_json: bool,
) -> Comparison:
    from contextlib import closing
    from dataclasses import replace

    from rich.console import Console

    from harness.cli.live_progress import LiveProgress
    from harness.cli.places import cache_folder, runner_override
    from harness.pipeline.choose_target import TargetSettings, target_of_run
    from harness.pipeline.confirm import confirm, stored_runs, to_confirm
    from harness.pipeline.evaluate import suite_of

    first, _ = stored_runs(a, b)
    if not to_confirm(comparison):
        return comparison
    here = TargetSettings(
        cache=cache_folder(),
        idle_limit_s=suite_of(first).run.idle_limit_seconds,
        runner=runner_override(),
    )
    plan = a.report.plan
    with (
        LiveProgress(Console(stderr=True) if as_json else Console()) as progress,
        cluster.reaching(here, plan) as settings,
        closing(target_of_run(plan, replace(settings, watcher=progress))) as target,
    ):
        return confirm(comparison, a, b, runs, target, progress)
