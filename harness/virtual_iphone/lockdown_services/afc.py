"""AFC: the phone's files, as far as a client may see them."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

from harness.virtual_iphone.faults import IdleCut, ShortReads
from harness.virtual_iphone.lockdown_services import afc_frames as frames
from harness.virtual_iphone.lockdown_services.afc_files import (
    OpenFiles,
    checked_size,
    device_info,
    file_info,
    make_link,
    remove_tree,
)
from harness.virtual_iphone.lockdown_services.afc_frames import Operation, Status
from harness.virtual_iphone.lockdown_services.confined_paths import ConfinedFolder
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.streams import READ_LIMIT_BYTES, ProtocolViolationError, Stream, StreamEndedError

_LARGEST_READ_BYTES = 8 * 1024 * 1024
# Operations that are answered and change nothing here: buffer sizes and options of the connection.
_TAKEN_NOTE_OF = {
    Operation.SET_CONNECTION_OPTIONS,
    Operation.SET_BLOCK_SIZE,
    Operation.SET_SOCKET_BLOCK_SIZE,
}


async def serve_media(stream: Stream, phone: Phone) -> None:
    """``com.apple.afc``: the media folder, where packages are staged too."""
    await serve_files(stream, phone, ConfinedFolder(phone.folders.media))


async def serve_files(stream: Stream, phone: Phone, folder: ConfinedFolder) -> None:
    """Serve ``folder`` until the client leaves."""
    session = AfcSession(stream, phone, folder)
    try:
        await session.run()
    finally:
        session.close()


class AfcSession:
    """One client's view of one folder, with its open files."""

    def __init__(self, stream: Stream, phone: Phone, folder: ConfinedFolder) -> None:
        self._stream = stream
        self._phone = phone
        self._folder = folder
        self._files = OpenFiles(folder)
        # Each takes the arguments and returns what the answer carries.
        self._simple: dict[int, Callable[[bytes], bytes | None]] = {
            Operation.READ_DIR: self._read_dir,
            Operation.TRUNCATE: self._truncate,
            Operation.REMOVE_PATH: self._remove,
            Operation.REMOVE_PATH_AND_CONTENTS: self._remove_tree,
            Operation.MAKE_DIR: self._make_dir,
            Operation.GET_FILE_INFO: self._file_info,
            Operation.GET_DEVICE_INFO: lambda _: frames.text_list(device_info(phone)),
            Operation.GET_CONNECTION_INFO: lambda _: frames.text_list(("Threads", "1")),
            Operation.RENAME_PATH: self._rename,
            Operation.MAKE_LINK: self._make_link,
            Operation.SET_FILE_TIME: self._set_time,
            Operation.FILE_SEEK: self._files.seek,
            Operation.FILE_CLOSE: self._files.close,
            Operation.FILE_SET_SIZE: self._files.set_size,
            Operation.FILE_LOCK: self._files.lock,
        }

    def close(self) -> None:
        self._files.close_all()

    async def run(self) -> None:
        while True:
            try:
                header = frames.parse_header(await self._next_header())
                arguments = await self._stream.read_exactly(header.arguments_bytes)
                await self._operate(header, arguments)
            except frames.BadPacketError as error:
                raise ProtocolViolationError(str(error)) from error

    async def _next_header(self) -> bytes:
        idle = self._phone.faults.get(IdleCut)
        try:
            async with asyncio.timeout(idle.idle_s if idle else None):
                return await self._stream.read_exactly(frames.HEADER.size)
        except TimeoutError:
            raise StreamEndedError from None

    async def _operate(self, header: frames.Header, arguments: bytes) -> None:
        number = header.number
        try:
            if header.operation == Operation.FILE_WRITE:
                await self._write(header, arguments)
                return
            if header.data_bytes:
                # libimobiledevice sends some arguments as data.
                if header.data_bytes > frames.LARGEST_ARGUMENTS_BYTES:
                    raise frames.BadPacketError(f"{header.data_bytes} bytes of data")
                arguments += await self._stream.read_exactly(header.data_bytes)
            if header.operation == Operation.FILE_READ:
                await self._read(number, arguments)
            elif header.operation == Operation.FILE_OPEN:
                handle = self._files.open(arguments)
                await self._answer(Operation.FILE_OPEN_RESULT, number, frames.WORD.pack(handle))
            elif header.operation == Operation.FILE_TELL:
                place = self._files.tell(arguments)
                await self._answer(Operation.FILE_TELL_RESULT, number, frames.WORD.pack(place))
            elif header.operation in self._simple:
                data = self._simple[header.operation](arguments)
                if data is None:
                    await self._status(number, Status.SUCCESS)
                else:
                    await self._stream.write(frames.answer(Operation.DATA, number, b"", len(data)), data)
            else:
                known = header.operation in _TAKEN_NOTE_OF
                await self._status(number, Status.SUCCESS if known else Status.NOT_SUPPORTED)
        except OSError as error:
            await self._status(number, frames.status_of(error))
        except ValueError:
            # A path with what no file system takes, such as a lone surrogate.
            await self._status(number, Status.INVALID_ARGUMENT)

    async def _write(self, header: frames.Header, arguments: bytes) -> None:
        """Write what comes as it comes: a cut-off write leaves the part that arrived, as on a phone."""
        self._phone.happened("push")
        (handle,) = frames.words(arguments, 1)
        left, status = header.data_bytes, Status.SUCCESS
        while left:
            piece = await self._stream.read(min(left, READ_LIMIT_BYTES))
            if not piece:
                raise StreamEndedError
            left -= len(piece)
            if status is Status.SUCCESS:
                status = self._write_piece(handle, piece)
        await self._status(header.number, status)

    def _write_piece(self, handle: int, piece: bytes) -> Status:
        if not self._phone.take_disk(len(piece)):
            return Status.NO_SPACE_LEFT
        try:
            self._files.write(handle, piece)
        except OSError as error:
            return frames.status_of(error)
        return Status.SUCCESS

    async def _read(self, number: int, arguments: bytes) -> None:
        self._phone.happened("pull")
        handle, size = frames.words(arguments, 2)
        short = self._phone.faults.get(ShortReads)
        size = min(size, _LARGEST_READ_BYTES, short.at_most_bytes if short else size)
        data = self._files.read(handle, size)
        await self._stream.write(frames.answer(Operation.DATA, number, b"", len(data)), data)

    def _read_dir(self, arguments: bytes) -> bytes:
        folder = self._folder.target(self._path(arguments))
        return frames.text_list((".", "..", *sorted(entry.name for entry in folder.iterdir())))

    def _truncate(self, arguments: bytes) -> None:
        (size,) = frames.words(arguments, 1)
        place = self._folder.target(self._path(arguments, frames.WORD.size))
        os.truncate(place, checked_size(size))

    def _remove(self, arguments: bytes) -> None:
        place = self._movable(self._path(arguments))
        if place.is_dir() and not place.is_symlink():
            place.rmdir()
        else:
            place.unlink()

    def _remove_tree(self, arguments: bytes) -> None:
        remove_tree(self._movable(self._path(arguments)))

    def _make_dir(self, arguments: bytes) -> None:
        self._folder.target(self._path(arguments)).mkdir(parents=True, exist_ok=True)

    def _file_info(self, arguments: bytes) -> bytes:
        return frames.text_list(file_info(self._folder.entry(self._path(arguments))))

    def _rename(self, arguments: bytes) -> None:
        source, target = frames.texts(arguments, 2)
        self._movable(source).rename(self._movable(target))
        self._phone.happened("rename")

    def _make_link(self, arguments: bytes) -> None:
        (kind,) = frames.words(arguments, 1)
        target, name = frames.texts(arguments, 2, frames.WORD.size)
        make_link(self._folder, kind, target, name)

    def _set_time(self, arguments: bytes) -> None:
        (mtime_ns,) = frames.words(arguments, 1)
        place = self._folder.target(self._path(arguments, frames.WORD.size))
        os.utime(place, ns=(mtime_ns, mtime_ns))

    def _path(self, arguments: bytes, offset: int = 0) -> str:
        return frames.texts(arguments, 1, offset)[0]

    def _movable(self, path: str) -> Path:
        """A place that may be removed or renamed: anything but the root itself."""
        place = self._folder.entry(path)
        if place == self._folder.top:
            raise PermissionError(errno.EACCES, "the root stays", path)
        return place

    async def _status(self, number: int, status: Status) -> None:
        await self._stream.write(frames.status_answer(number, status))

    async def _answer(self, operation: Operation, number: int, arguments: bytes) -> None:
        await self._stream.write(frames.answer(operation, number, arguments))
