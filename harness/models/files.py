"""The files of a source model that is more than one file: found, kept inside their folder, and hashed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from harness.errors import ModelError

MOST_FILES: Final = 10_000

_CHUNK_BYTES: Final = 1 << 20


def files_below(folder: Path) -> list[Path]:
    """Every file below ``folder``, sorted by its relative name.

    Raises:
        ModelError: a link that leads out of the folder, a device or a pipe, too many files, or a folder that
            cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise ModelError(
            f"cannot be read: {error.strerror or error}",
            where=str(error.filename or folder),
            next_step="Check the permissions of the folder.",
        )

    found: list[Path] = []
    for parent, names, files in os.walk(folder, onerror=refuse):
        for name in names:
            if (Path(parent) / name).is_symlink():
                check_inside(Path(parent) / name, folder)
        for name in files:
            check_inside(Path(parent) / name, folder)
            found.append(Path(parent) / name)
        if len(found) > MOST_FILES:
            raise ModelError(
                f"holds more than {MOST_FILES} files",
                where=str(folder),
                next_step="Name the folder of the model alone.",
            )
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def check_inside(path: Path, folder: Path) -> None:
    """See that ``path`` is a file or folder that lies in ``folder`` after every link is followed.

    Raises:
        ModelError: it is not.
    """
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise ModelError(
            "is a link to nothing", where=str(path), next_step="Copy the model with the files it links to."
        ) from None
    if not target.is_relative_to(folder.resolve()):
        raise ModelError(
            "is a link that leads out of the model's folder",
            where=str(path),
            next_step="Put a copy of the file there instead of the link.",
        )
    if not target.is_file() and not target.is_dir():
        raise ModelError(
            "is a device or a pipe, not a file", where=str(path), next_step="Name a folder of files."
        )


def hash_files(base: Path, files: Iterable[Path]) -> tuple[str, int]:
    """sha256 over the sorted names relative to ``base`` with the files' contents, and the sum of their bytes.

    Raises:
        ModelError: a file cannot be read.
    """
    whole = hashlib.sha256()
    total_bytes = 0
    for path in sorted(files, key=lambda path: path.relative_to(base).as_posix()):
        sha256, size_bytes = hash_file(path)
        # The NUL cannot be in a name: no two lists of files give the same bytes.
        whole.update(f"{path.relative_to(base).as_posix()}\0{sha256}\n".encode("utf-8", "surrogateescape"))
        total_bytes += size_bytes
    return whole.hexdigest(), total_bytes


def hash_file(path: Path) -> tuple[str, int]:
    """sha256 and size in bytes.

    Raises:
        ModelError: it cannot be read.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
    except OSError as error:
        raise ModelError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            next_step="Check the path and the permissions of the file.",
        ) from error
    return digest.hexdigest(), size_bytes
