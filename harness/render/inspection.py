"""What a model holds, for a terminal: interface, ops, weights, and what its author wrote into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult

from harness.core.events import Quantization
from harness.core.inspection import (
    GraphFacts,
    Inspection,
    Metadata,
    PackedFile,
    Signature,
    TensorSummary,
)
from harness.render.figures import size
from harness.render.ink import DIM, WARNING, Ink, spaced
from harness.render.plain_text import one_line, shortened

_MOST_OPS = 40
_MOST_TENSORS = 12
_MOST_NAMES = 10
_MOST_SHOWN_LABELS = 5
_LONGEST_TEXT = 300
_LONGEST_NAME = 80


def terminal_inspection(inspection: Inspection) -> RenderableType:
    """The inspection; fits itself to the width and the encoding of the console that prints it."""
    return _Inspection(inspection)


@dataclass(frozen=True, slots=True)
class _Inspection:
    inspection: Inspection

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield spaced(list(_blocks(self.inspection, Ink(options.encoding, options.max_width))))


def _blocks(inspection: Inspection, ink: Ink) -> Iterator[RenderableType]:
    yield _header(inspection, ink)
    yield _tensors("Inputs", inspection.inputs, ink)
    yield _tensors("Outputs", inspection.outputs, ink)
    if inspection.signatures:
        yield _signatures(inspection.signatures, ink)
    if inspection.ops:
        yield _ops(inspection, ink)
    if inspection.weights:
        yield _weights(inspection, ink)
    if inspection.largest_weights:
        yield _largest(inspection, ink)
    if inspection.graph is not None:
        yield _graph(inspection.graph, ink)
    if inspection.metadata is not None:
        yield _metadata(inspection.metadata, ink)


def _header(inspection: Inspection, ink: Ink) -> RenderableType:
    grid = ink.grid()
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(overflow="fold")
    facts = [
        ("format", inspection.format),
        ("size", size(inspection.bytes)),
        ("sha256", inspection.sha256),
        (inspection.ops_are, f"{inspection.nodes:,}"),
        ("parameters", f"{inspection.parameters:,}"),
    ]
    if inspection.graph is not None:
        facts.append(("versions.producer", str(inspection.graph.producer)))
    for word, text in facts:
        grid.add_row(ink.text(word), ink.text(text))
    return Group(ink.text((name(inspection.path, length=1000), "bold")), grid)


def name(text: str, length: int = _LONGEST_NAME) -> str:
    """A name from a file: on one line, without what a terminal might obey, and not endless."""
    return shortened(one_line(text), length)


def shape_text(shape: tuple[int, ...] | None) -> str:
    """``1 × 224 × 224 × 3``; a question mark for what is open, nothing where the shape is not stated."""
    if shape is None:
        return ""
    if not shape:
        return "scalar"
    return " × ".join("?" if dimension < 0 else str(dimension) for dimension in shape)


def tensor_words(tensor: TensorSummary) -> str:
    """Name, type and shape of a tensor in a line."""
    return f"{name(tensor.name)}  {one_line(tensor.dtype)}  {shape_text(tensor.shape)}".rstrip()


def _real(quantization: Quantization | None) -> str:
    """The real number behind a quantized q: ``0.0039 × (q + 128)``."""
    if quantization is None:
        return ""
    zero_point = quantization.zero_point
    shifted = "q" if zero_point == 0 else f"(q {'-' if zero_point > 0 else '+'} {abs(zero_point)})"
    return f"{quantization.scale:.6g} × {shifted}"


def _tensors(title: str, tensors: Sequence[TensorSummary], ink: Ink) -> RenderableType:
    if not tensors:
        return ink.heading(title, "none found")
    grid = ink.grid()
    for tensor in tensors[:_MOST_TENSORS]:
        grid.add_row(
            ink.text(f"  {name(tensor.name)}"),
            ink.text(one_line(tensor.dtype)),
            ink.text(shape_text(tensor.shape)),
            ink.text((_real(tensor.quantization), DIM)),
        )
    return Group(ink.heading(title), grid, *_more(len(tensors) - _MOST_TENSORS, ink))


def _signatures(signatures: Sequence[Signature], ink: Ink) -> RenderableType:
    lines: list[RenderableType] = [ink.heading("Signatures")]
    for signature in signatures[:_MOST_NAMES]:
        sides = (
            ", ".join(name(tensor.name) for tensor in tensors[:_MOST_TENSORS]) or "nothing"
            for tensors in (signature.inputs, signature.outputs)
        )
        lines.append(ink.text(f"  {name(signature.key)}", (f"  {' → '.join(sides)}", DIM)))
    return Group(*lines, *_more(len(signatures) - _MOST_NAMES, ink))


def _ops(inspection: Inspection, ink: Ink) -> RenderableType:
    title = "Layers" if inspection.ops_are == "layers" else "Ops"
    grid = ink.grid()
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="ellipsis", no_wrap=True)
    for op in inspection.ops[:_MOST_OPS]:
        grid.add_row(
            ink.text(f"{op.count:,}"), ink.text(name(op.op)), ink.text((places(op.where, op.count), DIM))
        )
    return Group(
        ink.heading(title, f"{len(inspection.ops)} kinds"), grid, *_more(len(inspection.ops) - _MOST_OPS, ink)
    )


def places(where: Sequence[str], count: int, *, most: int = 2, length: int = _LONGEST_NAME) -> str:
    """The first places of an op, the ends of their names where they are longer, and that there are more."""
    shown = ", ".join(_end(one_line(place), length) for place in where[:most])
    return f"{shown}, …" if where and count > most else shown


def _end(text: str, length: int) -> str:
    """The end of a node's name says more than its beginning, which is the scope of the whole model."""
    if len(text) <= length:
        return text
    end = text[-length + 1 :]
    scope = end.find("/")
    return f"…{end[scope:] if 0 <= scope < len(end) - 1 else end}"


def _weights(inspection: Inspection, ink: Ink) -> RenderableType:
    table = ink.headed_table()
    table.add_column(ink.text("type"))
    for title in ("tensors", "elements", "bytes"):
        table.add_column(ink.text(title), justify="right", no_wrap=True)
    for total in inspection.weights:
        table.add_row(
            ink.text(one_line(total.dtype)),
            ink.text(f"{total.tensors:,}"),
            ink.text(f"{total.elements:,}"),
            ink.text(f"{total.bytes:,}"),
        )
    return Group(ink.heading("Weights", "constants and variables"), table)


def _largest(inspection: Inspection, ink: Ink) -> RenderableType:
    grid = ink.grid()
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(no_wrap=True)
    for weight in inspection.largest_weights:
        grid.add_row(
            ink.text(size(weight.bytes)),
            ink.text(name(weight.name)),
            ink.text((f"{one_line(weight.dtype)}  {shape_text(weight.shape)}", DIM)),
        )
    return Group(ink.heading("Largest weights"), grid)


def _graph(graph: GraphFacts, ink: Ink) -> RenderableType:
    lines: list[RenderableType] = [ink.heading("Graph")]
    if graph.variables:
        lines.append(ink.text((f"  {graph.variables:,} variables: the graph is not frozen", WARNING)))
    if graph.functions:
        shown = ", ".join(name(function) for function in graph.functions[:_MOST_NAMES])
        lines.append(ink.text(("  functions      ", DIM), f"{len(graph.functions)}: {shown}"))
    if graph.leftovers:
        shown = ", ".join(f"{name(op.op)} ({op.count:,})" for op in graph.leftovers[:_MOST_NAMES])
        lines.append(
            ink.text(("  left over      ", DIM), shown, (", of training or its input pipeline", DIM))
        )
    for word, candidates in (
        ("  --input may be ", graph.input_candidates),
        ("  --output may be", graph.output_candidates),
    ):
        for tensor in candidates[:_MOST_NAMES]:
            lines.append(ink.text((f"{word}  ", DIM), tensor_words(tensor)))
    return Group(*lines) if len(lines) > 1 else Group(*lines, ink.text(("  nothing to add", DIM)))


def _metadata(metadata: Metadata, ink: Ink) -> RenderableType:
    grid = ink.grid()
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(overflow="fold")
    for key, text in metadata.entries:
        grid.add_row(ink.text(f"  {name(key)}"), ink.text(shortened(one_line(text), _LONGEST_TEXT)))
    for file in metadata.files:
        grid.add_row(ink.text(f"  {name(file.name)}"), ink.text(_packed(file)))
    parts: list[RenderableType] = [ink.heading("Metadata"), grid]
    if metadata.problem:
        parts.append(ink.text((f"  {one_line(metadata.problem)}", WARNING)))
    return Group(*parts)


def _packed(file: PackedFile) -> str:
    if file.label_count is None:
        return size(file.bytes)
    shown = ", ".join(name(label) for label in file.labels[:_MOST_SHOWN_LABELS])
    more = ", …" if file.label_count > _MOST_SHOWN_LABELS else ""
    return f"{file.label_count:,} labels: {shown}{more}"


def _more(count: int, ink: Ink) -> list[RenderableType]:
    return [ink.text((f"  and {count:,} more: --json lists them", DIM))] if count > 0 else []
