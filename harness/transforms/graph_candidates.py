"""Where a graph may begin and end on a phone, guessed from its structure: placeholders, sinks, decoding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from harness.core.inspection import TensorSummary
from harness.core.op_advice import is_decoding, leftover_family
from harness.transforms.graph import VARIABLE_OPS, GraphDef, GraphView, NodeDef

PLACEHOLDER_OPS: Final = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})

_WEIGHTED_OPS: Final = frozenset({"Conv2D", "DepthwiseConv2dNative", "Conv3D", "MatMul", "BatchMatMulV2"})
_NO_RESULT_OPS: Final = frozenset(
    {"NoOp", "Const", "HashTable", "HashTableV2", *VARIABLE_OPS, *PLACEHOLDER_OPS}
)
_SCORE_OPS: Final = frozenset({"Softmax", "LogSoftmax", "Sigmoid"})
_HOUSEKEEPING: Final = ("save/", "init/", "report_uninitialized_variables")


def placeholders(view: GraphView, within: Iterable[str] | None = None) -> tuple[str, ...]:
    """The nodes that are fed, in the graph's order; only those in ``within`` where it is given."""
    allowed = None if within is None else set(within)
    return tuple(
        name
        for name, node in view.nodes.items()
        if node.op in PLACEHOLDER_OPS and (allowed is None or name in allowed)
    )


def likely_outputs(view: GraphView) -> tuple[str, ...]:
    """Nodes that compute something and whose value no other such node takes, in the graph's order.

    What training, evaluation and checkpoints hang on the network counts neither as an output nor as a consumer, and
    nor does what is computed from it (a loss). Nodes that depend on what is fed leave the others out.
    """
    aside = _aside(view)
    fed = _fed(view)
    sinks = [
        name
        for name in view.order
        if name not in aside
        and view.nodes[name].op not in _NO_RESULT_OPS
        and all(use.consumer in aside or use.port < 0 for use in view.uses(name))
    ]
    return tuple([name for name in sinks if name in fed] or sinks)


def last_scores(view: GraphView) -> tuple[str, ...]:
    """Softmax and sigmoid nodes with no layer behind them: results, even where something evaluates them further."""
    aside = _aside(view)
    before_layer: set[str] = set()
    for name in reversed(view.order):
        uses = [use.consumer for use in view.uses(name) if use.port >= 0 and use.consumer not in aside]
        if any(view.nodes[other].op in _WEIGHTED_OPS or other in before_layer for other in uses):
            before_layer.add(name)
    return tuple(
        name
        for name in view.order
        if view.nodes[name].op in _SCORE_OPS and name not in before_layer and name not in aside
    )


def _aside(view: GraphView) -> set[str]:
    """What belongs to training, evaluation and checkpoints, by its op or because it is computed from such."""
    aside: set[str] = set()
    of_training: set[str] = set()
    for name in view.order:
        family = leftover_family(view.nodes[name].op)
        if family in ("training", "summaries") or any(
            ref.node in of_training for ref in view.data_inputs(name)
        ):
            of_training.add(name)
        if family is not None or name in of_training or name.startswith(_HOUSEKEEPING):
            aside.add(name)
    return aside


def _fed(view: GraphView) -> set[str]:
    """The nodes that depend on a placeholder, or on decoding a constant."""
    fed: set[str] = set()
    for name in view.order:
        op = view.nodes[name].op
        if op in PLACEHOLDER_OPS or is_decoding(op) or any(ref.node in fed for ref in view.data_inputs(name)):
            fed.add(name)
    return fed


def after_decoding(view: GraphView, needed: set[str]) -> str | None:
    """The node that feeds the first convolution or matrix product behind a decoding op: what the app can give.

    None where nothing in ``needed`` decodes.
    """
    behind: set[str] = set()
    for name in view.order:
        if name not in needed:
            continue
        node = view.nodes[name]
        sources = view.data_inputs(name)
        if is_decoding(node.op):
            behind.add(name)
        elif any(ref.node in behind for ref in sources):
            if node.op in _WEIGHTED_OPS:
                return next(ref.node for ref in sources if ref.node in behind)
            behind.add(name)
    return None


def tensor_summary(node: NodeDef) -> TensorSummary:
    """The first output of ``node`` as far as its attributes tell: type, and shape of a placeholder or constant."""
    return TensorSummary(name=node.name, dtype=_dtype(node), shape=_shape(node))


def _dtype(node: NodeDef) -> str:
    from tensorflow.core.framework.types_pb2 import DataType
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    number = 0
    if definition is not None and definition.output_arg:
        output = definition.output_arg[0]
        attribute = output.type_attr
        number = output.type or (node.attr[attribute].type if attribute in node.attr else 0)
    if not number:
        number = next((node.attr[key].type for key in ("dtype", "T") if key in node.attr), 0)
    return dtype_name(DataType, number)


def dtype_name(data_type: Any, number: int) -> str:
    """``float32`` for DT_FLOAT: the names of NumPy, as everywhere in the harness."""
    try:
        name = str(data_type.Name(number % 100))  # types.proto: a reference type is its value type plus 100
    except ValueError:
        return f"type {number}"
    name = name.removeprefix("DT_").lower()
    return {"float": "float32", "double": "float64", "half": "float16", "invalid": "unknown"}.get(name, name)


def _shape(node: NodeDef) -> tuple[int, ...] | None:
    if node.op in PLACEHOLDER_OPS and "shape" in node.attr:
        proto = node.attr["shape"].shape
    elif node.op == "Const":
        proto = node.attr["value"].tensor.tensor_shape
    elif "_output_shapes" in node.attr and node.attr["_output_shapes"].list.shape:
        proto = node.attr["_output_shapes"].list.shape[0]
    else:
        return None
    if proto.unknown_rank:
        return None
    return tuple(dim.size for dim in proto.dim)


def summaries(
    view: GraphView, names: Sequence[str], graph: GraphDef | None = None
) -> tuple[TensorSummary, ...]:
    """The tensors called ``names``; with ``graph``, the nodes of that name in it tell type and shape."""
    nodes = view.nodes if graph is None else {node.name: node for node in graph.node}
    return tuple(tensor_summary(nodes[name] if name in nodes else view.node(name)) for name in names)
