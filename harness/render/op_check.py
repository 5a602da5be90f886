"""Which ops the phone's runtime lacks, for a terminal: the table, then what was tried, then the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from harness.core.op_check import CheckedOp, OpCheck, OpStatus, Route, RouteCheck
from harness.core.verdict import Answer
from harness.render.figures import size
from harness.render.ink import ANSWER_MARK, ANSWER_STYLE, DIM, Ink, spaced
from harness.render.inspection import name, places, tensor_words
from harness.render.plain_text import one_line

ROUTE_WORDS = {Route.LITERT: "LiteRT", Route.MOBILE_2016: "mobile 2016"}
_STATUS_WORDS = {
    OpStatus.HAS: ("has it", DIM),
    OpStatus.FOLDED: ("does without", DIM),
    OpStatus.LACKS: ("LACKS", "bold red"),
    OpStatus.UNKNOWN: ("unknown", "yellow"),
}
_PLACE_CELLS = 28
_MOST_NAMED = 8
_BASIS_WORDS = {"documented": "documented", "measured": "measured here"}


def terminal_op_check(check: OpCheck) -> RenderableType:
    """The answer; fits itself to the width and the encoding of the console that prints it."""
    return _OpCheck(check)


@dataclass(frozen=True, slots=True)
class _OpCheck:
    check: OpCheck

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield spaced(list(_blocks(self.check, Ink(options.encoding, options.max_width))))


def _blocks(check: OpCheck, ink: Ink) -> Iterator[RenderableType]:
    yield _header(check, ink)
    yield _table(check, ink)
    if check.binary_sizes:
        yield _binary_sizes(check, ink)
    yield Group(*(_answer(route, route.route is check.deciding, ink) for route in _deciding_last(check)))


def _header(check: OpCheck, ink: Ink) -> RenderableType:
    grid = ink.grid()
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(overflow="fold")
    for word, tensors in (("from", check.inputs), ("to", check.outputs)):
        for tensor in tensors:
            grid.add_row(ink.text(word), ink.text(tensor_words(tensor)))
    if check.header is not None:
        grid.add_row(ink.text("header"), ink.text(one_line(check.header)))
    return Group(
        ink.text((name(check.path, length=1000), "bold"), (f"  {check.format}, {check.nodes:,} nodes", DIM)),
        grid,
    )


def _table(check: OpCheck, ink: Ink) -> RenderableType:
    table = ink.headed_table()
    table.add_column(ink.text("op"), overflow="fold")
    table.add_column(ink.text("count"), justify="right", no_wrap=True)
    table.add_column(ink.text("where"), overflow="fold")
    for route in check.routes:
        table.add_column(ink.text(ROUTE_WORDS[route.route]), no_wrap=True)
    table.add_column(ink.text("what to do"), overflow="fold")
    by_route = [{op.op: op for op in route.ops} for route in check.routes]
    for op in _rows(check):
        found = [ops.get(op.op) for ops in by_route]
        table.add_row(
            ink.text(name(op.op)),
            ink.text(f"{op.count:,}"),
            ink.text((places(op.where, op.count, most=_most_places(op), length=_PLACE_CELLS), DIM)),
            *(_status(one, ink) for one in found),
            ink.text(_what_to_do(check, found)),
        )
    return table


def _rows(check: OpCheck) -> Iterator[CheckedOp]:
    """The deciding route's ops, worst first; within its alike the other routes' worst first."""
    others = [route for route in check.routes if route.route is not check.deciding]
    deciding = next(route for route in check.routes if route.route is check.deciding)
    lacking = {op.op for route in others for op in route.lacking}
    has = (OpStatus.HAS, OpStatus.FOLDED)
    yield from (op for op in deciding.ops if op.status not in has)
    yield from (op for op in deciding.ops if op.status in has and op.op in lacking)
    yield from (op for op in deciding.ops if op.status in has and op.op not in lacking)


def _status(op: CheckedOp | None, ink: Ink) -> Text:
    return ink.text(_STATUS_WORDS[op.status]) if op is not None else ink.text("")


def _most_places(op: CheckedOp) -> int:
    return 1 if op.status in (OpStatus.HAS, OpStatus.FOLDED) else 3


def _what_to_do(check: OpCheck, found: list[CheckedOp | None]) -> str:
    """The deciding route's advice; where it needs none another route's, by its name."""
    advised = {
        route.route: one_line(op.what_to_do)
        for route, op in zip(check.routes, found, strict=True)
        if op is not None and op.what_to_do
    }
    if check.deciding in advised:
        return advised[check.deciding]
    return "\n".join(f"{ROUTE_WORDS[route]}: {text}" for route, text in advised.items())


def _binary_sizes(check: OpCheck, ink: Ink) -> RenderableType:
    grid = ink.grid()
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for one in check.binary_sizes:
        grid.add_row(
            ink.text(size(one.bytes)),
            ink.text(one_line(one.what), (f"  {_BASIS_WORDS[one.basis]}: {one_line(one.source)}", DIM)),
        )
    return Group(ink.heading("The code that runs it"), grid)


def _deciding_last(check: OpCheck) -> list[RouteCheck]:
    return sorted(check.routes, key=lambda route: route.route is check.deciding)


def _answer(route: RouteCheck, is_deciding: bool, ink: Ink) -> Text:
    answer = route.answer
    mark = f"{ANSWER_MARK[answer]} {one_line(route.runtime)} "
    reason = ""
    if route.proof is not None and route.proof.reason:
        tried = "not tried: " if route.proof.outcome == "not tried" else ""
        reason = f"\n  {tried}{one_line(route.proof.reason)}"
        if route.proof.tflite_bytes is not None:
            reason += f" ({size(route.proof.tflite_bytes)})"
    style = ANSWER_STYLE[answer] if is_deciding else ""
    return ink.text((mark + _answer_words(route), style), (reason, DIM))


def _answer_words(route: RouteCheck) -> str:
    lacking = route.lacking
    if lacking:
        nodes = sum(op.count for op in lacking)
        shown = ", ".join(name(op.op) for op in lacking[:_MOST_NAMED])
        more = ", …" if len(lacking) > _MOST_NAMED else ""
        plural = "" if nodes == 1 else "s"
        return f"lacks {len(lacking)} of {len(route.ops)} ops, at {nodes:,} node{plural}: {shown}{more}"
    if route.answer is Answer.FAIL:
        return "refuses it, though it has every op"
    if route.answer is Answer.UNDECIDED:
        return "undecided"
    return f"has all {len(route.ops)} ops"
