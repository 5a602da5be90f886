"""The results as a table for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.figures import figure_text, goal_text, spread_text, verdict_text
from benchmarks.result import Record

_STYLES = {None: "dim", True: "green", False: "red"}


def result_table(record: Record) -> RenderableType:
    """All results, their parts below them, and what could not be measured."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("benchmark")
    for title in ("figure", "spread", "goal"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("")
    for result in record.results:
        table.add_row(
            Text(result.name, style="bold"),
            figure_text(result.figure, result.unit),
            spread_text(result),
            goal_text(result),
            Text(verdict_text(result), style=_STYLES[result.is_met]),
        )
        for part in result.parts:
            table.add_row(
                Text(f"  {part.name}", style="dim"), Text(figure_text(part.figure, part.unit), style="dim")
            )
    missing = [
        Text(f"not measured {each.name}: {each.reason}", style="yellow") for each in record.not_measured
    ]
    return Group(table, *missing)
