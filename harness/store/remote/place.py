"""A place that fsspec speaks to: bytes in, bytes out, names below one root. The only module that imports fsspec."""

from __future__ import annotations

import posixpath
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from harness.errors import HarnessError, StoreError, UsageError
from harness.store.remote.address import StoreAddress

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

T = TypeVar("T")

RANGE_BYTES: Final = 8 * 1024 * 1024
_REQUESTS_AT_ONCE: Final = 8
# An object appears whole or not at all. Elsewhere a file is written under another name and renamed.
_OBJECT_STORES: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "memory"})
_DRIVERS: Final = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "adl": "adlfs",
    "webdav": "webdav4",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
}
# What a driver tells a file's content by; else when it was written.
_ETAGS: Final = ("ETag", "etag", "md5Hash", "content_md5")
_TIMES: Final = ("LastModified", "last_modified", "updated", "modified", "mtime", "created")
_DRIVER_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "file": {"auto_mkdir": True},
    # A server that takes connections and never answers is given up after two minutes and a half (s3fs tries five times
    # what botocore does twice), not after many.
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 15, "retries": {"total_max_attempts": 2}}},
}
_CREDENTIALS = "Check the credentials that its driver reads from the environment: docs/store.md."


class StorePlace:
    """Reads and writes below the root of a store. Names are relative, with ``/``; a write is whole or not at all.

    Every method raises ``StoreError`` where the place cannot be reached or refuses.
    """

    def __init__(self, address: StoreAddress) -> None:
        """
        Raises:
            UsageError: nothing speaks to such a place, or its driver is not installed.
        """
        self.address = address
        self._files, self._root = _file_system(address)
        self._folders_made: set[str] = set()

    def __str__(self) -> str:
        return str(self.address)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def size(self, name: str) -> int | None:
        """In bytes; ``None`` where there is no such file."""
        with self._speaking("be read"):
            try:
                found = self._files.info(self._path(name))
            except FileNotFoundError:
                return None
        return int(found.get("size") or 0) if found["type"] == "file" else None

    def read(self, name: str, start: int, end: int) -> bytes:
        """Bytes ``start`` to ``end`` of the file, fewer where it ends before.

        Raises:
            StoreError: also where there is no such file.
        """
        if end <= start:
            # Some drivers ask for the whole file then.
            return b""
        with self._speaking("be read"):
            try:
                data = self._files.cat_file(self._path(name), start=start, end=end)
            except FileNotFoundError:
                raise self._missing(name) from None
        return bytes(data[: end - start])

    def files_below(self, folder: str) -> dict[str, tuple[int, str]]:
        """Every file below ``folder``: its size in bytes, and a mark that changes when the file does."""
        with self._speaking("be listed"):
            try:
                found = self._files.find(self._path(folder), detail=True)
            except FileNotFoundError:
                return {}
        root = f"{self._root.lstrip('/')}/"
        listed = {}
        for path, about in found.items():
            name = path.lstrip("/").removeprefix(root)
            size_bytes = int(about.get("size") or 0)
            told = next((about[key] for key in (*_ETAGS, *_TIMES) if about.get(key) is not None), "")
            listed[name] = (size_bytes, f"{size_bytes} {told}")
        return listed

    def write(self, name: str, data: bytes) -> None:
        self._put(name, lambda path: self._files.pipe_file(path, data))

    def send(self, source: Path, name: str, on_bytes: Callable[[int], None]) -> None:
        """Write a local file's bytes. What ``on_bytes`` raises, called with the bytes sent since, ends the sending."""
        from fsspec.callbacks import Callback

        class Told(Callback):  # type: ignore[misc]
            def relative_update(self, inc: int = 1) -> None:
                on_bytes(inc)

        self._put(name, lambda path: self._files.put_file(str(source), path, callback=Told()))

    def _put(self, name: str, put: Callable[[str], object]) -> None:
        path = self._path(name)
        with self._speaking("be written to"):
            try:
                if self.address.scheme in _OBJECT_STORES:
                    put(path)
                    return
                self._make_folder(posixpath.dirname(path))
                partial = f"{posixpath.dirname(path)}/.partial-{secrets.token_hex(8)}"
                try:
                    put(partial)
                    self._files.mv(partial, path)
                except BaseException:
                    self._forget(partial)
                    raise
            except FileNotFoundError:
                raise self._missing(name) from None

    def _make_folder(self, path: str) -> None:
        if path not in self._folders_made:
            self._files.makedirs(path, exist_ok=True)
            self._folders_made.add(path)

    def _forget(self, partial: str) -> None:
        try:
            self._files.rm_file(partial)
        except Exception:  # The driver's own kinds; what matters is why the writing failed.
            return

    def each(
        self, work: Callable[[T], None], items: list[T], stop: Callable[[], None] = lambda: None
    ) -> None:
        """Do ``work`` for all, several at once where the driver can; the first failure ends the rest.

        ``stop`` is called where they are ended, so that work that goes on can be made to end too.
        """
        count = _REQUESTS_AT_ONCE if self._files.async_impl else 1
        with ThreadPoolExecutor(count, thread_name_prefix="store") as pool:
            pending = [pool.submit(work, item) for item in items]
            try:
                for done in as_completed(pending):
                    done.result()
            except BaseException:
                stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    @contextmanager
    def _speaking(self, what: str) -> Iterator[None]:
        """Turns what a driver raises, which may be of any kind, into a ``StoreError`` without secrets."""
        try:
            yield
        except HarnessError:
            raise
        except PermissionError as problem:
            raise self._failed(f"may not {what}", problem, _CREDENTIALS) from None
        except Exception as problem:
            credentials = "credential" in str(problem).lower()
            again = (
                "Check that the place can be reached, and try again: what is there already is not sent again."
            )
            raise self._failed(f"cannot {what}", problem, _CREDENTIALS if credentials else again) from None

    def _failed(self, problem: str, cause: Exception, next_step: str) -> StoreError:
        words = self.address.without_secrets(str(cause).strip().split("\n")[0][:300])
        told = f"{problem}: {words or type(cause).__name__}"
        return StoreError(told.rstrip("."), where=str(self), next_step=next_step)

    def _missing(self, name: str) -> StoreError:
        return StoreError(
            f"{name} is not there",
            where=str(self),
            next_step="Check that the bucket or folder exists, and that the run was sent whole: harness push RUN.",
        )


def _file_system(address: StoreAddress) -> tuple[AbstractFileSystem, str]:
    import fsspec

    scheme = address.scheme
    options = _DRIVER_OPTIONS.get("s3" if scheme == "s3a" else scheme, {})
    try:
        # What others wrote since must be seen: no listing is remembered.
        files, root = fsspec.url_to_fs(
            address.url, skip_instance_cache=scheme != "memory", use_listings_cache=False, **options
        )
    except ImportError:
        driver = _DRIVERS.get(scheme)
        extra = " or pip install 'mobile-model-harness[s3]'" if driver == "s3fs" else ""
        raise UsageError(
            f"the driver for {scheme}:// is not installed",
            where=str(address),
            next_step=f"Install it: pip install {driver}{extra}."
            if driver
            else "docs/store.md names the drivers.",
        ) from None
    except ValueError as problem:
        raise UsageError(
            address.without_secrets(str(problem).rstrip(".")),
            where=str(address),
            next_step="Name a folder, or a URL such as s3://bucket/folder: docs/store.md.",
        ) from None
    except Exception as problem:
        raise StoreError(
            f"cannot be opened: {address.without_secrets(str(problem)[:300])}",
            where=str(address),
            next_step=_CREDENTIALS,
        ) from None
    return files, str(root).rstrip("/")
