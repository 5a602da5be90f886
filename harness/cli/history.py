"""``harness history``: the figures of every variant over the stored runs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("history")
@click.argument("suite", required=False)
@click.option("--variant", help="Only this variant.")
@click.option("--device", help="Only this device model, such as iPhone16,2.")
@click.option(
    "--table", "rows", type=click.IntRange(min=1), help="List the last so many runs of each series too."
)
@click.option("--runs", help="Where runs are: a folder (reports/), or the URL of a store.")
@click.option("--json", "as_json", is_flag=True, help="Print the series as JSON.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write a page that opens from disk."
)
def command(
    suite: str | None,
    variant: str | None,
    device: str | None,
    rows: int | None,
    runs: str | None,
    as_json: bool,
    html: Path | None,
) -> int:
    """Show how the figures went over the stored runs and baselines, those of SUITE or of all.

    A series is one variant of one suite on one model of device. A bar in a trend marks where its level changed.
    """
    from harness.cli.named_runs import store_of_runs
    from harness.cli.places import cache_folder, runs_folder
    from harness.core.history import series_of
    from harness.errors import UsageError
    from harness.store.history_index import read_history

    store = store_of_runs(runs)
    if store is not None:
        from harness.store.remote.reports import store_history

        where, history = str(store), store_history(store, cache_folder())
    else:
        folder = runs_folder(Path(runs) if runs else None)
        where, history = str(folder), read_history(folder)
    for unread in history.unread:
        click.echo(f"left out: {where}/{unread.path}: {unread.problem}", err=True)
    points = [
        point
        for point in history.points
        if suite in (None, point.place.suite)
        and variant in (None, point.place.variant)
        and device in (None, point.place.device)
    ]
    if not points:
        wanted = {"SUITE": suite, "--variant": variant, "--device": device}
        asked = ", ".join(f"{what} {value}" for what, value in wanted.items() if value is not None)
        there = sorted(
            {f"{one.place.suite}/{one.place.variant}/{one.place.device}" for one in history.points}
        )
        raise UsageError(
            f"no run {f'with {asked} ' if asked else ''}has measured anything",
            where=where,
            next_step=f"There are (suite/variant/device): {', '.join(there)}."
            if there
            else "Make a run first: harness run SUITE.",
        )
    series = series_of(points)
    if as_json:
        click.echo("[" + ",\n".join(one.model_dump_json() for one in series) + "]")
    else:
        from rich.console import Console

        from harness.render.history import terminal_history

        Console().print(terminal_history(series, runs_shown=rows or 0))
    if html is not None:
        from harness.render.html.history_page import html_history
        from harness.wire.strict_json import write_text

        write_text(html, html_history(series))
        click.echo(f"wrote {html}", err=True)
    return 0
