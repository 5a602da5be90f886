"""A connection that reached the phone: to lockdown, to a started service, or to an app that listens."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

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


async def accept_connection(
    phone: Phone,
    port: OpenPort | None,
    listening: Path | None,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Serve one connection until either end leaves: ``port`` a service, ``listening`` an app, neither lockdown."""
    stream = SocketStream(reader, writer, phone.link)
    try:
        phone.happened("connect")
        if listening is not None:
            await _forward(stream, listening)
        elif port is None:
            await serve_lockdown(stream, phone)
        else:
            if port.pairing is not None:
                await stream.start_tls(phone.pairings.tls_context(port.pairing))
                if not port.pairing.shows(stream.peer_certificate()):
                    return
            await port.service.handler(stream, phone)
    except (StreamEndedError, OSError):
        pass
    except ProtocolViolationError as violation:
        phone.log.write("lockdownd", 1, f"closed a connection: {violation}")
    finally:
        await stream.close()


async def _forward(stream: Stream, listening: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(listening))

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
