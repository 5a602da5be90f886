"""The control channel: what a person or a script does to phones that run, one JSON object a line each way.

Request: ``{"command": "fault", "argument": "disconnect:for-s=2", "phone": "<udid>"}``; without ``phone``, all of them.
Answer: ``{"ok": true, "result": …}`` or ``{"ok": false, "problem": …}``.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.virtual_iphone.client_tasks import ClientTasks
from harness.virtual_iphone.faults import FAULT_KINDS, format_fault, parse_fault
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.processes import LaunchRefusedError
from harness.virtual_iphone.taps import tap

_GRACE_S = 0.5
_LONGEST_LINE_BYTES = 64 * 1024
# sockaddr_un's path has 108 bytes on Linux, 104 on macOS, the zero at its end included.
_LONGEST_SOCKET_PATH_BYTES = 103


async def _fault(phone: Phone, argument: str) -> None:
    phone.faults.add(parse_fault(argument))


async def _clear(phone: Phone, argument: str) -> None:
    if argument and argument not in FAULT_KINDS:
        raise UsageError(f"no such fault: {argument!r}", next_step=f"Use one of {', '.join(FAULT_KINDS)}.")
    phone.faults.clear(FAULT_KINDS[argument] if argument else None)
    phone.link.thaw()


async def _unplug(phone: Phone, argument: str) -> None:
    del argument
    phone.link.pull()


async def _plug(phone: Phone, argument: str) -> None:
    del argument
    phone.link.put_back()


async def _tap(phone: Phone, argument: str) -> list[dict[str, Any]]:
    return [vars(end) for end in await tap(phone, argument)]


async def _kill(phone: Phone, argument: str) -> int:
    processes = phone.processes.of_app(argument)
    for process in processes:
        await phone.processes.kill(process.pid)
    return len(processes)


async def _status(phone: Phone, argument: str) -> dict[str, Any]:
    del argument
    return {
        "udid": phone.identity.udid,
        "name": phone.identity.name,
        "model": phone.identity.model.product_type,
        "ios": phone.identity.ios_version,
        "plugged_in": phone.link.is_in,
        "faults": [format_fault(fault) for fault in phone.faults.all()],
        "conditions": phone.conditions.model_dump(),
        "apps": [app.bundle_id for app in phone.apps],
        "running": [
            {"pid": process.pid, "app": process.app.bundle_id} for process in phone.processes.running()
        ],
        "carried_bytes": phone.link.carried_bytes,
    }


COMMANDS: dict[str, tuple[Callable[[Phone, str], Awaitable[Any]], str]] = {
    "status": (_status, "what the phone is doing"),
    "fault": (_fault, "set a fault, as in --fault"),
    "clear": (_clear, "take back all faults, or those of one kind"),
    "unplug": (_unplug, "pull the cable"),
    "plug": (_plug, "put the cable back"),
    "tap": (_tap, "tap an app by its bundle id: it runs the unfinished jobs of its inbox"),
    "kill": (_kill, "end an app by its bundle id"),
}


class ControlServer:
    """Serves the channel on a local socket that only this user can open."""

    def __init__(self, phones: list[Phone], place: Path) -> None:
        self._phones = phones
        self.place = place
        self._server: asyncio.Server | None = None
        self._clients = ClientTasks()

    async def start(self) -> None:
        """Listen.

        Raises:
            UsageError: the path is longer than a local socket's may be.
        """
        if len(os.fsencode(self.place)) > _LONGEST_SOCKET_PATH_BYTES:
            raise UsageError(
                "the path is too long for a local socket",
                where=str(self.place),
                next_step="Use a --state folder with a shorter path.",
            )
        self.place.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(
            self._clients.serving(self._serve), path=str(self.place), limit=_LONGEST_LINE_BYTES
        )
        self.place.chmod(0o600)

    def close(self) -> None:
        """Take no more clients."""
        if self._server is not None:
            self._server.close()
            self.place.unlink(missing_ok=True)

    async def end(self) -> None:
        """End the clients; who waits for an app learns how it ended first."""
        await self._clients.end(grace_s=_GRACE_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            action = COMMANDS[request["command"]][0]
            wanted = request.get("phone")
            argument = str(request.get("argument", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"ok": False, "problem": f"no such command; there are {', '.join(COMMANDS)}"}
        phones = [phone for phone in self._phones if wanted in (None, phone.identity.udid)]
        if not phones:
            return {"ok": False, "problem": f"no such phone: {wanted}"}
        try:
            return {"ok": True, "result": [await action(phone, argument) for phone in phones]}
        except UsageError as error:
            return {"ok": False, "problem": f"{error} {error.next_step}"}
        except LaunchRefusedError as error:
            return {"ok": False, "problem": str(error)}


def ask(place: Path, command: str, argument: str = "", phone: str | None = None) -> list[Any]:
    """Have running phones do something; the result of each phone.

    Raises:
        UsageError: they refuse, with the reason.
        OSError: nothing listens at ``place``.
    """
    request = {"command": command, "argument": argument, "phone": phone}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(place))
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as answers:
            answer = json.loads(answers.readline())
    if not answer["ok"]:
        raise UsageError(
            answer["problem"],
            where=command,
            next_step="harness virtual-iphone tell --help lists the commands.",
        )
    result: list[Any] = answer["result"]
    return result
