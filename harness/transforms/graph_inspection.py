"""What a GraphDef holds: ops, weights, versions, functions, what is left over from training. Nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harness.core.inspection import (
    GraphFacts,
    Inspection,
    OpCount,
    WeightTensor,
    count_ops,
    element_count,
    total_weights,
)
from harness.core.op_advice import leftover_family
from harness.transforms.graph import VARIABLE_OPS, GraphDef, GraphView, NodeDef
from harness.transforms.graph_candidates import (
    after_decoding,
    dtype_name,
    last_scores,
    likely_outputs,
    placeholders,
    summaries,
)

PARAMETER_TYPES: Final = frozenset(
    {"float32", "float16", "bfloat16", "float64", "complex64", "complex128"}
    | {"quint8", "qint8", "quint16", "qint16", "qint32"}
)
_MOST_CANDIDATES: Final = 20


def inspect_graph(
    graph: GraphDef, *, path: str, source_format: str, size_bytes: int, sha256: str
) -> Inspection:
    """Describe ``graph``, whose file the caller knows.

    Raises:
        ModelError: the graph does not hang together (see ``GraphView``).
    """
    view = GraphView(graph)
    weights = list(constants(graph))
    totals, largest = total_weights(weights)
    ops = count_ops(named_ops(graph))
    outputs = likely_outputs(view)[:_MOST_CANDIDATES]
    results = tuple(dict.fromkeys((*last_scores(view), *outputs)))[:_MOST_CANDIDATES]
    fed = placeholders(view)
    decoded = after_decoding(view, set(view.nodes))
    candidates = fed[:_MOST_CANDIDATES] + ((decoded,) if decoded is not None else ())
    return Inspection(
        path=path,
        format=source_format,
        bytes=size_bytes,
        sha256=sha256,
        inputs=summaries(view, fed),
        outputs=summaries(view, outputs),
        nodes=len(graph.node),
        ops=ops,
        ops_are="nodes",
        parameters=sum(element_count(w.shape) for w in weights if w.dtype in PARAMETER_TYPES),
        weights=totals,
        largest_weights=largest,
        graph=GraphFacts(
            producer=max(graph.versions.producer, 0),
            min_consumer=max(graph.versions.min_consumer, 0),
            functions=tuple(function.signature.name for function in graph.library.function),
            leftovers=leftovers(ops),
            variables=sum(op.count for op in ops if op.op in VARIABLE_OPS),
            input_candidates=summaries(view, candidates),
            output_candidates=summaries(view, results),
        ),
    )


def named_ops(graph: GraphDef) -> Iterator[tuple[str, str]]:
    """The op and the name of every node, of functions too, whose nodes are named ``function/node``."""
    for node in graph.node:
        yield node.op, node.name
    for function in graph.library.function:
        for node in function.node_def:
            yield node.op, f"{function.signature.name}/{node.name}"


def leftovers(ops: tuple[OpCount, ...]) -> tuple[OpCount, ...]:
    """Those of ``ops`` that training, evaluation and input pipelines left behind."""
    return tuple(op for op in ops if leftover_family(op.op) is not None)


def constants(graph: GraphDef) -> Iterator[WeightTensor]:
    """Every Const of the graph and of its functions that holds elements."""
    yield from _constants(graph.node, "")
    for function in graph.library.function:
        yield from _constants(function.node_def, f"{function.signature.name}/")


def _constants(nodes: list[NodeDef], prefix: str) -> Iterator[WeightTensor]:
    from tensorflow.core.framework.types_pb2 import DataType

    for node in nodes:
        if node.op != "Const" or "value" not in node.attr:
            continue
        tensor = node.attr["value"].tensor
        shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
        if all(size > 0 for size in shape):
            yield WeightTensor(
                name=f"{prefix}{node.name}",
                dtype=dtype_name(DataType, tensor.dtype),
                shape=shape,
                bytes=tensor.ByteSize(),
            )
