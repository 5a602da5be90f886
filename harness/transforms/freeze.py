"""Freeze a TensorFlow 1 graph: replace its variables by the values a checkpoint has for them.

Both kinds of variables are known, reference variables (``VariableV2``) and resource variables
(``VarHandleOp`` with ``ReadVariableOp`` and ``ResourceGather``), in a graph of any format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.errors import ModelError
from harness.transforms.graph import (
    VARIABLE_OPS,
    Array,
    GraphDef,
    GraphView,
    NodeDef,
    closest,
    copy_used_library,
    new_graph_like,
    parse_ref,
    set_const,
)
from harness.transforms.graphdef_file import read_graphdef_or_meta

_REFERENCE_OPS: Final = frozenset({"Variable", "VariableV2", "AutoReloadVariable"})
_HANDLE_CARRIERS: Final = frozenset({"Identity", "Enter", "Switch", "Exit", "Merge", "NextIteration"})
_REFERENCE_CARRIERS: Final = frozenset(f"Ref{op}" for op in _HANDLE_CARRIERS)
_DT_RESOURCE: Final = 20
_FIRST_REFERENCE_TYPE: Final = 100  # types.proto: a reference type is its value type plus 100


def freeze(graph_path: Path, checkpoint: Path, *, outputs: Sequence[str]) -> GraphDef:
    """The part of the graph that computes ``outputs``, with Consts for variables.

    ``graph_path`` is a GraphDef (.pb, .pbtxt) or a MetaGraphDef (.meta); ``checkpoint`` is the prefix, one of its
    files, or the folder whose newest checkpoint is meant.

    Raises:
        ModelError: a file is missing or damaged, the checkpoint lacks a variable or has another shape for it, or
            a variable is used in a way that a constant cannot stand for.
    """
    view = GraphView(read_graphdef_or_meta(graph_path))
    reader = open_checkpoint(checkpoint)
    needed = view.ancestors([view.node(parse_ref(name).node).name for name in outputs])
    result = new_graph_like(view.graph)
    handles: dict[str, int] = {}
    for name in view.order:
        if name not in needed:
            continue
        node = view.nodes[name]
        target = result.node.add()
        if node.op in VARIABLE_OPS:
            value = _variable(view, node, reader, checkpoint)
            set_const(target, name, value)
            target.device = node.device
            if node.op not in _REFERENCE_OPS:
                handles[name] = target.attr["dtype"].type
            continue
        target.CopyFrom(node)
        handle = next((handles[ref.node] for ref in view.data_inputs(name) if ref.node in handles), None)
        if handle is not None:
            _read_constant(result, target, handle)
            if node.op in _HANDLE_CARRIERS:
                handles[name] = handle
        elif node.op in _REFERENCE_CARRIERS:
            target.op = node.op.removeprefix("Ref")
        elif _writes_reference(node):
            raise _not_constant(node)
    copy_used_library(view.graph, result)
    return result


def open_checkpoint(checkpoint: Path) -> Any:
    """A reader of the checkpoint at ``checkpoint``: a prefix, one of its files, or a folder.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    import tensorflow as tf

    prefix = str(checkpoint)
    if checkpoint.is_dir():
        newest = tf.train.latest_checkpoint(prefix)
        if newest is None:
            raise ModelError(
                "holds no checkpoint",
                where=prefix,
                next_step="Name the prefix, such as folder/model.ckpt-1000.",
            )
        prefix = newest
    elif not checkpoint.is_file() or re.search(r"\.(index|meta|data-\d+-of-\d+)$", prefix):
        prefix = re.sub(r"\.(index|meta|data-\d+-of-\d+)$", "", prefix)
    try:
        return tf.train.load_checkpoint(prefix)
    except (ValueError, TypeError, RuntimeError, IndexError, tf.errors.OpError) as problem:
        raise ModelError(
            f"is no checkpoint, or is damaged ({str(problem).splitlines()[0][:200]})",
            where=str(checkpoint),
            next_step="Give the prefix, with .index and .data files of that name beside each other.",
        ) from None


def _variable(view: GraphView, node: NodeDef, reader: Any, checkpoint: Path) -> Array:
    import tensorflow as tf

    key = node.attr["shared_name"].s.decode() or node.name if node.op == "VarHandleOp" else node.name
    shapes: dict[str, list[int]] = reader.get_variable_to_shape_map()
    if key not in shapes:
        base = re.sub(r"/part_\d+$", "", key)
        raise ModelError(
            f"the checkpoint has no variable {key!r}",
            where=str(checkpoint),
            next_step="It is stored whole, and the graph is partitioned: export the graph without partitions."
            if base != key and base in shapes
            else f"Give the checkpoint of this very graph. {_nearest(key, shapes)}",
        )
    try:
        value: Array = reader.get_tensor(key)
    except (ValueError, RuntimeError, IndexError, tf.errors.OpError) as problem:
        raise ModelError(
            f"variable {key!r} cannot be read ({str(problem).splitlines()[0][:200]})",
            where=str(checkpoint),
            next_step="The checkpoint is damaged or incomplete: copy it again.",
        ) from None
    declared = tf.TensorShape(node.attr["shape"].shape if "shape" in node.attr else None)
    wanted = tf.as_dtype(node.attr["dtype"].type % _FIRST_REFERENCE_TYPE)
    if not declared.is_compatible_with(value.shape) or tf.as_dtype(value.dtype) != wanted:
        raise ModelError(
            f"variable {key!r} is {value.dtype} {list(value.shape)} in the checkpoint, and {wanted.name} {declared} "
            "in the graph",
            where=str(checkpoint),
            next_step="Give the checkpoint of this very graph.",
        )
    return value


def _nearest(key: str, shapes: dict[str, list[int]]) -> str:
    if any(name.endswith("/.ATTRIBUTES/VARIABLE_VALUE") for name in shapes):
        return "This one was written by TensorFlow 2 for objects: export a SavedModel instead."
    return closest(key, shapes).replace("The graph has", "It has").replace("nodes", "variables")


def _read_constant(result: GraphDef, node: NodeDef, dtype: int) -> None:
    """Make a node that read a variable by its handle read the constant of the same name."""
    if node.op == "ReadVariableOp":
        node.op = "Identity"
        node.attr["T"].type = dtype
        for key in [key for key in node.attr if key != "T"]:
            del node.attr[key]
    elif node.op == "ResourceGather":
        _gather(result, node, dtype)
    elif node.op in _HANDLE_CARRIERS and node.attr["T"].type == _DT_RESOURCE:
        node.attr["T"].type = dtype
        node.attr.pop("_output_shapes", None)
    else:
        raise _not_constant(node)


def _writes_reference(node: NodeDef) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    return definition is not None and any(argument.is_ref for argument in definition.input_arg)


def _not_constant(node: NodeDef) -> ModelError:
    return ModelError(
        f"node {node.name!r} ({node.op}) uses a variable in a way a constant cannot stand for",
        next_step="Export a SavedModel and give that, or name outputs that need no such node.",
    )


def _gather(result: GraphDef, node: NodeDef, dtype: int) -> None:
    batch_dims = node.attr["batch_dims"].i
    axis = result.node.add()
    set_const(axis, f"{node.name}/frozen_axis", np.array(batch_dims, np.int32))
    indices = node.attr["Tindices"].type
    node.op = "GatherV2"
    data = [text for text in node.input if not text.startswith("^")]
    control = [text for text in node.input if text.startswith("^")]
    node.ClearField("input")
    node.input.extend([*data, axis.name, *control])
    for key in list(node.attr):
        del node.attr[key]
    node.attr["Tparams"].type = dtype
    node.attr["Tindices"].type = indices
    node.attr["Taxis"].type = axis.attr["dtype"].type
    node.attr["batch_dims"].i = batch_dims
