"""Files behind AFC: open handles, and what is told about a file and the disk."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from harness.virtual_iphone.lockdown_services import afc_frames as frames
from harness.virtual_iphone.lockdown_services.confined_paths import ConfinedFolder
from harness.virtual_iphone.phone import Phone

_MOST_OPEN = 256
_BLOCK_BYTES = 4096
_HARD_LINK, _SYMBOLIC_LINK = 1, 2
_MODES = {
    1: os.O_RDONLY,
    2: os.O_RDWR | os.O_CREAT,
    3: os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    4: os.O_RDWR | os.O_CREAT | os.O_TRUNC,
    5: os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    6: os.O_RDWR | os.O_CREAT | os.O_APPEND,
}
_KINDS = {
    stat.S_IFDIR: "S_IFDIR",
    stat.S_IFREG: "S_IFREG",
    stat.S_IFLNK: "S_IFLNK",
    stat.S_IFIFO: "S_IFIFO",
    stat.S_IFSOCK: "S_IFSOCK",
    stat.S_IFCHR: "S_IFCHR",
    stat.S_IFBLK: "S_IFBLK",
}


class OpenFiles:
    """A client's open files by handle. Every method raises ``OSError`` where the system refuses."""

    def __init__(self, folder: ConfinedFolder) -> None:
        self._folder = folder
        self._descriptors: dict[int, int] = {}
        self._next_handle = 1

    def open(self, arguments: bytes) -> int:
        (mode,) = frames.words(arguments, 1)
        (path,) = frames.texts(arguments, 1, frames.WORD.size)
        flags = _MODES.get(mode)
        if flags is None:
            raise OSError(errno.EINVAL, "no such mode")
        if len(self._descriptors) >= _MOST_OPEN:
            raise OSError(errno.EMFILE, "too many open files")
        place = self._folder.target(path)
        if place.exists() and not place.is_file():
            # A fifo would hold the phone up, a folder opens for reading on this machine.
            raise OSError(errno.EISDIR if place.is_dir() else errno.EINVAL, "not a file")
        descriptor = os.open(place, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        self._descriptors[handle] = descriptor
        return handle

    def read(self, handle: int, size: int) -> bytes:
        return os.read(self._descriptor(handle), size)

    def write(self, handle: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor(handle), view) :]

    def seek(self, arguments: bytes) -> None:
        handle, whence, offset = frames.words(arguments, 3)
        signed = offset - (1 << 64) if offset >> 63 else offset
        if whence not in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
            raise OSError(errno.EINVAL, "no such origin")
        os.lseek(self._descriptor(handle), signed, whence)

    def tell(self, arguments: bytes) -> int:
        return os.lseek(self._descriptor(*frames.words(arguments, 1)), 0, os.SEEK_CUR)

    def close(self, arguments: bytes) -> None:
        (handle,) = frames.words(arguments, 1)
        os.close(self._descriptor(handle))
        del self._descriptors[handle]

    def set_size(self, arguments: bytes) -> None:
        handle, size = frames.words(arguments, 2)
        os.ftruncate(self._descriptor(handle), checked_size(size))

    def lock(self, arguments: bytes) -> None:
        handle, operation = frames.words(arguments, 2)
        kinds = {5: fcntl.LOCK_SH, 6: fcntl.LOCK_EX, 12: fcntl.LOCK_UN}
        if operation not in kinds:
            raise OSError(errno.EINVAL, "no such lock")
        fcntl.flock(self._descriptor(handle), kinds[operation] | fcntl.LOCK_NB)

    def close_all(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def _descriptor(self, handle: int) -> int:
        if handle not in self._descriptors:
            raise OSError(errno.EBADF, "no such handle")
        return self._descriptors[handle]


def file_info(place: Path) -> Iterator[str]:
    """Names and values in turn; times are in ns."""
    status = place.lstat()
    yield from ("st_size", str(status.st_size))
    yield from ("st_blocks", str(status.st_blocks))
    yield from ("st_nlink", str(status.st_nlink))
    yield from ("st_ifmt", _KINDS.get(stat.S_IFMT(status.st_mode), "S_IFREG"))
    yield from ("st_mtime", str(status.st_mtime_ns))
    yield from ("st_birthtime", str(min(status.st_ctime_ns, status.st_mtime_ns)))
    if stat.S_ISLNK(status.st_mode):
        yield from ("LinkTarget", str(place.readlink()))


def device_info(phone: Phone) -> Iterator[str]:
    """Names and values in turn."""
    yield from ("Model", phone.identity.model.product_type)
    yield from ("FSTotalBytes", str(phone.setup.disk_bytes))
    yield from ("FSFreeBytes", str(phone.free_bytes()))
    yield from ("FSBlockSize", str(_BLOCK_BYTES))


def make_link(folder: ConfinedFolder, kind: int, target: str, name: str) -> None:
    """Make a link that stays inside the folder; a symbolic one is kept relative.

    Raises:
        PermissionError: it would lead outside.
    """
    place = folder.entry(name)
    if kind == _HARD_LINK:
        os.link(folder.target(target), place)
    elif kind == _SYMBOLIC_LINK:
        where = target if target.startswith("/") else f"{PurePosixPath(name).parent}/{target}"
        place.symlink_to(os.path.relpath(folder.target(where), place.parent))
    else:
        raise OSError(errno.EINVAL, "no such link")


def remove_tree(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink()


def checked_size(size: int) -> int:
    if size >> 62:
        raise OSError(errno.EINVAL, "no file is that large")
    return size
