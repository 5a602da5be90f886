"""The phone's log to clients: os_trace_relay with its filter by process, and the older syslog_relay."""

from __future__ import annotations

import asyncio
import contextlib
import plistlib
from collections.abc import Callable
from typing import Any

from harness.virtual_iphone.lockdown_services.log_frames import log_record, syslog_text
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.plist_frames import read_plist, write_plist
from harness.virtual_iphone.streams import Stream
from harness.virtual_iphone.system_log import LogLine

_SYSTEM_PROCESSES = {1: "launchd", 33: "logd", 57: "SpringBoard", 62: "backboardd"}
_ALL_PROCESSES = -1


async def serve_os_trace_relay(stream: Stream, phone: Phone) -> None:
    """One request: the list of processes, or the stream of lines until the client leaves."""
    request = await read_plist(stream)
    match request.get("Request"):
        case "PidList":
            processes = _SYSTEM_PROCESSES | {
                process.pid: process.name for process in phone.processes.running()
            }
            payload = {str(pid): {"ProcessName": name} for pid, name in processes.items()}
            # One byte of kind goes before the answer.
            await stream.write(b"\x01")
            await write_plist(stream, {"Status": "RequestSuccessful", "Payload": payload}, binary=True)
        case "StartActivity":
            await stream.write(_started({"Status": "RequestSuccessful"}))
            pid = request.get("Pid", _ALL_PROCESSES)
            await _relay(
                stream, phone, lambda line: log_record(line) if pid in (_ALL_PROCESSES, line.pid) else None
            )
        case _:
            await stream.write(_started({"Status": "RequestFailed"}))


async def serve_syslog_relay(stream: Stream, phone: Phone) -> None:
    """Every line as text, from now until the client leaves."""
    await _relay(stream, phone, lambda line: syslog_text(line, phone.identity.name))


async def _relay(stream: Stream, phone: Phone, encode: Callable[[LogLine], bytes | None]) -> None:
    """Send what ``encode`` makes of every line; ``None`` is left out."""

    async def send() -> None:
        async with contextlib.aclosing(phone.log.follow()) as lines:
            async for line in lines:
                if (data := encode(line)) is not None:
                    await stream.write(data)

    sending = asyncio.create_task(send())
    gone = asyncio.create_task(stream.read(1))
    try:
        await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            await sending
    finally:
        sending.cancel()
        gone.cancel()
        await asyncio.gather(sending, gone, return_exceptions=True)


def _started(answer: dict[str, Any]) -> bytes:
    """The answer to a request for a stream: the length of its length, its length, and itself."""
    payload = plistlib.dumps(answer)
    return (4).to_bytes(4, "little") + len(payload).to_bytes(4, "little") + payload
