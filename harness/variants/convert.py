"""Source model to float32 .tflite. Runs only in the worker process."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.model_io import ModelIO
from harness.errors import BuildError
from harness.models.keras import load_keras, output_names
from harness.models.keras_h5 import load_keras_h5
from harness.models.source import SourceFormat
from harness.models.tflite import read_tflite
from harness.variants.convert_graph import converted, graph_to_float32

if TYPE_CHECKING:
    import keras


def to_float32(
    source_format: SourceFormat,
    path: Path,
    io: ModelIO | None = None,
    input_shape: Sequence[int] | None = None,
) -> bytes:
    """The source as a float32 .tflite.

    ``io`` and ``input_shape`` (batch axis included) are for graphs; see ``graph_to_float32``.

    Raises:
        ModelError: the source cannot be loaded.
        BuildError: it cannot be converted, or is a .tflite that is not float32.
    """
    match source_format:
        case SourceFormat.KERAS:
            return _from_keras(load_keras(path))
        case SourceFormat.KERAS_H5:
            return _from_keras(load_keras_h5(path))
        case SourceFormat.TFLITE:
            return _from_tflite(path)
        case SourceFormat.GRAPHDEF | SourceFormat.SAVED_MODEL | SourceFormat.CHECKPOINT:
            return graph_to_float32(source_format, path, io or ModelIO(), input_shape)


def _from_keras(model: keras.Model) -> bytes:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        _export_with_batch_of_one(model, Path(folder))
        return converted(lambda: bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert()))


def _export_with_batch_of_one(model: keras.Model, folder: Path) -> None:
    """A SavedModel with a fixed batch: recurrent layers need it, and a phone runs one input at a time."""
    import keras
    import tensorflow as tf

    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise BuildError(
            "the Keras model does not say what inputs it takes",
            next_step="Save it as a Functional or Sequential model with keras.Input, or give a .tflite.",
        )
    for tensor in inputs:
        if any(extent is None for extent in tensor.shape[1:]):
            raise BuildError(
                f"the input {tensor.name} has an open size {tuple(tensor.shape)}",
                next_step="Build the model with a fixed input size: keras.Input(shape=(224, 224, 3)).",
            )
    signature = [tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=tensor.name) for tensor in inputs]
    structure = getattr(model, "_inputs_struct", None)

    def serve(*tensors: Any) -> Any:
        packed = tensors[0] if structure is None else keras.tree.pack_sequence_as(structure, list(tensors))
        result = model(packed, training=False)
        names = output_names(model)
        if len(set(names)) < 2 or len(set(names)) < len(names):
            return result
        # Several outputs go by their names in the model, as for the reference; a list would be numbered.
        return dict(zip(names, keras.tree.flatten(result), strict=True))

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serve, input_signature=signature)
    archive.write_out(str(folder), verbose=False)


def _from_tflite(path: Path) -> bytes:
    if not read_tflite(path).is_float32:
        raise BuildError(
            f"{path.name} is already quantized, and variants are built from float32",
            next_step="Give the float32 model it was made from.",
        )
    return path.read_bytes()
