"""usbmuxd: the daemon on the host's side that lists phones, keeps pair records and forwards connections."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import plistlib
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.virtual_iphone import usbmux_frames as frames
from harness.virtual_iphone.connections import AppPort, Lockdown, accept_connection
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.ports import LOCKDOWN_PORT, app_host_port

# Enough that a 4 MiB write of a client arrives in few pieces.
STREAM_LIMIT_BYTES = 8 * 1024 * 1024
_USB_PRODUCT_ID = 0x12A8
_USB_SPEED = 480_000_000


class Usbmuxd:
    """Serves any number of phones. Each has a number while it is plugged in, and another one the next time."""

    def __init__(self, phones: list[Phone], folder: Path) -> None:
        self._phones = phones
        self._numbers = itertools.count(1)
        self._plugged_in: dict[int, Phone] = {}
        self._records = folder / "pair-records"
        self._records.mkdir(parents=True, exist_ok=True)
        self._buid = _lasting_buid(folder / "buid")
        self._listeners: set[asyncio.StreamWriter] = set()
        for phone in phones:
            phone.link.on_change(functools.partial(self._announce, phone))
            if phone.link.is_in:
                self._plugged_in[next(self._numbers)] = phone

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client until it leaves, or until its connection is one to a phone."""
        _tune(writer)
        try:
            while True:
                header = await reader.readexactly(frames.HEADER.size)
                payload = await reader.readexactly(frames.payload_bytes(header))
                request = frames.parse_request(header, payload)
                if request.message["MessageType"] == "Connect":
                    if await self._connect(request, reader, writer):
                        return
                else:
                    writer.write(self._answer(request, writer))
                    await writer.drain()
        except frames.BadFrameError:
            writer.write(frames.result_frame(0, frames.RESULT_BAD_VERSION))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._listeners.discard(writer)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    def _answer(self, request: frames.Request, writer: asyncio.StreamWriter) -> bytes:
        message, tag = request.message, request.tag
        match message["MessageType"]:
            case "ReadBUID":
                return frames.frame(tag, {"BUID": self._buid})
            case "ListDevices":
                return frames.frame(
                    tag, {"DeviceList": [self._attached(number) for number in self._plugged_in]}
                )
            case "Listen":
                self._listeners.add(writer)
                news = b"".join(frames.frame(0, self._attached(number)) for number in self._plugged_in)
                return frames.result_frame(tag, frames.RESULT_OK) + news
            case "ListListeners":
                return frames.frame(tag, {"ListenerList": []})
            case "ReadPairRecord":
                file = self._record_file(message)
                if file is None or not file.exists():
                    return frames.result_frame(tag, frames.RESULT_BAD_DEVICE)
                return frames.frame(tag, {"PairRecordData": file.read_bytes()})
            case "SavePairRecord":
                return frames.result_frame(tag, self._save_record(message))
            case "DeletePairRecord":
                file = self._record_file(message)
                if file is not None:
                    file.unlink(missing_ok=True)
                return frames.result_frame(
                    tag, frames.RESULT_OK if file is not None else frames.RESULT_BAD_DEVICE
                )
        return frames.result_frame(tag, frames.RESULT_BAD_COMMAND)

    async def _connect(
        self, request: frames.Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Make the client's connection one to a port of a phone; false where that is refused."""
        number, port = request.message.get("DeviceID"), request.message.get("PortNumber")
        phone = self._plugged_in.get(number) if isinstance(number, int) else None
        if phone is None:
            writer.write(frames.result_frame(request.tag, frames.RESULT_BAD_DEVICE))
            return False
        port = socket.ntohs(port) if isinstance(port, int) and 0 <= port < 65536 else 0
        service = None if port == LOCKDOWN_PORT else phone.ports.take(port)
        host_port = app_host_port(phone.folders.ports, port)
        if port != LOCKDOWN_PORT and service is None and host_port is None:
            writer.write(frames.result_frame(request.tag, frames.RESULT_CONNECTION_REFUSED))
            return False
        writer.write(frames.result_frame(request.tag, frames.RESULT_OK))
        destination = Lockdown() if port == LOCKDOWN_PORT else service or AppPort(host_port or 0)
        await accept_connection(phone, destination, reader, writer)
        return True

    def _announce(self, phone: Phone, is_in: bool) -> None:
        if is_in:
            number = next(self._numbers)
            self._plugged_in[number] = phone
            news = self._attached(number)
        else:
            number = next(number for number, other in self._plugged_in.items() if other is phone)
            del self._plugged_in[number]
            news = {"MessageType": "Detached", "DeviceID": number}
        for listener in self._listeners:
            with contextlib.suppress(OSError, RuntimeError):
                listener.write(frames.frame(0, news))

    def _attached(self, number: int) -> dict[str, Any]:
        identity = self._plugged_in[number].identity
        properties: dict[str, Any] = {
            "ConnectionType": identity.connection,
            "DeviceID": number,
            "SerialNumber": identity.udid,
        }
        if identity.connection == "USB":
            properties |= {
                "ConnectionSpeed": _USB_SPEED,
                "LocationID": number,
                "ProductID": _USB_PRODUCT_ID,
                "UDID": identity.udid,
                "USBSerialNumber": identity.udid.replace("-", ""),
            }
        else:
            # A sockaddr_in for 127.0.0.1, as Bonjour found it.
            address = bytes((16, 2, 0, 0, 127, 0, 0, 1)) + bytes(144)
            properties |= {"EscrowBag": b"", "InterfaceIndex": 1, "NetworkAddress": address}
        return {"MessageType": "Attached", "DeviceID": number, "Properties": properties}

    def _record_file(self, message: Mapping[str, Any]) -> Path | None:
        """Where the pair record of a phone is kept; only phones that are here have one."""
        udid = message.get("PairRecordID")
        known = {phone.identity.udid for phone in self._phones}
        return self._records / f"{udid}.plist" if udid in known else None

    def _save_record(self, message: Mapping[str, Any]) -> int:
        file, data = self._record_file(message), message.get("PairRecordData")
        if file is None or not isinstance(data, bytes):
            return frames.RESULT_BAD_DEVICE
        try:
            plistlib.loads(data)
        except Exception:
            return frames.RESULT_BAD_COMMAND
        file.write_bytes(data)
        return frames.RESULT_OK


def _lasting_buid(file: Path) -> str:
    """The host's own identifier: made once, kept with the pair records it goes with."""
    if not file.exists():
        file.write_text(str(uuid.uuid4()).upper(), "ascii")
    return file.read_text("ascii")


def _tune(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
