"""The layout of a store: what is where, and strict readers of what others wrote."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.core.jobs import Blob
from harness.core.stored_run import LARGEST_FILE_LIST_BYTES, STORE_VERSION, StoredRun, StoreRecord
from harness.errors import StoreError
from harness.store.remote.address import StoreAddress
from harness.store.remote.place import RANGE_BYTES, StorePlace
from harness.wire.strict_json import explain, parse_object, version_problem

V = TypeVar("V", StoredRun, StoreRecord)

RECORD = "store.json"
_LARGEST_RECORD_BYTES = 64 * 1024
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_REPORT = re.compile(rf"(?:runs/{_NAME}/(?:devices/{_NAME}/)?report|baselines/{_NAME})\.json")


def blob_name(blob: Blob) -> str:
    return f"blobs/{blob.sha256}"


def is_store_folder(path: Path) -> bool:
    """Whether a folder of this machine is a store, rather than one that runs are made in."""
    return (path / RECORD).is_file()


class RunStore:
    """What is in a store. Nothing of it is taken for granted: anybody may have written it."""

    def __init__(self, place: StorePlace) -> None:
        self.place = place

    @classmethod
    def at(cls, address: StoreAddress) -> RunStore:
        """
        Raises:
            UsageError: nothing speaks to such a place, or its driver is not installed.
        """
        return cls(StorePlace(address))

    def __str__(self) -> str:
        return str(self.place)

    def check(self) -> bool:
        """Whether there is a store yet.

        Raises:
            StoreError: out of reach, or a newer harness made it.
        """
        data = self._document(RECORD, _LARGEST_RECORD_BYTES)
        if data is None:
            return False
        self._parsed(data, RECORD, StoreRecord)
        return True

    def make(self) -> None:
        """Make the place a store where it is none."""
        if not self.check():
            self.place.write(RECORD, StoreRecord().model_dump_json().encode())

    def find(self, name: str) -> StoredRun | None:
        """The files of the run; ``None`` where there is none of that name, or it was never sent whole.

        Raises:
            StoreError: out of reach, or what is there is not a list of a run's files.
        """
        path = f"runs/{name}/files.json"
        data = self._document(path, LARGEST_FILE_LIST_BYTES)
        if data is None:
            return None
        found = self._parsed(data, path, StoredRun)
        if found.run_id != name:
            raise self._wrong(path, f"lists the files of another run, {found.run_id}")
        return found

    def reports(self) -> dict[str, tuple[int, str]]:
        """Every report and baseline: its size in bytes, and a mark that changes when it does."""
        return {
            name: about
            for folder in ("runs", "baselines")
            for name, about in self.place.files_below(folder).items()
            if _REPORT.fullmatch(name)
        }

    def chunks(self, name: str, blob: Blob) -> Iterator[bytes]:
        """The bytes of the file called ``name``, a piece at a time; no more of them than ``blob`` has.

        Raises:
            StoreError: it is not there, or its bytes are not those of ``blob``; raised before the last piece is given.
        """
        digest = hashlib.sha256()
        for start in range(0, blob.bytes, RANGE_BYTES):
            end = min(start + RANGE_BYTES, blob.bytes)
            data = self.place.read(name, start, end)
            digest.update(data)
            if len(data) < end - start or (end == blob.bytes and digest.hexdigest() != blob.sha256):
                raise self._wrong(name, "has other bytes than its hash says")
            yield data
        if blob.bytes == 0 and digest.hexdigest() != blob.sha256:
            raise self._wrong(name, "has other bytes than its hash says")

    def _document(self, name: str, limit_bytes: int) -> bytes | None:
        size_bytes = self.place.size(name)
        if size_bytes is None:
            return None
        if size_bytes > limit_bytes:
            raise self._wrong(name, f"has {size_bytes} bytes, more than {limit_bytes}")
        return self.place.read(name, 0, size_bytes)

    def _parsed(self, data: bytes, name: str, kind: type[V]) -> V:
        try:
            newer = version_problem(parse_object(data), "store_version", STORE_VERSION)
            if newer:
                raise StoreError(
                    f"{name}: {newer}", where=str(self), next_step="Update the harness to read this store."
                )
            return kind.model_validate_json(data)
        except ValidationError as problem:
            raise self._wrong(name, f"is damaged: {explain(problem)}") from None
        except ValueError as problem:
            raise self._wrong(name, f"is damaged: {problem}") from None

    def _wrong(self, name: str, problem: str) -> StoreError:
        return StoreError(
            f"{name} {problem}",
            where=str(self),
            next_step="Remove that file there, and send the run again from where it was made: harness push RUN.",
        )
