"""``.keras``: the archive is checked without Keras; the model is loaded only in safe mode.

A ``.keras`` file is a zip of ``metadata.json`` (Keras version), ``config.json`` (the architecture) and
``model.weights.h5`` (https://keras.io/api/models/model_saving_apis/model_saving_and_loading/).
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.errors import ModelError

if TYPE_CHECKING:
    import keras

MEMBERS: Final = ("metadata.json", "config.json", "model.weights.h5")
LARGEST_JSON_BYTES: Final = 64 * 2**20
_SAVE_AGAIN: Final = 'Save it again with Keras 3: model.save("model.keras").'


def is_archive(path: Path, head: bytes) -> bool:
    """Whether ``path`` is a zip with a Keras model's configuration or metadata in it."""
    if not head.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return not {"config.json", "metadata.json"}.isdisjoint(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def check_archive(path: Path) -> None:
    """Check the archive, its Keras version and that it asks for nothing but Keras's own code.

    Raises:
        ModelError: a member is missing or damaged, Keras 2 wrote it, it has a Lambda layer or a class of the
        user's.
    """
    where = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [member for member in MEMBERS if member not in archive.namelist()]
            if missing:
                raise ModelError(
                    f"is a .keras file without {' and '.join(missing)}", where=where, next_step=_SAVE_AGAIN
                )
            metadata = _read_json(archive, "metadata.json", where)
            config = _read_json(archive, "config.json", where)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error, RuntimeError) as error:
        raise ModelError(f"is a damaged .keras file: {error}", where=where, next_step=_SAVE_AGAIN) from error
    version = metadata.get("keras_version")
    if not isinstance(version, str) or not version.startswith("3."):
        raise ModelError(
            f"was written by Keras {version}, and only files of Keras 3 can be read",
            where=where,
            next_step="Load it with the Keras that wrote it, convert it there with tf.lite.TFLiteConverter "
            "and give the .tflite here; or build the model in Keras 3, load the weights, save it.",
        )
    refuse_foreign_code(config, where)


def load_keras(path: Path) -> keras.Model:
    """The model, uncompiled, loaded in safe mode: no code from the file is run. Imports Keras.

    Raises:
        ModelError: see ``check_archive``; also where Keras cannot rebuild the model.
    """
    check_archive(path)
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras raises whatever its layers raise: KeyError, TypeError, ValueError, h5py's OSError and others.
    except Exception as error:
        reason = " ".join(str(error).split())[:500]
        raise ModelError(
            f"cannot be loaded by Keras {keras.__version__}: {reason}", where=str(path), next_step=_SAVE_AGAIN
        ) from error
    if not isinstance(model, keras.Model):
        raise ModelError(
            f"holds a {type(model).__name__}, not a model", where=str(path), next_step=_SAVE_AGAIN
        )
    return model


def output_names(model: keras.Model) -> list[str]:
    """In the order of ``keras.tree.flatten``, which sorts a dictionary by its keys."""
    # A Sequential model has none, and never a dictionary, until it is called.
    output = getattr(model, "output", None)
    if isinstance(output, dict):
        return sorted(output)
    names = getattr(model, "output_names", None) or [tensor.name for tensor in model.outputs]
    return [str(name) for name in names]


def _read_json(archive: zipfile.ZipFile, member: str, where: str) -> dict[str, Any]:
    with archive.open(member) as stream:
        # One byte more than allowed, because the size in the zip's directory need not be true.
        text = stream.read(LARGEST_JSON_BYTES + 1)
    if len(text) > LARGEST_JSON_BYTES:
        raise ModelError(
            f"{member} has more than {LARGEST_JSON_BYTES} bytes", where=where, next_step=_SAVE_AGAIN
        )
    try:
        document = json.loads(text)
    except RecursionError:
        document = None
    if not isinstance(document, dict):
        raise ModelError(f"{member} is not what Keras writes", where=where, next_step=_SAVE_AGAIN)
    return document


def refuse_foreign_code(config: dict[str, Any], where: str) -> None:
    """Refuse a configuration that asks for code which is not Keras's own.

    Raises:
        ModelError: it has a Lambda layer or a class of the user's.
    """
    for node in dictionaries(config):
        kind = node.get("class_name")
        module = node.get("module")
        if kind == "__lambda__" or (kind == "Lambda" and isinstance(node.get("config"), dict)):
            name = node["config"].get("name", "") if isinstance(node.get("config"), dict) else ""
            raise ModelError(
                f"has a Lambda layer ({name or 'unnamed'}), whose Python code would have to be run",
                where=where,
                next_step="Replace the Lambda by layers of Keras (keras.layers.Rescaling, keras.ops in a "
                "Functional model), or convert the model to .tflite yourself and give that.",
            )
        if (
            isinstance(kind, str)
            and isinstance(module, str)
            and module != "builtins"
            and module.partition(".")[0] != "keras"
        ):
            raise ModelError(
                f"needs the class {kind} of {module}, which is not part of Keras",
                where=where,
                next_step="Convert the model to .tflite where that class is installed, and give the .tflite.",
            )


def dictionaries(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every dictionary in ``document``, without recursion: its depth is the file's choice."""
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
