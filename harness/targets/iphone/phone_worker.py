"""The worker process of one phone: ``python -m harness.targets.iphone.phone_worker``.

Takes one request a line on standard input and answers each with notes on standard output, the last of which is final.
It does one thing at a time. Standard input that ends (the harness is gone, or closes) ends what is under way: the app
is ended on the phone, whose log and outputs stay there for the next run.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from harness.targets.iphone.device.apps import install
from harness.targets.iphone.device.connect import attached_phones, inspect_phone
from harness.targets.iphone.device.session import PhoneSession
from harness.targets.iphone.job_run import JobRun
from harness.targets.iphone.messages import (
    LARGEST_LINE_BYTES,
    REQUEST_ADAPTER,
    AllInspected,
    AppInfo,
    DropBlobs,
    Failed,
    Inspect,
    InspectAll,
    Inspected,
    Install,
    Installed,
    ListPhones,
    Note,
    Phones,
    PhoneState,
    Probe,
    Request,
    RunJob,
    StageJobs,
    Transferred,
)
from harness.targets.iphone.place import drop_blobs, place_live, stage_jobs
from harness.targets.iphone.probe import probe
from harness.targets.iphone.trouble import PhoneTrouble, Trouble
from harness.wire.strict_json import parse_object

_GOODBYE_S = 4.0


class Worker:
    """Serves requests until standard input ends."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._sessions: dict[str, PhoneSession] = {}

    def note(self, note: Note) -> None:
        # A harness that is gone cannot be told.
        with suppress(BrokenPipeError, ValueError):
            self._out.write(note.model_dump_json(exclude_none=True) + "\n")
            self._out.flush()

    async def serve(self, lines: asyncio.StreamReader) -> None:
        next_line = asyncio.ensure_future(lines.readline())
        try:
            while line := await next_line:
                next_line = asyncio.ensure_future(lines.readline())
                work = asyncio.ensure_future(self._answer(line))
                # A second line before the answer is none of this protocol, but its end is: the harness went away.
                await asyncio.wait({work, next_line}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done() and not next_line.result():
                    work.cancel()
                    await asyncio.wait({work}, timeout=_GOODBYE_S)
                    return
                await work
        finally:
            for session in self._sessions.values():
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(session.close(), _GOODBYE_S)

    async def _answer(self, line: bytes) -> None:
        try:
            parse_object(line)
            request = REQUEST_ADAPTER.validate_json(line)
        except ValueError as problem:
            self.note(Failed(kind=Trouble.REFUSED, problem=f"the worker was asked wrongly: {problem}"))
            return
        try:
            self.note(await self._do(request))
        except PhoneTrouble as trouble:
            self.note(Failed(kind=trouble.kind, problem=trouble.problem))

    async def _do(self, request: Request) -> Note:
        if isinstance(request, ListPhones):
            return Phones(phones=await attached_phones())
        if isinstance(request, Inspect):
            return Inspected(state=await self._inspect(request))
        if isinstance(request, InspectAll):
            return AllInspected(states=await self._inspect_all(request))
        session = self._session(request.udid)
        session.limits = request.limits
        if isinstance(request, Probe):
            return Inspected(state=await probe(session))
        if isinstance(request, Install):
            return Installed(app=await self._install(session, request))
        if isinstance(request, RunJob):
            return await JobRun(session, request).run()
        if isinstance(request, StageJobs):
            return await stage_jobs(session, request)
        if isinstance(request, DropBlobs):
            return await drop_blobs(session, request)
        return await place_live(session, request)

    async def _inspect(self, request: Inspect) -> PhoneState:
        phones = {phone.udid: phone for phone in await attached_phones()}
        phone = phones.get(request.udid)
        if phone is None:
            raise PhoneTrouble(Trouble.NOT_ATTACHED, f"no phone with UDID {request.udid} is attached")
        return await inspect_phone(phone.udid, " and ".join(phone.connections), trust_s=request.trust_s)

    async def _inspect_all(self, request: InspectAll) -> tuple[PhoneState, ...]:
        return tuple(
            await asyncio.gather(
                *(
                    inspect_phone(phone.udid, " and ".join(phone.connections), trust_s=request.trust_s)
                    for phone in await attached_phones()
                    if request.udids is None or phone.udid in request.udids
                )
            )
        )

    async def _install(self, session: PhoneSession, request: Install) -> AppInfo:
        def on_percent(percent: int) -> None:
            self.note(Transferred(what="install", done=max(0, min(100, percent)), total=100))

        session.forget_runner()
        return await install(await session.client(), Path(request.package), request.limits.idle_s, on_percent)

    def _session(self, udid: str) -> PhoneSession:
        if udid not in self._sessions:
            self._sessions[udid] = PhoneSession(udid, self.note)
        return self._sessions[udid]


async def _main(out: IO[str]) -> None:
    lines = asyncio.StreamReader(limit=LARGEST_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await Worker(out).serve(lines)


def main() -> None:
    # What any library prints belongs with the log, not between the notes.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with suppress(KeyboardInterrupt):
        asyncio.run(_main(out))


if __name__ == "__main__":
    main()
