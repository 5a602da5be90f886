"""Phones on loopback behind one usbmuxd: what the command line and the fixture start."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.errors import UsageError
from harness.virtual_iphone.control import ControlServer
from harness.virtual_iphone.faults import Fault
from harness.virtual_iphone.identity import DEFAULT_IOS, phone_identity
from harness.virtual_iphone.phone import DEFAULT_MEMORY_LIMIT_BYTES, Phone, PhoneSetup
from harness.virtual_iphone.programs import Programs
from harness.virtual_iphone.service_table import phone_services
from harness.virtual_iphone.usbmuxd import STREAM_LIMIT_BYTES, Usbmuxd


@dataclass(frozen=True)
class Address:
    """Where usbmuxd listens: a port of 127.0.0.1 (0: any free one), or a local socket."""

    port: int = 0
    socket: Path | None = None


def phone_setups(
    folder: Path,
    programs: Programs,
    ios: Sequence[str] = (DEFAULT_IOS,),
    *,
    model: str | None = None,
    faults: Sequence[Fault] = (),
    memory_limit_bytes: int = DEFAULT_MEMORY_LIMIT_BYTES,
    network: bool = False,
    first_index: int = 0,
) -> list[PhoneSetup]:
    """One phone for each release in ``ios``, each with a folder of its own below ``folder``.

    ``first_index`` numbers the first of them: phones of different numbers have different identities.

    Raises:
        UsageError: an unknown release or model.
    """
    identities = [
        phone_identity(version, model, number, network=network)
        for number, version in enumerate(ios, first_index)
    ]
    return [
        PhoneSetup(identity, folder / identity.udid, programs, tuple(faults), memory_limit_bytes)
        for identity in identities
    ]


class VirtualPhones:
    """Any number of phones and the usbmuxd that lists them; an asynchronous context manager."""

    def __init__(self, setups: list[PhoneSetup], folder: Path, address: Address | None = None) -> None:
        self._setups = setups
        self._folder = folder
        self._listen = address or Address()
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self.phones: list[Phone] = []

    @property
    def usbmuxd_address(self) -> str:
        """What clients take in ``USBMUXD_SOCKET_ADDRESS``: pymobiledevice3 as it is.

        libimobiledevice takes a local socket as ``UNIX:path``.
        """
        assert self._server is not None
        if self._listen.socket is not None:
            return str(self._listen.socket)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def phone(self, udid: str) -> Phone:
        return next(phone for phone in self.phones if phone.identity.udid == udid)

    async def __aenter__(self) -> Self:
        """Start.

        Raises:
            UsageError: the address is taken, or other phones use the folder.
        """
        self._lock_folder()
        self.phones = [Phone(setup, phone_services()) for setup in self._setups]
        usbmuxd = Usbmuxd(self.phones, self._folder / "usbmuxd")
        self.control = ControlServer(self.phones, self._folder / "control")
        await self.control.start()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
            with contextlib.suppress(asyncio.CancelledError):
                await usbmuxd.serve(reader, writer)

        try:
            self._server = await self._start_server(serve)
        except OSError as error:
            self.control.stop()
            raise UsageError(
                f"usbmuxd cannot listen here: {error.strerror}",
                where=str(self._listen.socket or f"port {self._listen.port}"),
                next_step="Use another --port or --socket, or end what listens there.",
            ) from None
        return self

    def _lock_folder(self) -> None:
        """One process at a time keeps its phones in a folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise UsageError(
                "other virtual phones are kept in this folder, and they are running",
                where=str(self._folder),
                next_step="End them, or use another --state folder.",
            ) from None

    async def _start_server(
        self, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    ) -> asyncio.Server:
        if self._listen.socket is not None:
            place = str(self._listen.socket)
            return await asyncio.start_unix_server(serve, path=place, limit=STREAM_LIMIT_BYTES)
        return await asyncio.start_server(serve, "127.0.0.1", self._listen.port, limit=STREAM_LIMIT_BYTES)

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.control.stop()
        for phone in self.phones:
            await phone.stop()
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._lock.close()
