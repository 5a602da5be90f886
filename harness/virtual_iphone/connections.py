"""A connection that reached the phone: to lockdown, to a started service, or to an app that listens."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from harness.virtual_iphone.lockdown import serve_lockdown
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.ports import OpenPort
from harness.virtual_iphone.streams import (
    READ_LIMIT_BYTES,
    ProtocolViolationError,
    SocketStream,
    Stream,
    StreamEndedError,
)


@dataclass(frozen=True)
class Lockdown:
    """The door that every client knows."""


@dataclass(frozen=True)
class AppPort:
    """An app that listens, at this port of the machine."""

    host_port: int


async def accept_connection(
    phone: Phone,
    destination: Lockdown | OpenPort | AppPort,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Serve one connection until either end leaves."""
    stream = SocketStream(reader, writer, phone.link)
    try:
        phone.happened("connect")
        match destination:
            case Lockdown():
                await serve_lockdown(stream, phone)
            case AppPort(host_port):
                await _forward(stream, host_port)
            case OpenPort(service, pairing):
                if pairing is not None:
                    await stream.start_tls(phone.pairings.tls_context(pairing))
                await service.handler(stream, phone)
    except (StreamEndedError, OSError):
        pass
    except ProtocolViolationError as violation:
        phone.log.write("lockdownd", 1, f"closed a connection: {violation}")
    finally:
        await stream.close()


async def _forward(stream: Stream, host_port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", host_port)

    async def outwards() -> None:
        while data := await reader.read(READ_LIMIT_BYTES):
            await stream.write(data)
        await stream.close()

    task = asyncio.create_task(outwards())
    try:
        while data := await stream.read(READ_LIMIT_BYTES):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
        with contextlib.suppress(StreamEndedError):
            await asyncio.wait_for(task, timeout=5.0)
    finally:
        task.cancel()
        writer.close()
