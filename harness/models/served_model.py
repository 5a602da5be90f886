"""Loads a SavedModel of TensorFlow 2 by one of its signatures. For worker processes only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.model_io import ModelIO
from harness.errors import ModelError
from harness.models.frozen_graph import choose_entry, choose_signature, read_meta_graph
from harness.models.graph_ends import refuse_writing


@dataclass(frozen=True)
class ServedModel:
    """``function`` takes tensors by the names of ``inputs`` and gives tensors by name, ``output`` among them.

    ``inputs`` are ``tf.TensorSpec``. ``loaded`` owns the variables and must outlive the function. ``assigned`` are the
    variables that a call may change: all, where it assigns to any.
    """

    loaded: object
    function: Callable[..., Mapping[str, Any]]
    inputs: Mapping[str, Any]
    output: str
    assigned: Sequence[Any]


def load_served(folder: Path, io: ModelIO) -> ServedModel:
    """The signature ``io.signature`` of the SavedModel, or the one that leaves no choice.

    Raises:
        ModelError: TensorFlow cannot load it, or signature or output are not clear.
    """
    import tensorflow as tf

    where = str(folder)
    try:
        refuse_writing(read_meta_graph(folder).graph_def, with_saver=True)
        try:
            loaded = tf.saved_model.load(where)
        # Whatever the loader meets: OpError, ValueError, KeyError, FileNotFoundError, AssertionError.
        except Exception as error:
            raise ModelError(
                f"TensorFlow cannot load the SavedModel: {' '.join(str(error).split())[:400]}",
                next_step="Export it again with this TensorFlow, or give the .tflite or a frozen graph of it.",
            ) from error
        key = choose_signature(loaded.signatures, io.signature)
        function = loaded.signatures[key]
        inputs = dict(function.structured_input_signature[1])
        if io.input:
            choose_entry("input", {name: f"{key}_{name}:0" for name in inputs}, io.input)
        outputs = dict.fromkeys(function.structured_outputs, "")
        return ServedModel(
            loaded, function, inputs, choose_entry("output", outputs, io.output), _assigned(function)
        )
    except ModelError as error:
        if error.where is not None:
            raise
        raise ModelError(error.problem, where=where, next_step=error.next_step) from error


def _assigned(function: Any) -> Sequence[Any]:
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    return list(function.variables) if any(node.op.startswith("Assign") for node in nodes) else []
