"""What variants weigh, as a table: all that ``harness build`` has to show."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.core.variants import FailedBuild, Variant
from harness.render.figures import size
from harness.render.plain_text import one_line


def size_table(
    built: Sequence[Variant], failed: Sequence[FailedBuild], *, source_bytes: int
) -> RenderableType:
    """File size, size as an .ipa compresses it, and both as a share of the source model's file."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("variant")
    for title in ("file", "in the .ipa", "of the source"):
        table.add_column(title, justify="right", no_wrap=True)
    for variant in built:
        table.add_row(
            Text(one_line(variant.name)),
            size(variant.file_bytes),
            size(variant.compressed_bytes),
            f"{variant.file_bytes / source_bytes:.0%}",
        )
    problems = [
        Text.assemble(
            ("not built ", "red"),
            one_line(failure.name),
            f": {one_line(failure.problem)}\n  next: {one_line(failure.next_step)}",
        )
        for failure in failed
    ]
    return Group(table, *problems)
