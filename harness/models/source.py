"""The source model: opened, recognised by its content and named by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from harness.errors import ModelError
from harness.models import keras, tflite
from harness.models.foreign import HEAD_BYTES, looks_like

CHUNK_BYTES: Final = 1 << 20


class SourceFormat(StrEnum):
    """What a source model can be."""

    KERAS = "keras"
    TFLITE = "tflite"


@dataclass(frozen=True)
class SourceModel:
    """A file that was recognised and checked. ``sha256`` and ``bytes`` are the whole file's."""

    path: Path
    format: SourceFormat
    sha256: str
    bytes: int


@dataclass(frozen=True)
class FormatReader:
    """How one format is recognised from the first bytes, and checked without executing anything."""

    recognises: Callable[[Path, bytes], bool]
    check: Callable[[Path], object]


READERS: Final[Mapping[SourceFormat, FormatReader]] = {
    SourceFormat.KERAS: FormatReader(keras.is_archive, keras.check_archive),
    SourceFormat.TFLITE: FormatReader(lambda path, head: head[4:8] == tflite.IDENTIFIER, tflite.read_tflite),
}


def open_source(path: Path) -> SourceModel:
    """Recognise and check the model in ``path``; its suffix plays no part. Imports no framework.

    Raises:
        ModelError: missing, a folder, empty, truncated, unsafe, or none of the formats of ``SourceFormat``.
    """
    head = _read_head(path)
    for source_format, reader in READERS.items():
        if reader.recognises(path, head):
            reader.check(path)
            sha256, size_bytes = _hash(path)
            return SourceModel(path=path, format=source_format, sha256=sha256, bytes=size_bytes)
    raise ModelError(
        f"is {looks_like(path, head)}, not a model",
        where=str(path),
        next_step="Give a .keras file (Keras 3) or a .tflite file.",
    )


def _read_head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ModelError(
                "is a folder, not a model file",
                where=str(path),
                next_step="Name the .keras or .tflite file in it.",
            )
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


def _hash(path: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    size_bytes = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return digest.hexdigest(), size_bytes
