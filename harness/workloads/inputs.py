"""Which photos a workload has: folders, globs and files become a sorted list, read and hashed."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from harness.core.runs import SkippedInput
from harness.errors import WorkloadError
from harness.workloads.photos import IMAGE_SUFFIXES, MAX_FILE_BYTES

_MAGIC: Final = frozenset("*?[")


class Original(NamedTuple):
    """A readable file: its name in the workload, where it is, and the sha256 of its bytes."""

    name: str
    path: Path
    sha256: str


def find_files(inputs: Sequence[str]) -> tuple[Path, ...]:
    """Absolute paths, each once, sorted.

    Args:
        inputs: each an existing file (of any suffix), a folder (photos below it, by suffix) or a glob
            (``**`` crosses folders). Hidden files are passed over in folders and globs.

    Raises:
        WorkloadError: a path that does not exist, a folder without photos, a glob without match.
    """
    if not inputs:
        raise WorkloadError("no inputs are given", next_step="Name a folder, a glob or files of photos.")
    found: set[Path] = set()
    for given in inputs:
        found.update(_find(given))
    return tuple(sorted(found, key=Path.as_posix))


def _find(given: str) -> list[Path]:
    # Not resolve(): a photo behind a link keeps the name the user sees.
    path = Path(os.path.abspath(given))  # noqa: PTH100
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES]
        files = [file for file in files if not _hidden(file.relative_to(path)) and not file.is_dir()]
        if not files:
            raise WorkloadError(
                "the folder holds no photos",
                where=given,
                next_step=f"Put photos into it ({', '.join(sorted(IMAGE_SUFFIXES))}) or name another folder.",
            )
        return files
    if path.exists():
        return [path]
    if _MAGIC.isdisjoint(given):
        raise WorkloadError(
            "no such file or folder",
            where=given,
            next_step="Check the path; it counts from the suite's folder.",
        )
    # glob passes over hidden files by itself.
    matches = [Path(match) for match in glob.glob(str(path), recursive=True)]  # noqa: PTH207
    files = [match for match in matches if not match.is_dir()]
    if not files:
        raise WorkloadError(
            "no file matches", where=given, next_step="Check the pattern; ** crosses folders, * does not."
        )
    return files


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def hash_files(files: Sequence[Path]) -> tuple[list[Original], list[SkippedInput]]:
    """Read every file once. Files with the same bytes count once: a second copy is no further evidence.

    Names are the paths below the folder that all files share.
    """
    shared = Path(os.path.commonpath([file.parent for file in files]))
    originals: list[Original] = []
    skipped: list[SkippedInput] = []
    first_of: dict[str, str] = {}
    for file in files:
        name = file.relative_to(shared).as_posix()
        try:
            sha256 = _hash(file)
        except OSError as error:
            skipped.append(SkippedInput(file=str(file), reason=f"cannot be read: {error.strerror or error}"))
            continue
        if sha256 in first_of:
            skipped.append(SkippedInput(file=str(file), reason=f"the same bytes as {first_of[sha256]}"))
            continue
        first_of[sha256] = name
        originals.append(Original(name, file, sha256))
    return originals, skipped


def _hash(file: Path) -> str:
    if not file.is_file():
        raise OSError("not a regular file")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise OSError(f"larger than {MAX_FILE_BYTES >> 20} MiB")
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
