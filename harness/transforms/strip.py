"""Cut a graph down to what leads from named inputs to named outputs.

Image decoding before the input, training and evaluation ops, checks and prints go; so do Identity nodes that
only pass a value on. What remains computes the same values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from harness.errors import ModelError
from harness.transforms.graph import (
    CONTROL_FLOW_OPS,
    VARIABLE_OPS,
    GraphDef,
    GraphView,
    NodeDef,
    TensorRef,
    copy_used_library,
    new_graph_like,
    parse_ref,
)
from harness.transforms.side_effects import CHECK_OPS, ControlEdges

Shape: TypeAlias = Sequence[int | None]

_PASS_ON_OPS: Final = frozenset({"Identity", "StopGradient", "PreventGradient", "Snapshot"})
_INPUT_OPS: Final = frozenset({"Placeholder", "PlaceholderV2"})


def strip(
    graph: GraphDef,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    shapes: Mapping[str, Shape] | None = None,
) -> GraphDef:
    """The part of ``graph`` that computes ``outputs`` from ``inputs``.

    Names are of nodes (``Mul``) or of their first tensors (``Mul:0``). An input that is no placeholder
    becomes one, of its type and of the shape in ``shapes``, or else the shape TensorFlow infers, or none.
    ``versions`` stays; of the function library what is still called stays.

    Raises:
        ModelError: a name that is not in the graph, a graph that is not frozen, an output that still needs
            another placeholder or does not depend on any input, an input nothing depends on.
    """
    view = GraphView(graph)
    input_names = _input_names(view, inputs)
    output_names = [_output_name(view, name) for name in outputs]
    if not output_names:
        raise ModelError("no output was named", next_step="Name the node whose value is the result.")
    needed = view.ancestors(output_names, stop=input_names)
    _check_ends(view, needed, input_names, output_names)
    given = {parse_ref(name).node: shape for name, shape in (shapes or {}).items()}

    refs = _rewired(view, needed, set(input_names), set(output_names))
    kept = _reached(refs, output_names, set(input_names))
    result = new_graph_like(graph)
    for name, node in view.nodes.items():
        if name not in kept:
            continue
        if name in input_names:
            _add_placeholder(result.node.add(), view, name, given.get(name))
            continue
        copy = result.node.add()
        copy.CopyFrom(node)
        copy.ClearField("input")
        copy.input.extend(str(ref) for ref in refs[name])
        # Notes of the shapes at export: TensorFlow refuses them where the input's shape is now another.
        copy.attr.pop("_output_shapes", None)
        _drop_dangling_colocation(copy, kept)
    copy_used_library(graph, result)
    return result


def _input_names(view: GraphView, inputs: Sequence[str]) -> list[str]:
    if not inputs:
        raise ModelError("no input was named", next_step="Name the node that takes the image or tensor.")
    names = []
    for text in inputs:
        ref = parse_ref(text)
        view.node(ref.node)
        if ref.port != 0:
            raise ModelError(
                f"input {text!r} is not a node's first output",
                next_step="Name a node with one output, such as the placeholder or the op after it.",
            )
        names.append(ref.node)
    return names


def _output_name(view: GraphView, text: str) -> str:
    return str(view.node(parse_ref(text).node).name)


def _check_ends(view: GraphView, needed: set[str], inputs: Sequence[str], outputs: Sequence[str]) -> None:
    for name in inputs:
        if name not in needed:
            raise ModelError(
                f"no output depends on input {name!r}",
                next_step=f"Leave it out, or name another input; the outputs are {', '.join(outputs)}.",
            )
        ports = {use.port for use in view.uses(name) if use.consumer in needed and use.consumer not in inputs}
        if ports - {0, -1}:
            raise ModelError(
                f"input {name!r} is needed for more than its first output",
                next_step="Name the nodes after it as inputs, one for each output.",
            )
    variables = [name for name in needed if view.nodes[name].op in VARIABLE_OPS]
    if variables:
        raise ModelError(
            f"the graph is not frozen: it reads {len(variables)} variables, such as {min(variables)!r}",
            next_step="Freeze it with its checkpoint first.",
        )
    others = sorted(name for name in needed if view.nodes[name].op in _INPUT_OPS and name not in inputs)
    if others:
        raise ModelError(
            f"the outputs also need the placeholder{'s' if len(others) > 1 else ''} "
            f"{', '.join(repr(name) for name in others)}",
            next_step="Name it as an input too, or name an input closer to the outputs.",
        )
    for name in outputs:
        if not view.ancestors([name], stop=inputs) & set(inputs):
            raise ModelError(
                f"output {name!r} does not depend on any of the inputs {', '.join(inputs)}",
                next_step="Check the names: the output must be computed from the input.",
            )


def _rewired(
    view: GraphView, needed: set[str], inputs: set[str], outputs: set[str]
) -> dict[str, list[TensorRef]]:
    """The inputs of each needed node once needless control edges and pass-on nodes are gone."""
    control = ControlEdges(view)
    refs: dict[str, list[TensorRef]] = {}
    for name in needed:
        refs[name] = [
            ref
            for ref in ([] if name in inputs else view.inputs(name))
            if not ref.is_control or not control.may_go(name, ref.node)
        ]
    waited_for = {ref.node for own in refs.values() for ref in own if ref.is_control}
    passed: dict[str, TensorRef] = {}
    for name in view.order:
        if name not in needed or name in inputs or name in outputs or name in waited_for:
            continue
        if _only_passes_on(view, name, refs[name]):
            source = refs[name][0]
            passed[name] = passed.get(source.node, source) if source.port == 0 else source
    return {name: _through(own, passed) for name, own in refs.items()}


def _only_passes_on(view: GraphView, name: str, refs: Sequence[TensorRef]) -> bool:
    op = view.nodes[name].op
    if not refs or any(ref.is_control for ref in refs):
        return False
    if op in _PASS_ON_OPS:
        # An Identity at a branch or a loop may be there for what it waits for, or for what waits for it.
        neighbours = [ref.node for ref in refs] + [use.consumer for use in view.uses(name)]
        return not any(view.nodes[other].op in CONTROL_FLOW_OPS for other in neighbours)
    return op in CHECK_OPS and op not in ("Assert", "PrintV2")


def _through(refs: Sequence[TensorRef], passed: Mapping[str, TensorRef]) -> list[TensorRef]:
    return [passed.get(ref.node, ref) if ref.port == 0 else ref for ref in refs]


def _reached(refs: Mapping[str, Sequence[TensorRef]], outputs: Sequence[str], inputs: set[str]) -> set[str]:
    reached: set[str] = set(inputs)
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        waiting.extend(ref.node for ref in refs[name])
    return reached


def _add_placeholder(target: NodeDef, view: GraphView, name: str, shape: Shape | None) -> None:
    node = view.nodes[name]
    if node.op in _INPUT_OPS and shape is None:
        target.CopyFrom(node)
        return
    import tensorflow as tf

    inferred_type, inferred_shape = _inferred(view, name)
    target.name = name
    target.op = "Placeholder"
    target.device = node.device
    target.attr["dtype"].type = inferred_type
    wanted = tf.TensorShape(inferred_shape if shape is None else shape)
    target.attr["shape"].shape.CopyFrom(wanted.as_proto())


def _inferred(view: GraphView, name: str) -> tuple[int, Shape | None]:
    """Type and shape of the node's first output, from what leads to it."""
    import tensorflow as tf

    feeding = new_graph_like(view.graph)
    for other in view.ancestors([name]):
        feeding.node.add().CopyFrom(view.nodes[other])
        _drop_dangling_colocation(feeding.node[-1], ())
    copy_used_library(view.graph, feeding)
    try:
        with tf.Graph().as_default() as imported:
            tf.import_graph_def(feeding, name="")
            tensor = imported.get_tensor_by_name(f"{name}:0")
    except (ValueError, KeyError, TypeError, tf.errors.OpError):
        return _declared_type(view.nodes[name]), None
    shape = tensor.shape.as_list() if tensor.shape.rank is not None else None
    return tensor.dtype.base_dtype.as_datatype_enum, shape


def _declared_type(node: NodeDef) -> int:
    """The type the op declares for its first output, for graphs with ops this TensorFlow does not know."""
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    if definition is not None and definition.output_arg:
        output = definition.output_arg[0]
        if output.type:
            return int(output.type)
        if output.type_attr in node.attr:
            return int(node.attr[output.type_attr].type)
    for attribute in ("dtype", "T", "out_type", "DstT"):
        if node.attr[attribute].type if attribute in node.attr else 0:
            return int(node.attr[attribute].type)
    raise ModelError(
        f"the type of input {node.name!r} (op {node.op}) is unknown",
        next_step="Name a placeholder, or the node after it, as the input.",
    )


def _drop_dangling_colocation(node: NodeDef, kept: set[str] | tuple[()]) -> None:
    """Forget wishes to stand beside a node that is gone: TensorFlow refuses to import them."""
    if "_class" not in node.attr:
        return
    near = [
        where
        for where in node.attr["_class"].list.s
        if not where.startswith(b"loc:@") or where[5:].decode("utf-8", "replace") in kept
    ]
    if near:
        node.attr["_class"].list.s[:] = near
    else:
        del node.attr["_class"]
