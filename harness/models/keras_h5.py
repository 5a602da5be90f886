"""``.h5``: Keras's HDF5 format, as Keras 2 wrote it, loaded by Keras 3 without running anything from it.

The file's attribute ``model_config`` is the architecture as JSON, the group ``model_weights`` the weights
(keras/src/legacy/saving/legacy_h5_format.py). Keras 3 refuses arguments that Keras 2 wrote for some layers; a
copy without them is loaded, the user's file stays as it is.
"""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.errors import ModelError
from harness.models.keras import LARGEST_JSON_BYTES, dictionaries, refuse_foreign_code

if TYPE_CHECKING:
    import keras

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"

_OFFSET_BYTES: Final = 8
"""What every writer of Keras files uses."""

_COPY_AGAIN: Final = "Copy or save the file again; it is damaged or was cut off on the way."
_CONVERT: Final = (
    "Load it with the Keras that wrote it, convert it there with tf.lite.TFLiteConverter and give the .tflite here; "
    "or build the model in Keras 3, load the weights, save it."
)

_RECURRENT: Final[Mapping[str, tuple[object, ...]]] = {
    "time_major": (False, None),
    "implementation": (0, 1, 2),
}
_TRANSPOSED: Final[Mapping[str, tuple[object, ...]]] = {"groups": (1, None)}
_WITHOUT_EFFECT: Final[Mapping[str, Mapping[str, tuple[object, ...]]]] = {
    **{kind: _RECURRENT for kind in ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D")},
    **{kind: _RECURRENT for kind in ("ConvLSTM3D", "LSTMCell", "GRUCell", "SimpleRNNCell")},
    **{kind: _TRANSPOSED for kind in ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")},
}
"""Per class the arguments Keras 3 does not know, with the values that say what Keras 3 does anyway."""

_DEPTHWISE: Final = frozenset(
    {"DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", "SeparableConvolution2D"}
)
_OF_ORDINARY_CONVOLUTIONS: Final = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")


def is_hdf5(head: bytes) -> bool:
    return head.startswith(SIGNATURE)


def check_h5(path: Path) -> None:
    """Check that the file is as long as it says. What is in it is read in a process of its own.

    The superblock's versions 0 to 3 are known: https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html.

    Raises:
        ModelError: it is truncated.
    """
    with path.open("rb") as stream:
        head = stream.read(64)
    version = head[8] if len(head) > 8 else -1
    place = {0: 40, 1: 44, 2: 28, 3: 28}.get(version)
    if place is None or len(head) < place + 8:
        raise ModelError("is a damaged HDF5 file", where=str(path), next_step=_COPY_AGAIN)
    size_bytes = path.stat().st_size
    end = struct.unpack_from("<Q", head, place)[0]
    if (head[13] if version < 2 else head[9]) != _OFFSET_BYTES or end == 0:
        raise ModelError("is a damaged HDF5 file", where=str(path), next_step=_COPY_AGAIN)
    if end > size_bytes:
        raise ModelError(
            f"is a truncated HDF5 file: it should have {end} bytes and has {size_bytes}",
            where=str(path),
            next_step=_COPY_AGAIN,
        )


def load_keras_h5(path: Path) -> keras.Model:
    """The model, uncompiled. Imports Keras; for worker processes only.

    Raises:
        ModelError: damaged, weights without architecture, a Lambda layer or a class of the user's, or a layer that
            Keras 3 cannot rebuild.
    """
    config = _read_config(path)
    refuse_foreign_code(config, str(path))
    for name in _function_layers(config):
        raise ModelError(
            f"calls the TensorFlow function {name} as a layer, which Keras 3 has no layer for",
            where=str(path),
            next_step=_CONVERT,
        )
    _drop_old_arguments(config)
    import h5py
    import keras

    with tempfile.TemporaryDirectory(prefix="harness-keras-") as folder:
        copy = Path(folder) / "model.h5"
        shutil.copyfile(path, copy)
        try:
            with h5py.File(copy, "r+") as file:
                del file.attrs["model_config"]
                file.attrs["model_config"] = json.dumps(config).encode()
            model = keras.saving.load_model(copy, compile=False, safe_mode=True)
        # Keras raises whatever its layers raise: KeyError, TypeError, ValueError, h5py's OSError and others.
        except Exception as error:
            # Before it stands the layer's whole configuration.
            reason = " ".join(str(error).rpartition("Exception encountered:")[2].split())[:500]
            raise ModelError(
                f"cannot be loaded by Keras {keras.__version__}: {reason}",
                where=str(path),
                next_step=_CONVERT,
            ) from error
    if not isinstance(model, keras.Model):
        raise ModelError(f"holds a {type(model).__name__}, not a model", where=str(path), next_step=_CONVERT)
    return model


def _read_config(path: Path) -> dict[str, Any]:
    import h5py

    where = str(path)
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            has_layers = "layer_names" in file.attrs or "model_weights" in file
    # A damaged file makes h5py raise OSError, KeyError, RuntimeError or ValueError.
    except Exception as error:
        raise ModelError(
            f"is a damaged HDF5 file: {' '.join(str(error).split())[:200]}",
            where=where,
            next_step=_COPY_AGAIN,
        ) from error
    if text is None:
        raise ModelError(
            "holds a model's weights without its architecture"
            if has_layers
            else "is HDF5, but no Keras model",
            where=where,
            next_step="Build the model in Keras, model.load_weights(FILE), then model.save('model.keras').",
        )
    if isinstance(text, str):
        text = text.encode()
    if not isinstance(text, bytes) or len(text) > LARGEST_JSON_BYTES:
        raise ModelError("has a model_config that Keras did not write", where=where, next_step=_CONVERT)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise ModelError("has a model_config that Keras did not write", where=where, next_step=_CONVERT)
    return config


def _function_layers(config: dict[str, Any]) -> Iterator[str]:
    for node in dictionaries(config):
        if node.get("class_name") in ("TFOpLambda", "SlicingOpLambda", "ClassMethod"):
            name = node.get("name")
            yield name if isinstance(name, str) else "(unnamed)"


def _drop_old_arguments(config: dict[str, Any]) -> None:
    """Take out what Keras 2 wrote and Keras 3 refuses, where it says nothing that Keras 3 does otherwise."""
    for node in dictionaries(config):
        kind, settings = node.get("class_name"), node.get("config")
        if not isinstance(kind, str) or not isinstance(settings, dict):
            continue
        for key, harmless in _WITHOUT_EFFECT.get(kind, {}).items():
            if settings.get(key) in harmless:
                settings.pop(key, None)
        if kind in _DEPTHWISE:
            # The real ones are called depthwise_… and pointwise_…; these were inherited and never used.
            for key in _OF_ORDINARY_CONVOLUTIONS:
                settings.pop(key, None)
            if settings.get("groups") in (1, None):
                settings.pop("groups", None)
            if kind.startswith("Depthwise"):
                settings.pop("filters", None)
