"""A source model as blobs, to go to another process or machine, and as files again where it is run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from harness.errors import BuildError, HarnessError, InputError, ModelError
from harness.models.checkpoint import find_checkpoint
from harness.models.files import files_below
from harness.models.source import SourceFormat
from harness.shards.request import SourceFile, SourceFiles
from harness.wire.blobs import BlobStore

# Keras goes by the suffix; the others by the content.
_SUFFIXES: Final = {
    SourceFormat.KERAS: ".keras",
    SourceFormat.KERAS_H5: ".h5",
    SourceFormat.TFLITE: ".tflite",
    SourceFormat.GRAPHDEF: ".pb",
}

E = TypeVar("E", bound=HarnessError)


@dataclass(frozen=True)
class StoredSource:
    """``path`` is the user's, ``folder`` the one that the names of ``files`` count from."""

    files: SourceFiles
    path: Path
    folder: Path

    def located(self, error: E) -> E:
        """``error`` of a worker, which knows the files by name only, with the user's path.

        What is not about the model, a cluster that is gone for example, stays as it is.
        """
        if not isinstance(error, InputError | BuildError):
            return error
        named = {file.name: str(self.folder / file.name) for file in self.files.files}
        where = str(self.path) if error.where is None else named.get(error.where, error.where)
        return type(error)(error.problem, where=where, next_step=error.next_step)


def store_source(source: Path, source_format: SourceFormat, store: BlobStore) -> StoredSource:
    """Put the files of ``source`` into ``store``.

    Raises:
        ModelError: one cannot be read, or has a name that cannot be sent.
    """
    if source_format in _SUFFIXES:
        name = f"model{_SUFFIXES[source_format]}"
        files = SourceFiles(format=source_format, files=(_file(name, source, store),), entry=name)
        return StoredSource(files, source, source.parent)
    if source_format is SourceFormat.CHECKPOINT:
        found = find_checkpoint(source)
        folder, entry, paths = found.prefix.parent, found.prefix.name, list(found.files)
    else:
        folder, entry, paths = source, "", files_below(source)
    try:
        named = tuple(_file(path.relative_to(folder).as_posix(), path, store) for path in paths)
        return StoredSource(SourceFiles(format=source_format, files=named, entry=entry), source, folder)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ModelError(
            f"a file of the model cannot be sent to a worker: {problem['msg'].removeprefix('Value error, ')}",
            where=str(folder),
            next_step="Rename it with letters, digits, '.', '-' and '_'.",
        ) from None


@dataclass(frozen=True)
class PlacedSource:
    """The files in a folder of a worker; ``path`` is what is opened."""

    folder: Path
    path: Path

    def named(self, where: str | None) -> str | None:
        """What an error's ``where`` is called elsewhere: a file's name; ``None`` for the model itself."""
        if where is None or Path(where) == self.path:
            return None
        if Path(where).is_relative_to(self.folder):
            return Path(where).relative_to(self.folder).as_posix()
        return where


def place_source(files: SourceFiles, store: BlobStore, root: Path) -> PlacedSource:
    """Lay the files out in a folder below ``root``, as links where that is possible; once for each model.

    Raises:
        WireError: ``store`` lacks one of them, or it is damaged.
    """
    folder = root / hashlib.sha256(files.model_dump_json().encode()).hexdigest()
    if not folder.is_dir():
        incoming = root / f".incoming-{folder.name}"
        for file in files.files:
            store.verify(file.content)
            path = incoming / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            store.link_to(file.content, path)
        incoming.rename(folder)
    return PlacedSource(folder, folder / files.entry if files.entry else folder)


def _file(name: str, path: Path, store: BlobStore) -> SourceFile:
    try:
        return SourceFile(name=name, content=store.put_file(path))
    except InputError as error:
        raise ModelError(error.problem, where=error.where, next_step=error.next_step) from error
