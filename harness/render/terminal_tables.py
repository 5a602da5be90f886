"""Figure tables for a terminal: numbers are never wrapped or cut; what is too wide makes a second table."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from harness.render.figure_tables import Cell, FigureTable, Row
from harness.render.figures import align_on_point
from harness.render.ink import ANSWER_MARK, ANSWER_STYLE, BEST, DIM, Ink
from harness.render.plain_text import encodable
from harness.render.remarks import WithoutFigures

_WIDEST_NAME = 24
_NARROWEST_NAME = 12


@dataclass(frozen=True, slots=True)
class _Laid:
    """One column, ready: its heading, its cells, how wide it must be."""

    heading: Text
    cells: list[Text]
    width: int
    justify_left: bool = False


def figure_table(
    table: FigureTable, ink: Ink, *, answers: bool, without: tuple[WithoutFigures, ...] = ()
) -> RenderableType:
    """``table``, then a row of words for each variant in ``without``.

    Spreads stand beside their figures where there is room for all of them.
    """
    names = [row.variant for row in table.rows] + [one.variant for one in without]
    name_width = max(_NARROWEST_NAME, *(min(cell_len(name), _WIDEST_NAME) for name in names or [""]))
    columns = _columns(table, ink, answers=answers, roomy=True)
    if _width(columns, name_width, gap=1) > ink.width:
        columns = _columns(table, ink, answers=answers, roomy=False)
    gap = next((gap for gap in (3, 2) if _width(columns, name_width, gap) <= ink.width), 1)
    chunks = _chunks(columns, ink.width - name_width, gap)
    parts: list[RenderableType] = []
    for chunk in chunks if table.rows else []:
        rich_table = ink.headed_table(gap=gap)
        rich_table.add_column(ink.text("Variant"), width=name_width, overflow="fold")
        for column in chunk:
            rich_table.add_column(
                column.heading,
                justify="left" if column.justify_left else "right",
                min_width=column.width,
                no_wrap=True,
                overflow="fold",
            )
        for index, row in enumerate(table.rows):
            name = ink.text((row.variant, "bold"))
            rich_table.add_row(name, *(column.cells[index] for column in chunk))
        parts.append(rich_table)
    if without:
        parts.append(_words(ink, without, name_width, gap))
    return Group(*parts)


def _columns(table: FigureTable, ink: Ink, *, answers: bool, roomy: bool) -> list[_Laid]:
    columns = [
        _column(ink, column.title, column.unit, [row.cells[index] for row in table.rows], roomy=roomy)
        for index, column in enumerate(table.columns)
    ]
    return [*columns, _answers(ink, table.rows, roomy=roomy)] if answers else columns


def _width(columns: list[_Laid], name_width: int, gap: int) -> int:
    return name_width + sum(gap + column.width for column in columns)


def _chunks(columns: list[_Laid], room: int, gap: int) -> list[list[_Laid]]:
    chunks: list[list[_Laid]] = [[]]
    used = 0
    for column in columns:
        if chunks[-1] and used + gap + column.width > room:
            chunks.append([])
            used = 0
        chunks[-1].append(column)
        used += gap + column.width
    return chunks


def _column(ink: Ink, title: str, unit: str, cells: list[Cell], *, roomy: bool) -> _Laid:
    figures = iter(align_on_point([cell.figure for cell in cells if cell.note is None]))
    spreads = [cell.spread if roomy else "" for cell in cells]
    spread_width = max((len(encodable(spread, ink.encoding)) for spread in spreads), default=0)
    best = "★ " if roomy else "★"
    starred = any(cell.is_best for cell in cells)
    laid = []
    for cell, spread in zip(cells, spreads, strict=True):
        if cell.note is not None:
            laid.append(ink.text(cell.figure, (ink.superscript(cell.note), DIM)))
            continue
        star = best if cell.is_best else " " * len(best) if starred else ""
        style = BEST if cell.is_best else ""
        parts: list[str | tuple[str, str]] = [(star + next(figures), style)]
        if spread_width:
            parts.append((f" {encodable(spread, ink.encoding):<{spread_width}}", DIM))
        if any(other.detail for other in cells):
            parts.append((f"\n{cell.detail}", DIM))
        laid.append(ink.text(*parts))
    heading = ink.text(title, (f"\n{unit}", "not bold dim"))
    width = max(cell_len(line) for text in (heading, *laid) for line in text.plain.split("\n"))
    return _Laid(heading, laid, width)


def _answers(ink: Ink, rows: tuple[Row, ...], *, roomy: bool) -> _Laid:
    cells = []
    for row in rows:
        if row.answer is None:
            cells.append(ink.text(("not judged", DIM)))
            continue
        mark = f"{ANSWER_MARK[row.answer]} " if roomy else ""
        cells.append(ink.text((f"{mark}{row.answer}", ANSWER_STYLE[row.answer])))
    heading = ink.text("Verdict")
    width = max(cell_len(text.plain) for text in (heading, *cells))
    return _Laid(heading, cells, width, justify_left=True)


def _words(ink: Ink, without: tuple[WithoutFigures, ...], name_width: int, gap: int) -> RenderableType:
    grid = ink.grid(gap=gap)
    grid.add_column(width=name_width, overflow="fold")
    grid.add_column(overflow="fold")
    for one in without:
        grid.add_row(
            ink.text((one.variant, "bold")),
            ink.text((one.what, "red"), f": {one.problem}\n", (f"→ {one.next_step}", DIM)),
        )
    return grid
