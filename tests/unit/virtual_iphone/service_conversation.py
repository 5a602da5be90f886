"""One conversation with a service of a phone over a real socket, without usbmuxd, pairing and TLS before it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from harness.virtual_iphone.faults import Fault
from harness.virtual_iphone.identity import phone_identity
from harness.virtual_iphone.phone import Phone, PhoneSetup
from harness.virtual_iphone.programs import Programs
from harness.virtual_iphone.service_table import phone_services
from harness.virtual_iphone.services import Handler
from harness.virtual_iphone.streams import ProtocolViolationError, SocketStream, StreamEndedError

_LIMIT_S = 30.0


def converse(
    phone_folder: Path, handler: Handler, sent: bytes, *, ios: str = "18.5", faults: tuple[Fault, ...] = ()
) -> bytes:
    """Send bytes to a service; all that it answered before it closed the connection."""

    async def talk() -> bytes:
        nowhere = Path("/nonexistent")
        setup = PhoneSetup(phone_identity(ios), phone_folder, Programs(nowhere, nowhere, "0"), faults)
        phone = Phone(setup, phone_services())
        ours, its = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        stream = SocketStream(*await asyncio.open_connection(sock=its), phone.link)

        async def serve() -> None:
            try:
                await handler(stream, phone)
            except (StreamEndedError, ProtocolViolationError):
                pass
            finally:
                await stream.close()

        serving = asyncio.create_task(serve())
        writer.write(sent)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(-1), _LIMIT_S)
        # Whatever else it raised is a bug that a client can cause.
        await serving
        writer.close()
        return answer

    return asyncio.run(talk())
