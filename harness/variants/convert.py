"""Source model to float32 .tflite. Runs only in the worker process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.errors import BuildError
from harness.models.keras import load_keras
from harness.models.source import SourceFormat
from harness.models.tflite import read_tflite

if TYPE_CHECKING:
    import keras


def to_float32(source_format: SourceFormat, path: Path) -> bytes:
    """The source as a float32 .tflite.

    Raises:
        ModelError: the source cannot be loaded.
        BuildError: it cannot be converted, or is a .tflite that is not float32.
    """
    return _CONVERTERS[source_format](path)


def _from_keras(path: Path) -> bytes:
    import tensorflow as tf

    model = load_keras(path)
    with tempfile.TemporaryDirectory() as folder:
        _export_with_batch_of_one(model, Path(folder))
        try:
            converted: bytes = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
        # The converter raises its own ConverterError and much else.
        except Exception as error:
            raise BuildError(
                f"TensorFlow's converter refused the model: {' '.join(str(error).split())[:500]}",
                next_step="Replace the layer it names by one of LiteRT's builtin operators.",
            ) from error
    return converted


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
        return model(packed, training=False)

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


_CONVERTERS: Final[Mapping[SourceFormat, Callable[[Path], bytes]]] = {
    SourceFormat.KERAS: _from_keras,
    SourceFormat.TFLITE: _from_tflite,
}
