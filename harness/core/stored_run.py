"""A run as a store of runs holds it: ``runs/RUN/files.json``, the list of its files; their bytes are blobs there."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.core.jobs import Blob, JobId
from harness.core.value import Value

STORE_VERSION = 1
LARGEST_FILE_LIST_BYTES = 64 * 1024 * 1024
_MOST_FILES = 200_000
_LONGEST_PATH = 300
# No leading dot or trailing one, no separator but "/": the same on every system, and never a way out of a folder.
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._+@-]{0,126}[A-Za-z0-9_+@-])?"
_PATH = re.compile(rf"{_PART}(?:/{_PART}){{0,7}}")
# Devices that Windows takes for files of these names in every folder, whatever their ending.
_RESERVED = re.compile(r"(?:^|/)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.[^/]*)?(?:/|$)", re.IGNORECASE)


def is_storable(path: str) -> bool:
    """Whether a file of that path (from the run's folder, with ``/``) can be kept and written on every system."""
    return len(path) <= _LONGEST_PATH and bool(_PATH.fullmatch(path)) and not _RESERVED.search(path)


class StoreRecord(Value):
    """``store.json``: that a place is a store, and of which layout."""

    store_version: Literal[1] = 1


class StoredFile(Value):
    """A file of the run: where it stands in the run's folder, and its bytes."""

    path: Annotated[str, Field(max_length=_LONGEST_PATH)]
    blob: Blob

    @property
    def is_blob(self) -> bool:
        """Whether it is one of the run's own blobs: ``blobs/SHA256``, or a device's."""
        return self.path.split("/")[-2:-1] == ["blobs"]


class StoredRun(Value):
    """Every file of a run or of a group of runs.

    Paths stay below the run's folder on every system, and no two of them are one file where case does not count.
    """

    store_version: Literal[1] = 1
    run_id: JobId
    files: Annotated[tuple[StoredFile, ...], Field(max_length=_MOST_FILES)]

    @model_validator(mode="after")
    def _stays_in_its_folder(self) -> StoredRun:
        if not is_storable(self.run_id):
            raise ValueError(f"run_id {self.run_id!r} cannot be a folder's name")
        seen: set[str] = set()
        for file in self.files:
            if not is_storable(file.path):
                raise ValueError(f"path {file.path[:_LONGEST_PATH]!r} may lead out of the run's folder")
            if file.is_blob and not file.path.endswith(f"blobs/{file.blob.sha256}"):
                raise ValueError(f"path {file.path!r} is not named by its content")
            if file.path.casefold() in seen:
                raise ValueError(f"path {file.path!r} stands twice")
            seen.add(file.path.casefold())
        for path in seen:
            parts = path.split("/")
            if any("/".join(parts[:count]) in seen for count in range(1, len(parts))):
                raise ValueError(f"path {path!r} is below another file")
        return self

    @property
    def has_report(self) -> bool:
        """Whether the run had been evaluated when it was sent."""
        return any(file.path in ("report.json", "group_report.json") for file in self.files)

    @property
    def total_bytes(self) -> int:
        return sum(file.blob.bytes for file in self.files)

    def find(self, path: str) -> StoredFile | None:
        return next((file for file in self.files if file.path == path), None)
