"""Outputs of a Keras model, in batches. Imported by the reference worker only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.jobs import DType
from harness.errors import ModelError
from harness.models.keras import output_names
from harness.models.keras_h5 import load_keras_h5
from harness.models.source import SourceFormat
from harness.shards.request import BATCH, ReferenceEngine
from harness.wire.encoding import to_elements
from harness.workloads.fitting import Rows, Shape, input_shape, match_tensors, score_rows

_EXPORT_AGAIN: Final = "Check that the model predicts in Keras itself, then save it again."


def open_keras(source: str, engine: ReferenceEngine) -> Rows:
    """The Keras model, in batches where it leaves the batch open.

    Raises:
        ModelError: the model does not load in safe mode, fails, or gives no vector of scores.
        WorkloadError, WireError: the records do not fit.
    """
    import keras

    model = _load(source, engine.source.format)
    tensors = list(model.inputs or [])
    order = match_tensors(
        [item.tensor for item in engine.inputs], [[tensor.name] for tensor in tensors], source
    )
    shapes = [
        input_shape(item.encoding, _shape(tensors[index]), source)
        for item, index in zip(engine.inputs, order, strict=True)
    ]
    dtypes = [_dtype(tensors[index], source) for index in order]
    names = output_names(model)
    output_index = _output_index(names, engine.io.output, source)
    batch = 1 if any(tensor.shape[0] == 1 for tensor in tensors) else BATCH
    predict = _compiled(model)
    stateful = [
        layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN) and layer.stateful
    ]

    def rows(records: Sequence[NDArray[Any]], first: int) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(records[0]), batch):
            fed: dict[int, NDArray[Any]] = {}
            for item, array, index, dtype, shape in zip(
                engine.inputs, records, order, dtypes, shapes, strict=True
            ):
                part = array[start : start + batch]
                fed[index] = to_elements(part, item.encoding, dtype, None).reshape(len(part), *shape[1:])
            for layer in stateful:
                # What the inputs before left in it is not theirs to hand on.
                layer.reset_state()
            with _failing(first + start, source):
                result = keras.tree.flatten(predict(_as_taken(model, tensors, fed)))
            output = np.asarray(result[output_index])
            yield score_rows(output, len(fed[0]), names[output_index], source)

    return rows


def _compiled(model: Any) -> Callable[[Any], Any]:
    """The model's prediction, traced once for each shape.

    ``predict_on_batch`` traces an open batch instead once two sizes were seen: then what a batch gets could depend on
    the batches before.
    """
    import tensorflow as tf

    traced: Callable[[Any], Any] = tf.function(
        lambda inputs: model(inputs, training=False), reduce_retracing=False, jit_compile=model.jit_compile
    )
    return traced


def _load(source: str, source_format: SourceFormat) -> Any:
    import keras

    try:
        if source_format is SourceFormat.KERAS_H5:
            return _with_inputs(load_keras_h5(Path(source)), source)
        model = keras.saving.load_model(source, compile=False, safe_mode=True)
    except ModelError:
        raise
    except Exception as error:
        # Whatever the layers raise while they are rebuilt: TypeError, KeyError, ValueError, OSError.
        reason = " ".join(str(error).split())[:400]
        raise ModelError(
            f"Keras {keras.__version__} cannot load it: {reason}",
            where=source,
            next_step='Save it again with Keras 3: model.save("model.keras").',
        ) from error
    return _with_inputs(model, source)


def _with_inputs(model: Any, source: str) -> Any:
    if not getattr(model, "inputs", None):
        raise ModelError(
            "the model does not say what its inputs are",
            where=source,
            next_step="Build it with keras.Input (Functional or Sequential) and save it again.",
        )
    return model


def _shape(tensor: Any) -> Shape:
    return tuple(tensor.shape)


def _dtype(tensor: Any, source: str) -> DType:
    try:
        return DType(str(tensor.dtype))
    except ValueError as error:
        raise ModelError(
            f"the input {tensor.name} takes {tensor.dtype} elements, which cannot be sent to a model",
            where=source,
            next_step=f"Give it an input of type {', '.join(dtype.value for dtype in DType)}.",
        ) from error


def _output_index(names: list[str], name: str, source: str) -> int:
    if not name:
        return 0
    if name not in names:
        raise ModelError(
            f"the model has no output {name!r}, it has {', '.join(names)}",
            where=source,
            next_step="Name one of them.",
        )
    return names.index(name)


def _as_taken(model: Any, tensors: list[Any], fed: dict[int, NDArray[Any]]) -> Any:
    """``fed``, by the index of the input, in the structure that the model is called with."""
    # A Sequential model has none, and never a dictionary, until it is called.
    taken = getattr(model, "input", None)
    if isinstance(taken, dict):
        # A list would be matched in the order of the sorted keys, whatever the tensors are called.
        names = [tensor.name for tensor in tensors]
        return {key: fed[names.index(tensor.name)] for key, tensor in taken.items()}
    return [fed[index] for index in range(len(tensors))] if len(tensors) > 1 else fed[0]


@contextmanager
def _failing(first: int, source: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # TensorFlow's errors share no base class with Keras's, and a layer may raise its own.
        reason = " ".join(str(error).split())[:400]
        raise ModelError(
            f"the model failed on the inputs from {first} on: {reason}",
            where=source,
            next_step=_EXPORT_AGAIN,
        ) from error
