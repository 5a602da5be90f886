"""What a worker keeps: blobs, and a job root for each run that it serves.

<root>/
  blobs/            by hash, shared by all runs
  sessions/TOKEN/   a job root (docs/wire-format.md); its jobs' logs outlive the worker, so that a job goes on
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from harness.cluster.messages import PART_BYTES, BegunFile, FileSize, ReceivePart
from harness.cluster_worker.kept_jobs import LOG, OUTCOME, is_whole
from harness.core.jobs import Blob, Job
from harness.errors import WireError
from harness.targets.run_token import run_token, write_run_token
from harness.wire.blobs import CHUNK_BYTES, BlobStore
from harness.wire.job_folder import job_folder, read_job, write_job

KEPT_BYTES: Final = 20 * 1024**3
KEPT_S: Final = 14 * 24 * 3600.0
_RECEIVING_S: Final = 3600.0
_RESULT = re.compile(r"[a-z][a-z0-9_]{0,40}\.(jsonl|json|bin)")
_NOT_RESULTS: Final = frozenset({"job.json", OUTCOME})


class WorkerStorage:
    """Usable from several threads and several workers at once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.blobs = BlobStore(root)
        self._receiving = root / "receiving"
        self._lock = threading.Lock()
        self._verified: set[Blob] = set()

    def holds(self, blob: Blob) -> bool:
        """Whether the blob is here and whole: read once in the life of this process, since disks and people do damage.

        A damaged one is removed, so that it is sent again.
        """
        return self._is_whole(self.blobs, blob)

    def drop_damaged(self, root: Path, blobs: Sequence[Blob]) -> None:
        """Read ``blobs`` again, here and below ``root``, and remove the damaged ones."""
        for store in (BlobStore(root), self.blobs):
            self._verified.difference_update(blobs)
            for blob in blobs:
                self._is_whole(store, blob)

    def _is_whole(self, store: BlobStore, blob: Blob) -> bool:
        if not store.has(blob):
            return False
        if blob in self._verified:
            return True
        try:
            store.verify(blob)
        except WireError:
            store.path(blob).unlink(missing_ok=True)
            return False
        self._verified.add(blob)
        return True

    def session(self, token: str) -> Path:
        """The job root of the run with this token; the run's phones know it by the same token."""
        root = self._root / "sessions" / token
        with self._lock:
            root.mkdir(parents=True, exist_ok=True)
            os.utime(root)
            if not _has_token(root, token):
                write_run_token(root, token)
        return root

    def lacking(self, root: Path, blobs: Iterable[Blob]) -> tuple[Blob, ...]:
        """Which of ``blobs`` are not here; those that are, are then below ``root`` too."""
        missing = []
        for blob in blobs:
            if self.holds(blob):
                # Its time of use: what is least recently used goes first.
                with suppress(OSError):
                    os.utime(self.blobs.path(blob))
                self.blobs.link_into(blob, root)
            elif not self._is_whole(BlobStore(root), blob):
                missing.append(blob)
        return tuple(missing)

    def place(self, root: Path, job: Job, begun: Sequence[BegunFile] = ()) -> None:
        """Write the job's folder, with what was ``begun`` elsewhere where that is more than what is here.

        What another job left under the same name is removed, and so is what was damaged here.
        """
        folder = job_folder(root, job.job_id)
        if folder.exists() and not (_is_of(folder, job) and is_whole(folder)):
            shutil.rmtree(folder)
        there = {file.name: file.content for file in begun}
        log = there.get(LOG)
        if log is not None and log.bytes > _size(folder / LOG):
            folder.mkdir(parents=True, exist_ok=True)
            # The log last: it says how much of the outputs counts.
            for name in sorted(there, key=LOG.__eq__):
                shutil.copyfile(BlobStore(root).path(there[name]), folder / name)
                (folder / name).chmod(0o644)
        write_job(root, job)

    def results(self, root: Path, job_id: str) -> tuple[FileSize, ...]:
        """What running the job left in its folder."""
        return tuple(
            FileSize(name=path.name, bytes=path.stat().st_size)
            for path in sorted(job_folder(root, job_id).iterdir())
            if _RESULT.fullmatch(path.name) and path.name not in _NOT_RESULTS and path.is_file()
        )

    def read_part(self, root: Path, job_id: str, name: str, first_byte: int, byte_count: int) -> bytes:
        """Bytes of one of ``results``.

        Raises:
            WireError: this worker does not have them.
        """
        path = job_folder(root, job_id) / name
        try:
            with path.open("rb") as file:
                file.seek(first_byte)
                return file.read(byte_count)
        except OSError as problem:
            raise WireError(
                f"cannot be read: {problem.strerror}", where=name, next_step="Go on: harness run --resume."
            ) from None

    def receive(self, part: ReceivePart, data: bytes) -> None:
        """Take a part of a blob; with the last one it is stored, if its bytes are what its name says.

        Raises:
            WireError: parts are missing, or the bytes are others.
        """
        if self.holds(part.blob):
            return
        partial = self._receiving / part.transfer
        self._receiving.mkdir(parents=True, exist_ok=True)
        there_bytes = partial.stat().st_size if partial.is_file() else 0
        # A part that is given again after a worker died may be here already.
        if (
            part.first_byte > there_bytes
            or part.first_byte + len(data) > part.blob.bytes
            or len(data) > PART_BYTES
        ):
            raise WireError(
                "a part of a blob does not follow the one before",
                where=part.blob.sha256,
                next_step="Go on: harness run --resume.",
            )
        try:
            with partial.open("r+b" if there_bytes else "wb") as out:
                out.seek(part.first_byte)
                out.write(data)
        except OSError:
            # Of a full disk it would take the rest.
            partial.unlink(missing_ok=True)
            raise
        if part.first_byte + len(data) < part.blob.bytes:
            return
        try:
            with partial.open("rb") as file:
                stored = self.blobs.put_chunks(iter(lambda: file.read(CHUNK_BYTES), b""))
        finally:
            partial.unlink(missing_ok=True)
        if stored != part.blob:
            self.blobs.path(stored).unlink(missing_ok=True)
            raise WireError(
                "the bytes that arrived are not what the blob's name says",
                where=part.blob.sha256,
                next_step="Go on: harness run --resume.",
            )

    def forget(self, root: Path, blobs: Sequence[Blob]) -> None:
        """Remove inputs that the session does not need again."""
        for blob in blobs:
            for store in (BlobStore(root), self.blobs):
                store.path(blob).unlink(missing_ok=True)

    def tidy(self, *, kept_bytes: int = KEPT_BYTES, kept_s: float = KEPT_S) -> None:
        """Remove runs that nobody asked for in ``kept_s``, and the least recently used blobs beyond ``kept_bytes``."""
        now_s = time.time()
        for session in _entries(self._root / "sessions"):
            if now_s - session.stat().st_mtime > kept_s:
                shutil.rmtree(session, ignore_errors=True)
        for partial in _entries(self._receiving):
            if now_s - partial.stat().st_mtime > _RECEIVING_S:
                partial.unlink(missing_ok=True)
        kept = 0
        blobs = [(path.stat(), path) for path in _entries(self.blobs.folder) if path.is_file()]
        for status, path in sorted(blobs, key=lambda entry: entry[0].st_mtime, reverse=True):
            kept += status.st_size
            if kept > kept_bytes:
                path.unlink(missing_ok=True)


def _is_of(folder: Path, job: Job) -> bool:
    with suppress(WireError):
        return read_job(folder) == job
    return False


def _has_token(root: Path, token: str) -> bool:
    with suppress(WireError):
        return run_token(root) == token
    return False


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
