"""The byte streams that services talk over, whatever carries them: a forwarded socket or a tunnel."""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod

from harness.virtual_iphone.link import Link

BytesLike = bytes | bytearray | memoryview

# What one read hands over at most: large enough that a push is not a matter of Python calls.
READ_LIMIT_BYTES = 4 * 1024 * 1024
_HANDSHAKE_LIMIT_S = 30.0
_GOODBYE_LIMIT_S = 1.0


class StreamEndedError(Exception):
    """The other end closed, or the cable was pulled, before what was waited for came."""


class ProtocolViolationError(Exception):
    """The other end sent what its protocol does not allow; the connection is closed on it."""


class Stream(ABC):
    """A connection to one service, in order and reliable."""

    @abstractmethod
    async def read(self, limit_bytes: int) -> bytes:
        """At least one byte and at most ``limit_bytes``; empty at the end of the stream."""

    @abstractmethod
    async def read_exactly(self, count: int) -> bytes:
        """``count`` bytes.

        Raises:
            StreamEndedError: the stream ended before them.
        """

    @abstractmethod
    async def write(self, *parts: BytesLike) -> None:
        """Send ``parts`` one after another.

        Raises:
            StreamEndedError: the stream is closed.
        """

    @abstractmethod
    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Become the server's end of a TLS connection, in place.

        Raises:
            StreamEndedError: the handshake failed.
        """

    @abstractmethod
    async def close(self) -> None:
        """Send what is waiting, then end the stream."""

    @abstractmethod
    def abort(self) -> None:
        """End the stream at once, as a pulled cable does."""


class SocketStream(Stream):
    """A stream over a socket that usbmuxd forwards; the phone's link slows it, counts it and cuts it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link) -> None:
        self._reader = reader
        self._writer = writer
        self._link = link
        link.attach(self)

    async def read(self, limit_bytes: int) -> bytes:
        await self._link.thawed()
        try:
            data = await self._reader.read(min(limit_bytes, READ_LIMIT_BYTES))
        except (OSError, ssl.SSLError):
            return b""
        if data:
            data = data[: await self._link.carry(len(data))]
        return data

    async def read_exactly(self, count: int) -> bytes:
        pieces: list[bytes] = []
        missing = count
        while missing:
            piece = await self.read(missing)
            if not piece:
                raise StreamEndedError
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def write(self, *parts: BytesLike) -> None:
        count = sum(len(part) for part in parts)
        await self._link.thawed()
        await self._link.delay_answer()
        if await self._link.carry(count) < count:
            raise StreamEndedError
        try:
            self._writer.writelines(parts)
            await self._writer.drain()
        except (OSError, ssl.SSLError, RuntimeError) as error:
            raise StreamEndedError from error

    async def start_tls(self, context: ssl.SSLContext) -> None:
        try:
            await self._writer.start_tls(context, ssl_handshake_timeout=_HANDSHAKE_LIMIT_S)
        except (OSError, ssl.SSLError, RuntimeError) as error:
            raise StreamEndedError from error

    async def close(self) -> None:
        self._link.detach(self)
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), timeout=_GOODBYE_LIMIT_S)
        except TimeoutError:
            # A client that does not answer the end of TLS is not waited for.
            self._writer.transport.abort()
        except asyncio.CancelledError:
            self._writer.transport.abort()
            raise
        except OSError:
            # It went first.
            return

    def abort(self) -> None:
        self._link.detach(self)
        self._writer.transport.abort()
