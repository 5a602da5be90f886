"""Phones on loopback behind one usbmuxd: what the command line and the fixture start."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.errors import UsageError
from harness.virtual_iphone.client_tasks import ClientTasks, Serve
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
        self._clients = ClientTasks()
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
        async with contextlib.AsyncExitStack() as opening:
            # What is opened last is closed first: no new clients, then the phones, then the clients that are left.
            opening.enter_context(self._locked_folder())
            self.phones = [Phone(setup, phone_services()) for setup in self._setups]
            self.control = ControlServer(self.phones, self._folder / "control")
            opening.push_async_callback(self.control.end)
            opening.push_async_callback(self._clients.end)
            opening.push_async_callback(self._stop_phones)
            await self.control.start()
            opening.callback(self.control.close)
            usbmuxd = Usbmuxd(self.phones, self._folder / "usbmuxd")
            self._server = await self._start_server(self._clients.serving(usbmuxd.serve))
            opening.callback(self._close_server)
            self._running = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    async def _stop_phones(self) -> None:
        for phone in self.phones:
            await phone.stop()

    def _close_server(self) -> None:
        assert self._server is not None
        self._server.close()
        if self._listen.socket is not None:
            self._listen.socket.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked_folder(self) -> Iterator[None]:
        """One process at a time keeps its phones in a folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(
                    "other virtual phones are kept in this folder, and they are running",
                    where=str(self._folder),
                    next_step="End them, or use another --state folder.",
                ) from None
            yield

    async def _start_server(self, serve: Serve) -> asyncio.Server:
        try:
            if self._listen.socket is not None:
                place = str(self._listen.socket)
                return await asyncio.start_unix_server(serve, path=place, limit=STREAM_LIMIT_BYTES)
            return await asyncio.start_server(serve, "127.0.0.1", self._listen.port, limit=STREAM_LIMIT_BYTES)
        except OSError as error:
            raise UsageError(
                f"usbmuxd cannot listen here: {error.strerror or error}",
                where=str(self._listen.socket or f"port {self._listen.port}"),
                next_step="Use another --port or --socket, or end what listens there.",
            ) from None
