"""The source model: opened, recognised by its content and named by its hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from harness.core.model_io import ModelIO as ModelIO
from harness.errors import ModelError
from harness.models import checkpoint, graphdef, keras, keras_h5, saved_model, tflite
from harness.models.files import files_below, hash_file, hash_files
from harness.models.foreign import HEAD_BYTES, looks_like

_GIVE: Final = (
    "Give a .tflite, a .keras or .h5 file, a frozen GraphDef (.pb, .pbtxt), a SavedModel folder, or a checkpoint "
    "with its graph."
)


class SourceFormat(StrEnum):
    """What a source model can be."""

    KERAS = "keras"
    TFLITE = "tflite"
    KERAS_H5 = "keras-h5"
    GRAPHDEF = "graphdef"
    SAVED_MODEL = "saved-model"
    CHECKPOINT = "checkpoint"

    @property
    def is_graph(self) -> bool:
        """Whether its input and output are tensors of a TensorFlow graph."""
        return self in (SourceFormat.GRAPHDEF, SourceFormat.SAVED_MODEL, SourceFormat.CHECKPOINT)


@dataclass(frozen=True)
class SourceModel:
    """A file or folder that was recognised and checked.

    ``sha256`` and ``bytes`` are the whole file's; of several files, see ``harness.models.files.hash_files``.
    """

    path: Path
    format: SourceFormat
    sha256: str
    bytes: int


@dataclass(frozen=True)
class FormatReader:
    """How one format is recognised and checked without executing anything and without any framework.

    ``recognises`` gets the first bytes, of a folder or a prefix none. ``hashes`` names what it read: sha256, bytes.
    """

    recognises: Callable[[Path, bytes], bool]
    check: Callable[[Path], object]
    hashes: Callable[[Path], tuple[str, int]] = hash_file


def _hash_folder(path: Path) -> tuple[str, int]:
    return hash_files(path, files_below(path))


def _hash_checkpoint(path: Path) -> tuple[str, int]:
    found = checkpoint.find_checkpoint(path)
    return hash_files(found.prefix.parent, found.files)


READERS: Final[Mapping[SourceFormat, FormatReader]] = {
    SourceFormat.KERAS: FormatReader(keras.is_archive, keras.check_archive),
    SourceFormat.TFLITE: FormatReader(lambda path, head: head[4:8] == tflite.IDENTIFIER, tflite.read_tflite),
    SourceFormat.KERAS_H5: FormatReader(lambda path, head: keras_h5.is_hdf5(head), keras_h5.check_h5),
    SourceFormat.SAVED_MODEL: FormatReader(
        lambda path, head: not head and saved_model.is_saved_model(path),
        saved_model.check_saved_model,
        _hash_folder,
    ),
    SourceFormat.CHECKPOINT: FormatReader(
        lambda path, head: checkpoint.is_checkpoint(path), checkpoint.find_checkpoint, _hash_checkpoint
    ),
    SourceFormat.GRAPHDEF: FormatReader(graphdef.is_graphdef, graphdef.check_graphdef),
}


def open_source(path: Path) -> SourceModel:
    """Recognise and check the model in ``path``; its suffix plays no part. Imports no framework.

    Raises:
        ModelError: missing, empty, truncated, unsafe, or none of the formats of ``SourceFormat``.
    """
    head = b"" if _is_folder(path) or _is_prefix(path) else _read_head(path)
    for source_format, reader in READERS.items():
        if reader.recognises(path, head):
            reader.check(path)
            sha256, size_bytes = reader.hashes(path)
            return SourceModel(path=path, format=source_format, sha256=sha256, bytes=size_bytes)
    if not head:
        raise _unknown_folder(path)
    if saved_model.is_saved_model_file(head):
        raise ModelError(
            "is the graph of a SavedModel, without its folder",
            where=str(path),
            next_step=f"Name the folder it lies in, which also has the variables: {path.parent}",
        )
    raise ModelError(f"is {looks_like(path, head)}, not a model", where=str(path), next_step=_GIVE)


def hash_source(path: Path, source_format: SourceFormat) -> tuple[str, int]:
    """sha256 and bytes of the model, as in ``SourceModel``.

    Raises:
        ModelError: it cannot be read.
    """
    return READERS[source_format].hashes(path)


def _is_folder(path: Path) -> bool:
    # A path with a NUL byte is no folder; it is refused where it is read.
    return path.is_dir()


def _is_prefix(path: Path) -> bool:
    return not path.exists() and checkpoint.is_checkpoint(path)


def _unknown_folder(path: Path) -> ModelError:
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        return ModelError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            next_step="Check the permissions of the folder.",
        )
    if not names:
        return ModelError("is an empty folder", where=str(path), next_step=_GIVE)
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return ModelError(
        f"is a folder, but neither a SavedModel nor a checkpoint: it holds {shown}",
        where=str(path),
        next_step="Name the model file in it; a SavedModel folder holds saved_model.pb, a checkpoint's folder "
        "an .index and .data file beside the graph.",
    )


def _read_head(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            # Opening a pipe would wait for a writer, perhaps for ever.
            raise ModelError(
                "is a device or a pipe, not a file", where=str(path), next_step="Name a file on disk."
            )
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except FileNotFoundError:
        raise ModelError(
            "does not exist",
            where=str(path),
            next_step="Check the path; paths in a suite are relative to the suite's folder.",
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot be read: {getattr(error, 'strerror', None) or error}",
            where=str(path),
            next_step="Check the path and the permissions of the file.",
        ) from error
    if not head:
        raise ModelError("is empty", where=str(path), next_step="Export or copy the model again.")
    return head
