"""SavedModels as one GraphDef: described from ``saved_model.pb`` alone, or loaded and frozen for the op check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.core.inspection import Signature, TensorSummary, WeightTensor, element_count
from harness.errors import ModelError

_INIT_SIGNATURE: Final = "__saved_model_init_op"
_SAVE_AGAIN: Final = "Export the model again: tf.saved_model.save or model.export."
_NO_WEIGHTS: Final = ("string", "resource", "variant")


class FrozenSignature(NamedTuple):
    """A signature with variables as constants and calls inlined, and the nodes it is fed and read at."""

    graph: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def signatures(meta_graph: Any) -> tuple[Signature, ...]:
    """Every signature with its inputs and outputs, by key."""
    from tensorflow.core.framework.types_pb2 import DataType

    from harness.transforms.graph_candidates import dtype_name

    def tensors(infos: Any) -> Iterator[TensorSummary]:
        for name, info in sorted(infos.items()):
            shape = info.tensor_shape
            yield TensorSummary(
                name=name,
                dtype=dtype_name(DataType, info.dtype),
                shape=None if shape.unknown_rank else tuple(dim.size for dim in shape.dim),
            )

    return tuple(
        Signature(key=key, inputs=tuple(tensors(entry.inputs)), outputs=tuple(tensors(entry.outputs)))
        for key, entry in sorted(meta_graph.signature_def.items())
        if key != _INIT_SIGNATURE
    )


def variables(prefix: Path) -> tuple[WeightTensor, ...]:
    """Name, type and shape of every variable in the checkpoint; no value is read.

    Raises:
        ModelError: the index of the checkpoint is damaged.
    """
    import tensorflow as tf

    if not prefix.with_name(f"{prefix.name}.index").is_file():
        return ()
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"has variables that cannot be read: {' '.join(str(error).split())[:300]}",
            where=str(prefix),
            next_step=_SAVE_AGAIN,
        ) from None
    return tuple(
        WeightTensor(
            name=name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE"),
            dtype=types[name].name,
            shape=tuple(shape),
            bytes=element_count(shape) * types[name].size,
        )
        for name, shape in sorted(shapes.items())
        if types[name].name not in _NO_WEIGHTS
    )


def frozen_signature(folder: Path, signature: str) -> FrozenSignature:
    """Load the SavedModel of TensorFlow 2 in ``folder`` and freeze one signature.

    Raises:
        ModelError: TensorFlow cannot load or freeze it.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    try:
        loaded = tf.saved_model.load(str(folder))
        function = convert_variables_to_constants_v2(loaded.signatures[signature], lower_control_flow=False)
    # TensorFlow raises whatever the loading of a layer or a table raises.
    except Exception as error:
        raise ModelError(
            f"cannot be loaded and frozen by TensorFlow: {' '.join(str(error).split())[:500]}",
            where=str(folder),
            next_step=_SAVE_AGAIN,
        ) from error
    return FrozenSignature(
        function.graph.as_graph_def(),
        tuple(tensor.op.name for tensor in function.inputs if tensor.dtype != tf.resource),
        tuple(tensor.op.name for tensor in function.outputs),
    )
