"""Which ops a model needs, and which of them the runtime on the phone lacks: ``harness check``.

Two routes are judged. Today's turns the model into a .tflite of builtin operators for LiteRT; the proof is the
conversion, or for a .tflite the loading, and a table of single ops explains it. The older one runs the GraphDef itself
in the mobile TensorFlow of 2016; a list of that build's ops decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from harness.core.events import Bytes
from harness.core.inspection import OpCount, TensorSummary
from harness.core.jobs import Count, Sha256
from harness.core.op_advice import advice
from harness.core.value import Value
from harness.core.verdict import Answer


class Route(StrEnum):
    """How a model gets to the phone."""

    LITERT = "litert"
    MOBILE_2016 = "mobile-2016"


class OpStatus(StrEnum):
    """Whether a route has an op. ``folded``: the converter does without it. ``unknown``: nothing tells."""

    HAS = "has"
    FOLDED = "folded"
    LACKS = "lacks"
    UNKNOWN = "unknown"


class Proof(Value):
    """What was tried with the real converter or runtime. ``reason`` is theirs, or why nothing was tried."""

    outcome: Literal["works", "refused", "not tried"]
    reason: str = ""
    lacking: tuple[OpCount, ...] = ()
    """The ops that the converter named, with the nodes it named."""
    tflite_bytes: Bytes | None = None


class GraphOps(Value):
    """What a graph needs once it is cut down to what leads from ``inputs`` to ``outputs``."""

    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    nodes: Count
    ops: tuple[OpCount, ...]
    functions: tuple[str, ...] = ()
    """Names in the graph's own function library: calls of them are no ops of a runtime."""
    unregistered: tuple[str, ...] = ()
    """Ops that the TensorFlow here does not know."""
    better_input: str | None = None
    """Where the network proper begins, if the graph starts with decoding or with other work for the app."""
    proof: Proof
    header: str | None = None
    """The selective registration header, where it was asked for."""


class OperatorUse(Value):
    """A kind of operator in a .tflite: ``op`` is its builtin name, or its custom code."""

    op: str
    version: Count
    is_custom: bool
    count: Count
    where: tuple[str, ...]


class CheckedOp(Value):
    """One row of the answer."""

    op: str
    count: Count
    where: tuple[str, ...]
    status: OpStatus
    what_to_do: str = ""


class RouteCheck(Value):
    """All ops of a model on one route. ``proof`` is absent where only a list decides."""

    route: Route
    runtime: str
    ops: tuple[CheckedOp, ...]
    proof: Proof | None = None

    @property
    def lacking(self) -> tuple[CheckedOp, ...]:
        return tuple(op for op in self.ops if op.status is OpStatus.LACKS)

    @property
    def answer(self) -> Answer:
        """Fail where an op lacks or the proof was refused; pass only where that is known of every op."""
        if self.lacking or (self.proof is not None and self.proof.outcome == "refused"):
            return Answer.FAIL
        unknown = any(op.status is OpStatus.UNKNOWN for op in self.ops)
        if unknown or (self.proof is not None and self.proof.outcome == "not tried"):
            return Answer.UNDECIDED
        return Answer.PASS


class BinarySize(Value):
    """What the code that runs the model adds to an app. ``documented`` figures were not measured here."""

    what: str
    bytes: Bytes
    basis: Literal["documented", "measured"]
    source: str


class OpCheck(Value):
    """The whole answer; ``deciding`` is the route whose answer the exit status tells."""

    path: str
    format: str
    sha256: Sha256
    nodes: Count
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    deciding: Route
    routes: tuple[RouteCheck, ...]
    better_input: str | None = None
    binary_sizes: tuple[BinarySize, ...] = ()
    header: str | None = None
    """Where the selective registration header was written."""

    @property
    def answer(self) -> Answer:
        return next(route.answer for route in self.routes if route.route is self.deciding)


class LitertOps(NamedTuple):
    """What a LiteRT resolves: the latest version of each builtin operator (0: none), and custom operators."""

    builtin: Mapping[str, int]
    custom: Collection[str]


STRUCTURAL_OPS = frozenset(
    {"Const", "Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "Identity", "IdentityN", "NoOp"}
)
"""Ops that stand for the shape of the graph; no .tflite has them, and none needs them."""


def judge_conversion(graph: GraphOps, lowerings: Mapping[str, bool], runtime: str) -> RouteCheck:
    """Today's route for a graph. ``lowerings`` says of single ops whether the converter knows them."""
    refused = {op.op: op for op in graph.proof.lacking}
    checked = []
    for needed in graph.ops:
        status = _status_in_conversion(needed.op, graph, lowerings, refused)
        checked.append(_checked(needed, status, Route.LITERT, graph.better_input))
    named = {op.op for op in graph.ops}
    # The converter may take an op apart and then lack one of its parts.
    checked += [
        _checked(op, OpStatus.LACKS, Route.LITERT, graph.better_input)
        for op in graph.proof.lacking
        if op.op not in named
    ]
    return RouteCheck(route=Route.LITERT, runtime=runtime, ops=_worst_first(checked), proof=graph.proof)


def _status_in_conversion(
    op: str, graph: GraphOps, lowerings: Mapping[str, bool], refused: Mapping[str, OpCount]
) -> OpStatus:
    if op in refused or op in graph.unregistered:
        return OpStatus.LACKS
    if op in STRUCTURAL_OPS or op in graph.functions:
        return OpStatus.HAS
    known = lowerings.get(op)
    if graph.proof.outcome == "works" or refused:
        return OpStatus.FOLDED if known is False else OpStatus.HAS
    if known is None:
        return OpStatus.UNKNOWN
    return OpStatus.HAS if known else OpStatus.LACKS


def judge_mobile_2016(graph: GraphOps, available: Collection[str], runtime: str) -> RouteCheck:
    """The route of 2016. A graph with functions was inlined or cannot run there: calls count as lacking."""
    checked = [
        _checked(
            needed,
            OpStatus.HAS if needed.op in available else OpStatus.LACKS,
            Route.MOBILE_2016,
            graph.better_input,
        )
        for needed in graph.ops
    ]
    return RouteCheck(route=Route.MOBILE_2016, runtime=runtime, ops=_worst_first(checked))


def judge_operators(
    uses: tuple[OperatorUse, ...], available: LitertOps, proof: Proof, runtime: str
) -> RouteCheck:
    """Today's route for a .tflite: each operator against what the runtime resolves, and the runtime's own word."""
    checked = []
    for use in uses:
        status, what_to_do = _operator(use, available)
        checked.append(
            CheckedOp(op=use.op, count=use.count, where=use.where, status=status, what_to_do=what_to_do)
        )
    return RouteCheck(route=Route.LITERT, runtime=runtime, ops=_worst_first(checked), proof=proof)


def _operator(use: OperatorUse, available: LitertOps) -> tuple[OpStatus, str]:
    if use.is_custom:
        if use.op in available.custom:
            return OpStatus.HAS, ""
        if use.op.startswith("Flex"):
            op = use.op.removeprefix("Flex")
            return OpStatus.LACKS, (
                f"TensorFlow's own {op}, which the runtime does not carry: convert again with "
                f"builtin operators only. {advice(op, is_graph_run=False)}"
            )
        return OpStatus.LACKS, (
            "A custom operator that the runtime does not carry: replace what it came from by builtin operators."
        )
    latest = available.builtin.get(use.op, 0)
    if latest == 0:
        return OpStatus.LACKS, "In the format but not in the runtime: convert with TensorFlow's converter."
    if use.version > latest:
        return OpStatus.LACKS, (
            f"Version {use.version} is needed and the runtime has up to {latest}: "
            "convert with an older converter, or pin a newer runtime."
        )
    return OpStatus.HAS, ""


def _checked(needed: OpCount, status: OpStatus, route: Route, better_input: str | None) -> CheckedOp:
    what_to_do = ""
    if status is OpStatus.LACKS:
        is_graph_run = route is Route.MOBILE_2016
        what_to_do = advice(needed.op, is_graph_run=is_graph_run, better_input=better_input)
    elif status is OpStatus.UNKNOWN:
        what_to_do = "Not in the table of ops: only a conversion tells."
    return CheckedOp(
        op=needed.op, count=needed.count, where=needed.where, status=status, what_to_do=what_to_do
    )


_ORDER = (OpStatus.LACKS, OpStatus.UNKNOWN, OpStatus.FOLDED, OpStatus.HAS)


def _worst_first(checked: list[CheckedOp]) -> tuple[CheckedOp, ...]:
    return tuple(sorted(checked, key=lambda op: (_ORDER.index(op.status), -op.count, op.op)))
