"""Bytes named by their content: ``<root>/blobs/<sha256>`` of docs/wire-format.md."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from harness.core.jobs import Blob
from harness.errors import InputError, WireError

CHUNK_BYTES: Final = 1 << 20

# Where these prevent a hard link (another file system, one without links, a full link count), a copy will do.
_NO_HARD_LINK: Final = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}
)


def blob_of(path: Path) -> Blob:
    """What the file's bytes are called; they are read in pieces."""
    digest = hashlib.sha256()
    size_bytes = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return Blob(sha256=digest.hexdigest(), bytes=size_bytes)


class BlobStore:
    """Content-addressed files below ``root``: written once, read-only, never changed in place.

    Safe with several writers in several processes: a blob appears under its name only when complete.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "blobs"

    def path(self, blob: Blob) -> Path:
        """Where ``blob`` is or would be; says nothing about whether it is there."""
        return self.folder / blob.sha256

    def has(self, blob: Blob) -> bool:
        """Whether a file of the right name and size is there. The hash is not computed: see ``verify``."""
        path = self.path(blob)
        try:
            return path.is_file() and path.stat().st_size == blob.bytes
        except OSError:
            return False

    def put_bytes(self, data: bytes | bytearray | memoryview) -> Blob:
        """Store ``data`` and name it."""
        return self.put_chunks([data])

    def put_file(self, source: Path) -> Blob:
        """Store a copy of the file's bytes, read in pieces.

        Raises:
            InputError: ``source`` is missing, a directory or unreadable.
        """
        try:
            return self.put_chunks(_chunks(source))
        except _SourceUnreadableError as error:
            raise InputError(
                f"cannot be read: {error.cause.strerror or error.cause}",
                where=str(source),
                next_step="Check that the path names a readable file.",
            ) from error.cause

    def put_chunks(self, chunks: Iterable[bytes | bytearray | memoryview]) -> Blob:
        """Store the concatenation of ``chunks``; no more than one of them need be in memory.

        Nothing is left behind where ``chunks`` raises.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        size_bytes = 0
        descriptor, name = tempfile.mkstemp(prefix=".incoming-", dir=self.folder)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as out:
                for chunk in chunks:
                    digest.update(chunk)
                    size_bytes += memoryview(chunk).nbytes
                    out.write(chunk)
                out.flush()
                if sys.platform != "win32":
                    # There, a file that is only read cannot be removed either.
                    os.fchmod(out.fileno(), 0o444)
                # Without it a power cut can leave a complete name on an empty file.
                os.fsync(out.fileno())
            blob = Blob(sha256=digest.hexdigest(), bytes=size_bytes)
            if not self.has(blob):
                temporary.replace(self.path(blob))
        finally:
            temporary.unlink(missing_ok=True)
        return blob

    def link_into(self, blob: Blob, other_root: Path) -> Path:
        """Make ``blob`` available below ``other_root`` too, and return its path there.

        It is a hard link, or a copy where links are impossible.

        Raises:
            WireError: this store does not hold the blob, or the copied bytes do not match its name.
        """
        other = BlobStore(other_root)
        target = other.path(blob)
        if other.has(blob):
            return target
        if not self.has(blob):
            raise self._missing(blob)
        other.folder.mkdir(parents=True, exist_ok=True)
        # A fresh name first: link() does not replace, and a file of the wrong size may stand at the target.
        temporary = Path(tempfile.mkdtemp(prefix=".incoming-", dir=other.folder))
        try:
            os.link(self.path(blob), temporary / "blob")
            (temporary / "blob").replace(target)
        except OSError as error:
            if error.errno not in _NO_HARD_LINK:
                raise
            if other.put_file(self.path(blob)) != blob:
                raise self._corrupt(blob) from error
        finally:
            (temporary / "blob").unlink(missing_ok=True)
            temporary.rmdir()
        return target

    def link_to(self, blob: Blob, path: Path) -> None:
        """Give ``blob`` another name, ``path``, by a hard link, or by a copy where links are impossible.

        Raises:
            WireError: this store does not hold the blob.
        """
        if not self.has(blob):
            raise self._missing(blob)
        try:
            os.link(self.path(blob), path)
        except OSError as error:
            if error.errno not in _NO_HARD_LINK:
                raise
            shutil.copyfile(self.path(blob), path)

    def verify(self, blob: Blob) -> None:
        """Read the whole blob and compare size and hash with its name.

        Raises:
            WireError: it is missing or its bytes changed.
        """
        if not self.has(blob):
            raise self._missing(blob)
        if blob_of(self.path(blob)) != blob:
            raise self._corrupt(blob)

    def _missing(self, blob: Blob) -> WireError:
        path = self.path(blob)
        problem = "the blob is missing"
        if path.is_file():
            problem = f"the blob has {path.stat().st_size} bytes instead of {blob.bytes}"
        return WireError(
            problem, where=str(path), next_step="Run the command again: what is missing is made anew."
        )

    def _corrupt(self, blob: Blob) -> WireError:
        return WireError(
            "the bytes do not match the name of the blob",
            where=str(self.path(blob)),
            next_step="Delete the file and run the command again: it is made anew.",
        )


class _SourceUnreadableError(Exception):
    """Keeps a failing read of the source apart from a failing write of the store."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _chunks(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise _SourceUnreadableError(error) from error
