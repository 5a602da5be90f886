"""Styled text that any console can show: no markup is read, and what its encoding lacks is replaced."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.core.verdict import Answer
from harness.render.plain_text import encodable

BEST = "bold green"
DIM = "dim"
HEADING = "bold"
WARNING = "yellow"

ANSWER_STYLE = {Answer.PASS: "green", Answer.FAIL: "bold red", Answer.UNDECIDED: "yellow"}
ANSWER_MARK = {Answer.PASS: "✔", Answer.FAIL: "✘", Answer.UNDECIDED: "?"}

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

_UNDERLINED_HEAD = box.SIMPLE_HEAD
_UNDERLINED_HEAD_ASCII = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


@dataclass(frozen=True, slots=True)
class Ink:
    """Makes text for a console of ``encoding`` and ``width``."""

    encoding: str
    width: int

    def text(self, *parts: str | tuple[str, str]) -> Text:
        """Parts are strings or (string, style), taken literally."""
        text = Text(overflow="fold")
        for part in parts:
            content, style = (part, "") if isinstance(part, str) else part
            text.append(encodable(content, self.encoding), style or None)
        return text

    def heading(self, title: str, rest: str = "") -> Text:
        return self.text((title, HEADING), (f"  {rest}" if rest else "", DIM))

    def superscript(self, number: int) -> str:
        text = str(number).translate(_SUPERSCRIPTS)
        return text if self.encoding.lower().startswith("utf") else f"({number})"

    def grid(self, *, gap: int = 2) -> Table:
        """Columns without lines, ``gap`` spaces between them."""
        return Table.grid(padding=(0, gap, 0, 0))

    def headed_table(self, *, gap: int = 2) -> Table:
        """A table with a line under its headings and nothing else, ``gap`` spaces between columns."""
        unicode = self.encoding.lower().startswith("utf")
        return Table(
            box=_UNDERLINED_HEAD if unicode else _UNDERLINED_HEAD_ASCII,
            show_edge=False,
            pad_edge=False,
            # The box itself puts one space between columns.
            padding=(0, gap - 1, 0, 0),
            header_style=HEADING,
            border_style=DIM,
        )


def spaced(blocks: list[RenderableType]) -> Group:
    """Blocks with one empty line between them."""
    parts: list[RenderableType] = []
    for block in blocks:
        if parts:
            parts.append(Text(""))
        parts.append(block)
    return Group(*parts)
