"""A read-only view over a GraphDef: who feeds whom, what is constant, whether it hangs together.

The passes of this package take a GraphDef and return another one. They look through this view and never
write through it.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.errors import ModelError

# TensorFlow's protobuf classes have no types, and importing them imports TensorFlow.
GraphDef: TypeAlias = Any
NodeDef: TypeAlias = Any
Array: TypeAlias = NDArray[Any]

CONTROL_PORT: Final = -1

CONTROL_FLOW_OPS: Final = frozenset(
    {
        prefix + op
        for prefix in ("", "Ref")
        for op in ("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond")
    }
)
"""The ops of TensorFlow 1's ``tf.cond`` and ``tf.while_loop``."""

BACK_EDGE_OPS: Final = frozenset({"NextIteration", "RefNextIteration"})

VARIABLE_OPS: Final = frozenset(
    {"Variable", "VariableV2", "AutoReloadVariable", "VarHandleOp", "VarHandlesOp", "TemporaryVariable"}
)


class TensorRef(NamedTuple):
    """One entry of a node's input list, taken apart. ``port`` is ``CONTROL_PORT`` for ``^node``."""

    node: str
    port: int

    @property
    def is_control(self) -> bool:
        return self.port == CONTROL_PORT

    def __str__(self) -> str:
        if self.is_control:
            return f"^{self.node}"
        return self.node if self.port == 0 else f"{self.node}:{self.port}"


class Use(NamedTuple):
    """``consumer`` reads output ``port`` of the node that was asked about."""

    consumer: str
    port: int


def parse_ref(text: str) -> TensorRef:
    """``x``, ``x:0``, ``x:2`` or ``^x`` taken apart; ``x`` and ``x:0`` are the same tensor."""
    if text.startswith("^"):
        return TensorRef(text[1:], CONTROL_PORT)
    name, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit():
        return TensorRef(name, int(port))
    return TensorRef(text, 0)


def node_names(names: Iterable[str]) -> list[str]:
    """The node of each tensor name."""
    return [parse_ref(name).node for name in names]


def closest(name: str, known: Collection[str]) -> str:
    """A sentence that names the known names most like ``name``, or some of them where none is."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    last_part = name.rpartition("/")[2]
    near += [other for other in known if other not in near and other.rpartition("/")[2] == last_part][:2]
    if near:
        return f"Did you mean {' or '.join(repr(other) for other in near)}?"
    some = sorted(known)[:5]
    return f"The graph has {len(known)} nodes, among them {', '.join(repr(other) for other in some)}."


class GraphView:
    """The nodes of ``graph`` by name, with their consumers.

    Raises:
        ModelError: a node without name or op, two of one name, an input that names no node, or a cycle
            (the back edges of ``tf.while_loop`` are none).
    """

    def __init__(self, graph: GraphDef) -> None:
        self.graph = graph
        self.nodes: dict[str, NodeDef] = {}
        for node in graph.node:
            if not node.name or not node.op:
                raise ModelError(
                    f"node {node.name or '(unnamed)'!r} has no {'op' if node.name else 'name'}",
                    next_step="The file is damaged, or no GraphDef: export the graph again.",
                )
            if node.name in self.nodes:
                raise ModelError(
                    f"two nodes are named {node.name!r}",
                    next_step="Export the graph again with unique names.",
                )
            self.nodes[node.name] = node
        self._inputs: dict[str, tuple[TensorRef, ...]] = {}
        self._uses: dict[str, list[Use]] = {}
        for name, node in self.nodes.items():
            refs = tuple(parse_ref(text) for text in node.input)
            self._inputs[name] = refs
            for ref in refs:
                if ref.node not in self.nodes:
                    raise ModelError(
                        f"node {name!r} takes {str(ref)!r}, and the graph has no node {ref.node!r}",
                        next_step="Export it again: the file may be truncated. "
                        + closest(ref.node, self.nodes),
                    )
                self._uses.setdefault(ref.node, []).append(Use(name, ref.port))
        self.order: Final[tuple[str, ...]] = tuple(self._sorted())

    def __contains__(self, name: str) -> bool:
        return name in self.nodes

    def node(self, name: str) -> NodeDef:
        """The node called ``name``.

        Raises:
            ModelError: there is none; the next step names those most like it.
        """
        if name not in self.nodes:
            raise ModelError(f"the graph has no node {name!r}", next_step=closest(name, self.nodes))
        return self.nodes[name]

    def inputs(self, name: str) -> tuple[TensorRef, ...]:
        return self._inputs[name]

    def data_inputs(self, name: str) -> tuple[TensorRef, ...]:
        return tuple(ref for ref in self._inputs[name] if not ref.is_control)

    def control_inputs(self, name: str) -> tuple[TensorRef, ...]:
        return tuple(ref for ref in self._inputs[name] if ref.is_control)

    def uses(self, name: str) -> Sequence[Use]:
        """Every data and control edge that leaves the node."""
        return self._uses.get(name, ())

    def ancestors(self, names: Iterable[str], *, stop: Collection[str] = ()) -> set[str]:
        """``names`` and all they depend on by data or control; nothing behind a node in ``stop``."""
        reached: set[str] = set()
        waiting = [self.node(name).name for name in names]
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            reached.add(name)
            if name not in stop:
                waiting.extend(ref.node for ref in self._inputs[name])
        return reached

    def _forward_edges(self, name: str) -> Iterator[TensorRef]:
        # A loop's Merge waits for its NextIteration in the text of the graph, but not when it runs.
        merges = self.nodes[name].op in ("Merge", "RefMerge")
        for ref in self._inputs[name]:
            if not (merges and self.nodes[ref.node].op in BACK_EDGE_OPS):
                yield ref

    def _sorted(self) -> Iterator[str]:
        missing = {name: sum(1 for _ in self._forward_edges(name)) for name in self.nodes}
        ready = [name for name, count in missing.items() if count == 0]
        done = 0
        while done < len(ready):
            name = ready[done]
            done += 1
            yield name
            back = self.nodes[name].op in BACK_EDGE_OPS
            for use in self.uses(name):
                if back and self.nodes[use.consumer].op in ("Merge", "RefMerge"):
                    continue
                missing[use.consumer] -= 1
                if missing[use.consumer] == 0:
                    ready.append(use.consumer)
        if done < len(self.nodes):
            raise ModelError(
                f"the graph has a cycle: {' → '.join(self._cycle(set(ready)))}",
                next_step="A frozen graph flows one way: export it again.",
            )

    def _cycle(self, sorted_names: set[str]) -> list[str]:
        name = next(name for name in self.nodes if name not in sorted_names)
        path: list[str] = []
        while name not in path:
            path.append(name)
            name = next(ref.node for ref in self._forward_edges(name) if ref.node not in sorted_names)
        cycle = [*path[path.index(name) :], name]
        cycle.reverse()
        return cycle if len(cycle) <= 6 else [*cycle[:3], "…", *cycle[-2:]]


def const_elements(node: NodeDef) -> int:
    """How many elements the Const has, without decoding it."""
    elements = 1
    for dim in node.attr["value"].tensor.tensor_shape.dim:
        elements *= dim.size
    return elements


def const_value(node: NodeDef) -> Array:
    """The value of a Const.

    Raises:
        ModelError: its bytes do not fit its shape and type.
    """
    import tensorflow as tf

    tensor = node.attr["value"].tensor
    try:
        if tensor.dtype != node.attr["dtype"].type:
            raise TypeError("two types are given")
        value: Array = tf.make_ndarray(tensor)
    except (ValueError, TypeError, MemoryError) as problem:
        raise ModelError(
            f"the value of Const {node.name!r} does not fit its shape and type ({problem})",
            next_step="The file is damaged: export the graph again.",
        ) from None
    return value


def set_const(node: NodeDef, name: str, value: Array) -> None:
    """Make the empty ``node`` a Const of ``value``."""
    import tensorflow as tf

    node.name = name
    node.op = "Const"
    dtype = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr["dtype"].type = dtype
    replace_const_value(node, value)


def replace_const_value(node: NodeDef, value: Array) -> None:
    """Give the Const another value of the same type; device, attributes and control inputs stay."""
    tensor = node.attr["value"].tensor
    tensor.Clear()
    tensor.dtype = node.attr["dtype"].type
    for size in value.shape:
        tensor.tensor_shape.dim.add().size = size
    tensor.tensor_content = np.ascontiguousarray(value).tobytes()


def new_graph_like(graph: GraphDef, *, with_library: bool = False) -> GraphDef:
    """An empty graph with the same ``versions``: they decide which ops and defaults TensorFlow accepts."""
    empty = type(graph)()
    if graph.HasField("versions"):
        empty.versions.CopyFrom(graph.versions)
    if with_library and graph.HasField("library"):
        empty.library.CopyFrom(graph.library)
    return empty


def copy_used_library(source: GraphDef, target: GraphDef) -> None:
    """Copy to ``target`` the functions of ``source`` that the nodes of ``target`` call, directly or not."""
    functions = {function.signature.name: function for function in source.library.function}
    if not functions:
        return
    gradients = {gradient.function_name: gradient for gradient in source.library.gradient}
    wanted: set[str] = set()
    waiting = [name for node in target.node for name in (node.op, *called_functions(node))]
    while waiting:
        name = waiting.pop()
        if name in wanted or name not in functions:
            continue
        wanted.add(name)
        for node in functions[name].node_def:
            waiting += [node.op, *called_functions(node)]
        if name in gradients:
            waiting.append(gradients[name].gradient_func)
    for name, function in functions.items():
        if name in wanted:
            target.library.function.add().CopyFrom(function)
            if name in gradients:
                target.library.gradient.add().CopyFrom(gradients[name])


def called_functions(node: NodeDef) -> Iterator[str]:
    """The functions a node names in attributes such as ``f`` or ``then_branch``."""
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            yield value.func.name
        elif kind == "list":
            yield from (function.name for function in value.list.func)
