"""Which ops of a GraphDef a phone needs: those that lead from its inputs to its outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.core.inspection import OpCount, TensorSummary, count_ops
from harness.errors import ModelError
from harness.transforms.graph import (
    VARIABLE_OPS,
    GraphDef,
    GraphView,
    copy_used_library,
    new_graph_like,
    node_names,
)
from harness.transforms.graph_candidates import after_decoding, likely_outputs, placeholders, summaries
from harness.transforms.graph_inspection import named_ops
from harness.transforms.strip import strip

_MOST_OUTPUTS: Final = 8


@dataclass(frozen=True)
class NeededPart:
    """The part of a graph that is needed. ``obstacle`` says why it could not be cut out cleanly and converted."""

    graph: GraphDef
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    ops: tuple[OpCount, ...]
    functions: tuple[str, ...]
    unregistered: tuple[str, ...]
    better_input: str | None
    obstacle: str | None


def needed_part(graph: GraphDef, inputs: Sequence[str], outputs: Sequence[str]) -> NeededPart:
    """Cut ``graph`` down to what leads from ``inputs`` to ``outputs``, guessed from its structure where empty.

    A graph that cannot be cut cleanly (variables, no input at all) is taken from its outputs backwards.

    Raises:
        ModelError: a name that is not in the graph, a graph that does not hang together, or so many possible
            outputs that one has to be named.
    """
    view = GraphView(graph)
    output_names = node_names(outputs) if outputs else _guessed_outputs(view)
    for name in (*output_names, *node_names(inputs)):
        view.node(name)
    behind = view.ancestors(output_names, stop=node_names(inputs))
    input_names = node_names(inputs) if inputs else _guessed_inputs(view, behind)
    obstacle = _obstacle(view, behind, input_names)
    part = None
    if obstacle is None:
        try:
            part = strip(graph, inputs=input_names, outputs=output_names)
        except ModelError as problem:
            # Names that the user gave and that make no sense are theirs to mend.
            if inputs:
                raise
            obstacle = f"{problem.problem}. {problem.next_step}"
    if part is None:
        part = _cut(view, behind)
    cut = GraphView(part)
    functions = tuple(function.signature.name for function in part.library.function)
    ops = count_ops(named_ops(part))
    return NeededPart(
        graph=part,
        inputs=summaries(cut, [name for name in input_names if name in cut]),
        outputs=summaries(cut, output_names),
        ops=ops,
        functions=functions,
        unregistered=_unregistered(ops, functions),
        better_input=after_decoding(cut, set(cut.nodes)),
        obstacle=obstacle,
    )


def _obstacle(view: GraphView, needed: set[str], inputs: Sequence[str]) -> str | None:
    variables = [name for name in needed if view.nodes[name].op in VARIABLE_OPS]
    if variables:
        return (
            f"the graph is not frozen: it reads {len(variables)} variables, such as {min(variables)!r}. "
            "Freeze it with its checkpoint first."
        )
    if not inputs:
        return "nothing is fed to the graph. Name the node that takes the input: --input."
    return None


def selective_registration_header(graph: GraphDef) -> str:
    """``ops_to_register.h`` for ``graph``: its ops, and the kernels that this TensorFlow would run them by.

    An op without a kernel here is left out of it. Made by TensorFlow's own
    ``tensorflow.python.tools.selective_registration_header_lib``.
    """
    from tensorflow.python.tools import selective_registration_header_lib as library

    with tempfile.TemporaryDirectory(prefix="harness-header-") as folder:
        path = Path(folder) / "graph.pb"
        path.write_bytes(graph.SerializeToString())
        return str(library.get_header([str(path)])) + "\n"


def _guessed_inputs(view: GraphView, needed: set[str]) -> list[str]:
    fed = placeholders(view, needed)
    # One with a default (a bottleneck, a dropout rate) stands inside the network and lets its value through.
    return [name for name in fed if view.nodes[name].op != "PlaceholderWithDefault"] or list(fed)


def _guessed_outputs(view: GraphView) -> list[str]:
    names = likely_outputs(view)
    if not names:
        raise ModelError(
            "nothing in the graph looks like an output",
            next_step="Name it: --output with the node whose value is the result.",
        )
    if len(names) > _MOST_OUTPUTS:
        shown = ", ".join(repr(name) for name in names[:_MOST_OUTPUTS])
        raise ModelError(
            f"the graph has {len(names)} nodes that may be its output, such as {shown}",
            next_step="Name it: --output with the node whose value is the result.",
        )
    return list(names)


def _cut(view: GraphView, needed: set[str]) -> GraphDef:
    part = new_graph_like(view.graph)
    for name, node in view.nodes.items():
        if name in needed:
            copy = part.node.add()
            copy.CopyFrom(node)
            kept = [ref for ref in view.inputs(name) if ref.node in needed]
            copy.ClearField("input")
            copy.input.extend(str(ref) for ref in kept)
    copy_used_library(view.graph, part)
    return part


def _unregistered(ops: Sequence[OpCount], functions: Sequence[str]) -> tuple[str, ...]:
    # Only the whole of TensorFlow fills the registry.
    import tensorflow as tf
    from tensorflow.python.framework import op_def_registry

    assert tf.__version__
    own = set(functions)
    return tuple(op.op for op in ops if op.op not in own and op_def_registry.get(op.op) is None)
