"""Files of the runner app over AFC: every transfer checked by size, whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from pymobiledevice3.exceptions import AfcException, AfcFileNotFoundError, AppNotInstalledError
from pymobiledevice3.lockdown import UsbmuxLockdownClient
from pymobiledevice3.services.afc import AfcError
from pymobiledevice3.services.house_arrest import HouseArrestService

from harness.core.jobs import Blob
from harness.targets.iphone.deployment import FileThere
from harness.targets.iphone.device.limits import abort, within
from harness.targets.iphone.trouble import PhoneTrouble, Trouble

CHUNK_BYTES = 4 * 1024 * 1024
_AHEAD = 3
"""Writes under way at once: the next one is on the cable while the phone stores the last."""

OnBytes = Callable[[int], None]


class PhoneFiles:
    """A session with the app's Documents; paths start there, as in ``Documents/inbox/jobs``.

    An idle session is dropped by some hosts after some two minutes, so one is opened for each phase of work.
    """

    def __init__(self, client: UsbmuxLockdownClient, bundle_id: str, answer_s: float) -> None:
        self._client = client
        self._bundle_id = bundle_id
        self._answer_s = answer_s
        self._afc: HouseArrestService | None = None
        self.sent_bytes = 0
        """Contents of all files that were written, over all sessions of this object."""

    async def __aenter__(self) -> PhoneFiles:
        """Raises ``PhoneTrouble``: the app is missing, the phone locked, lost or silent."""
        service = HouseArrestService(self._client, documents_only=True)

        async def vend() -> None:
            await service.send_command(self._bundle_id, "VendDocuments")

        try:
            await within(self._answer_s, "open the app's files", vend(), lambda: abort(service))
        except PhoneTrouble as trouble:
            abort(service)
            if isinstance(trouble.__cause__, AppNotInstalledError):
                raise PhoneTrouble(
                    Trouble.RUNNER_MISSING, f"{self._bundle_id} is not installed, or shares no files"
                ) from None
            raise
        self._afc = service
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def reopen(self) -> None:
        """A new session in place of one that was dropped while nothing was asked.

        Raises:
            PhoneTrouble: the phone is gone, not just the session.
        """
        await self._end()
        await self.__aenter__()

    async def _end(self) -> None:
        # Not aclose(): it says goodbye to a phone that may be frozen.
        afc = self._open
        abort(afc)
        reader = getattr(afc, "_afc_reader_task", None)
        if reader is not None:
            reader.cancel()
            await asyncio.wait({reader}, timeout=1.0)

    @property
    def _open(self) -> HouseArrestService:
        assert self._afc is not None
        return self._afc

    async def _do(self, what: str, work: Any) -> Any:
        return await within(self._answer_s, what, work, lambda: abort(self._afc))

    async def names(self, folder: str) -> tuple[str, ...]:
        """The entries of a folder; none where it does not exist."""

        async def ask() -> list[str]:
            try:
                return await self._open.listdir(folder)
            except AfcException as error:
                if _is_missing(error):
                    return []
                raise

        listed = await self._do(f"list {folder}", ask())
        return tuple(name for name in listed if _is_plain(name))

    async def entry(self, path: str) -> FileThere | None:
        """Size and time of a file or folder; ``None`` where there is none."""

        async def ask() -> dict[str, Any] | None:
            try:
                return await self._open.stat(path)
            except AfcException as error:
                if _is_missing(error):
                    return None
                raise

        found = await self._do(f"look at {path}", ask())
        if found is None:
            return None
        return FileThere(
            name=posixpath.basename(path),
            bytes=max(0, int(found["st_size"])),
            modified_unix_ns=max(0, int(found["st_mtime"].timestamp() * 1e9)),
        )

    async def entries(self, folder: str) -> dict[str, FileThere]:
        """The entries of a folder by name, asked for side by side."""
        names = await self.names(folder)
        found = await asyncio.gather(*(self.entry(f"{folder}/{name}") for name in names))
        return {entry.name: entry for entry in found if entry is not None}

    async def free_bytes(self) -> int:
        """Room on the phone; a very large number where it does not tell."""
        afc: Any = self._open
        said = await self._do("ask for the free space", afc.get_device_info())
        text = str(said.get("FSFreeBytes", ""))
        return int(text) if text.isdecimal() else 1 << 62

    async def make_folders(self, path: str) -> None:
        await self._do(f"make {path}", self._open.makedirs(path))

    async def rename(self, source: str, target: str) -> None:
        """Rename over what is there; where the phone refuses that, the target goes first."""
        try:
            await self._do(f"rename {source}", self._open.rename(source, target))
        except PhoneTrouble as trouble:
            if trouble.kind is not Trouble.REFUSED:
                raise
            await self.remove(target)
            await self._do(f"rename {source}", self._open.rename(source, target))

    async def remove(self, path: str) -> None:
        """Remove a file or a folder with all in it; nothing happens where there is none."""
        if await self.entry(path) is not None:
            await within(
                self._answer_s * 3,
                f"remove {path}",
                self._open.rm(path, force=True),
                lambda: abort(self._afc),
            )

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``offset``; fewer at the file's end. A short answer is asked for again.

        Raises:
            PhoneTrouble: as every operation; ``REFUSED`` where the file is gone.
        """
        handle = await self._do(f"open {path}", self._open.fopen(path))
        parts = []
        try:
            if offset:
                await self._do(f"seek in {path}", self._open.fseek(handle, offset))
            while length > 0:
                piece = await self._do(f"read {path}", self._open.fread(handle, min(length, CHUNK_BYTES)))
                if not piece:
                    break
                parts.append(piece)
                length -= len(piece)
        finally:
            await self._close(handle)
        return b"".join(parts)

    async def pull(self, path: str, target: Path, size_bytes: int, on_bytes: OnBytes | None = None) -> None:
        """Copy ``size_bytes`` of a file to ``target``, which appears only when it is whole.

        Raises:
            PhoneTrouble: ``LOST`` where the phone gave fewer bytes.
        """
        partial = target.with_name(f".{target.name}.partial")
        handle = await self._do(f"open {path}", self._open.fopen(path))
        left = size_bytes
        try:
            with partial.open("wb") as out:
                while left > 0:
                    piece = await self._do(f"read {path}", self._open.fread(handle, min(left, CHUNK_BYTES)))
                    if not piece:
                        raise PhoneTrouble(Trouble.LOST, f"{path} ended {left} bytes before its {size_bytes}")
                    out.write(piece)
                    left -= len(piece)
                    if on_bytes is not None:
                        on_bytes(len(piece))
        finally:
            await self._close(handle)
        partial.replace(target)

    async def write(self, path: str, data: bytes) -> None:
        """Write a small file: under another name first, so that it is whole where it stands."""
        partial = self._partial(path)
        await self._do(f"write {path}", self._open.set_file_contents(partial, data))
        self.sent_bytes += len(data)
        await self.check_size(partial, len(data))
        await self.rename(partial, path)

    async def push_blob(self, source: Path, path: str, blob: Blob, on_bytes: OnBytes | None = None) -> None:
        """Push a blob; its hash is computed from the very bytes that went out, its size asked of the phone.

        Raises:
            PhoneTrouble: as every operation; ``REFUSED`` where the local bytes are not the blob.
        """
        digest = await self.push(source, path, blob.bytes, on_bytes, hashed=True)
        if digest != blob.sha256:
            await self.remove(path)
            raise PhoneTrouble(Trouble.REFUSED, f"{source} was damaged: its bytes do not match its name")

    async def push(
        self,
        source: Path,
        path: str,
        size_bytes: int,
        on_bytes: OnBytes | None = None,
        *,
        hashed: bool = False,
    ) -> str:
        """Push ``size_bytes`` of a file under another name, check the size, then rename; the SHA-256 where asked."""
        partial = self._partial(path)
        digest = hashlib.sha256()
        handle = await self._do(f"create {path}", self._open.fopen(partial, "w"))
        under_way: list[tuple[asyncio.Future[Any], int]] = []
        try:
            with source.open("rb") as file:
                left = size_bytes
                while left > 0:
                    piece = await asyncio.to_thread(
                        _next_piece, file, min(left, CHUNK_BYTES), digest if hashed else None
                    )
                    if not piece:
                        break
                    left -= len(piece)
                    under_way.append((asyncio.ensure_future(self._open.fwrite(handle, piece)), len(piece)))
                    if len(under_way) >= _AHEAD:
                        await self._written(under_way, path, on_bytes)
            while under_way:
                await self._written(under_way, path, on_bytes)
        finally:
            for write, _ in under_way:
                write.cancel()
            await self._close(handle)
        await self.check_size(partial, size_bytes)
        await self.rename(partial, path)
        return digest.hexdigest()

    async def _written(
        self, under_way: list[tuple[asyncio.Future[Any], int]], path: str, on_bytes: OnBytes | None
    ) -> None:
        write, size_bytes = under_way.pop(0)
        await self._do(f"write {path}", write)
        self.sent_bytes += size_bytes
        if on_bytes is not None:
            on_bytes(size_bytes)

    async def check_size(self, path: str, size_bytes: int) -> None:
        found = await self.entry(path)
        if found is None or found.bytes != size_bytes:
            there = "is gone" if found is None else f"has {found.bytes} bytes"
            raise PhoneTrouble(Trouble.LOST, f"{path} {there} after {size_bytes} were written")

    async def _close(self, handle: int) -> None:
        """Best effort: the phone closes handles with the connection, and the first trouble is the one to tell."""
        try:
            await self._do("close a file", self._open.fclose(handle))
        except PhoneTrouble:
            abort(self._afc)

    @staticmethod
    def _partial(path: str) -> str:
        return posixpath.join(posixpath.dirname(path), f".incoming-{posixpath.basename(path)}")


def _next_piece(file: Any, length: int, digest: Any) -> bytes:
    piece: bytes = file.read(length)
    if digest is not None:
        digest.update(piece)
    return piece


def _is_missing(error: AfcException) -> bool:
    return isinstance(error, AfcFileNotFoundError) or error.status in (
        AfcError.OBJECT_NOT_FOUND,
        AfcError.READ_ERROR,
    )


def _is_plain(name: str) -> bool:
    """A name that cannot lead anywhere else: what comes back from a device is not trusted with paths."""
    return (
        bool(name) and "/" not in name and "\\" not in name and "\0" not in name and name not in (".", "..")
    )
