"""Outputs of a Keras model, in batches. Imported by the reference worker only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.jobs import DType
from harness.errors import ModelError
from harness.models.keras import output_names
from harness.models.keras_h5 import load_keras_h5
from harness.models.source import SourceFormat
from harness.wire.encoding import to_elements
from harness.workloads.fitting import Shape, input_shape, match_tensors, score_rows
from harness.workloads.reference import ReferenceRequest

BATCH: Final = 32

_EXPORT_AGAIN: Final = "Check that the model predicts in Keras itself, then save it again."


def keras_outputs(request: ReferenceRequest, records: list[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
    """Rows ``[batch, classes]`` until all ``records`` (one array for each input tensor) are done.

    Raises:
        ModelError: the model does not load in safe mode, fails, or gives no vector of scores.
        WorkloadError, WireError: the records do not fit.
    """
    model = _load(request)
    tensors = list(model.inputs or [])
    order = match_tensors(
        [item.tensor for item in request.inputs], [[tensor.name] for tensor in tensors], request.source
    )
    shapes = [
        input_shape(item.encoding, _shape(tensors[index]), request.source)
        for item, index in zip(request.inputs, order, strict=True)
    ]
    names = output_names(model)
    output_index = _output_index(names, request.io.output, request.source)
    batch = 1 if any(tensor.shape[0] == 1 for tensor in tensors) else BATCH
    for start in range(0, request.input_count, batch):
        fed: dict[int, NDArray[Any]] = {}
        for item, array, index, shape in zip(request.inputs, records, order, shapes, strict=True):
            rows = np.ascontiguousarray(array[start : start + batch])
            dtype = _dtype(tensors[index], request.source)
            fed[index] = to_elements(rows, item.encoding, dtype, None).reshape(len(rows), *shape[1:])
        count = len(fed[0])
        result = _predict(model, tensors, fed, start, request.source)
        output = np.asarray(result[output_index])
        yield score_rows(output, count, names[output_index], request.source)


def _load(request: ReferenceRequest) -> Any:
    import keras

    source = request.source
    try:
        if request.source_format is SourceFormat.KERAS_H5:
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


def _predict(
    model: Any, tensors: list[Any], fed: dict[int, NDArray[Any]], start: int, source: str
) -> list[Any]:
    import keras

    inputs: Any = [fed[index] for index in range(len(tensors))]
    if isinstance(model.input, dict):
        # A list would be matched in the order of the sorted keys, whatever the tensors are called.
        names = [tensor.name for tensor in tensors]
        inputs = {key: fed[names.index(tensor.name)] for key, tensor in model.input.items()}
    elif len(inputs) == 1:
        inputs = inputs[0]
    try:
        result: list[Any] = keras.tree.flatten(model.predict_on_batch(inputs))
    except Exception as error:
        # TensorFlow's errors share no base class with Keras's, and a layer may raise its own.
        reason = " ".join(str(error).split())[:400]
        raise ModelError(
            f"the model failed on the inputs from {start} on: {reason}",
            where=source,
            next_step=_EXPORT_AGAIN,
        ) from error
    return result
