"""The chain of preparation as a table: what each step did to size, memory and labels."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from rich.cells import cell_len
from rich.console import Group, RenderableType

from harness.core.chain import ChainStep
from harness.core.events import Memory, Stage
from harness.core.measurements import Measurement
from harness.core.report import RunReport
from harness.render.figures import proportion, significant, size
from harness.render.ink import DIM, Ink
from harness.render.plain_text import one_line, shortened

_LABEL_CELLS = 22
_GAP = 2
_LEFT_OUT_FIRST = ("nodes", "max |Δ|", "right", "file", "dirty + mapped")


@dataclass(frozen=True, slots=True)
class ChainRow:
    """One step in words; absent figures are ``–``."""

    step: str
    file: str
    compressed: str
    nodes: str
    top_label: str
    agreement: str
    accuracy: str
    largest_difference: str
    memory: str


HEADINGS = (
    "step",
    "file",
    "in the .ipa",
    "nodes",
    "first label",
    "same label",
    "right",
    "max |Δ|",
    "dirty + mapped",
)


@dataclass(frozen=True, slots=True)
class ChainTable:
    """``remarks``: what each step said it did, and what it left alone."""

    shown_input: str
    rows: tuple[ChainRow, ...]
    remarks: tuple[str, ...]


def chain_of(report: RunReport) -> ChainTable | None:
    """The report's chain; ``None`` where it has none."""
    if report.chain is None:
        return None
    return ChainTable(
        shown_input=one_line(report.chain.shown_input),
        rows=tuple(_row(step, report) for step in report.chain.steps),
        remarks=tuple(
            f"{step.step.value}: {one_line('; '.join(step.remarks))}"
            for step in report.chain.steps
            if step.remarks
        ),
    )


def terminal_chain(chain: ChainTable, ink: Ink) -> RenderableType:
    """The chain for a terminal; what matters least is left out where it is too narrow for all."""
    columns = [[heading, *cells] for heading, cells in zip(HEADINGS, _columns(chain), strict=True)]
    for heading in _LEFT_OUT_FIRST:
        if _width(columns) > ink.width:
            columns = [column for column in columns if column[0] != heading]
    table = ink.headed_table()
    for heading, *_ in columns:
        table.add_column(
            ink.text(heading), justify="left" if heading in ("step", "first label") else "right", no_wrap=True
        )
    for cells in list(zip(*columns, strict=True))[1:]:
        table.add_row(*(ink.text(cell) for cell in cells))
    return Group(
        ink.heading("Preparation", f"first label of {chain.shown_input}; memory as the runner measured it"),
        table,
        *(ink.text((line, DIM)) for line in chain.remarks),
    )


def _columns(chain: ChainTable) -> list[tuple[str, ...]]:
    return list(zip(*(astuple(row) for row in chain.rows), strict=True))


def _width(columns: list[list[str]]) -> int:
    return sum(max(map(cell_len, column)) + _GAP for column in columns) - _GAP


def _row(step: ChainStep, report: RunReport) -> ChainRow:
    top = step.top_labels[0] if step.top_labels else None
    difference = step.agreement.largest_absolute_difference
    return ChainRow(
        step=step.step.value,
        file=size(step.graph.bytes),
        compressed=size(step.compressed_bytes),
        nodes=str(step.nodes),
        top_label=f"{shortened(one_line(top.label), _LABEL_CELLS)} {top.score:.3f}" if top else "–",
        agreement=proportion(step.agreement.top1)[0],
        accuracy=proportion(step.accuracy)[0] if step.accuracy else "–",
        largest_difference="–" if difference is None else significant(difference),
        memory=_memory(step, report),
    )


def _memory(step: ChainStep, report: RunReport) -> str:
    """Of the variant that the suite runs for this step, in the steady stage."""
    for result in report.results:
        if isinstance(result, Measurement) and result.variant.name == step.variant_name:
            found = result.memory.by_stage.get(Stage.STEADY)
            return _dirty_and_mapped(found) if found else "–"
    return "–"


def _dirty_and_mapped(memory: Memory) -> str:
    dirty = memory.dirty_bytes if memory.dirty_bytes is not None else memory.anonymous_bytes
    mapped = memory.file_backed_bytes
    parts = [size(figure) if figure is not None else "–" for figure in (dirty, mapped)]
    return " + ".join(parts)
