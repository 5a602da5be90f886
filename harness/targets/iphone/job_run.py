"""One job on a phone, from deployment to evidence, through whatever comes in between."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from harness.core.events import JobFailed, JobFinished
from harness.core.system_memory import SystemMemory
from harness.targets.iphone.deploy import deploy
from harness.targets.iphone.deployment import INBOX
from harness.targets.iphone.device.developer import SYSMONTAP_MS, Developer, ProcessEnd
from harness.targets.iphone.device.files import PhoneFiles
from harness.targets.iphone.device.session import PhoneSession
from harness.targets.iphone.follow import DamagedLogError, LogFollower
from harness.targets.iphone.messages import Evidence, Pushed, RunJob, Waiting
from harness.targets.iphone.trouble import PhoneTrouble, Trouble
from harness.wire.job_folder import job_folder, read_job
from harness.wire.strict_json import read_value, write_value

_MOST_INTERRUPTIONS = 20
_LOOK_FOR_PROCESS_S = 4.0
_END_GRACE_S = 5.0
"""For the app to end by itself after its last record."""
_LOST_BLOBS = ("blob_corrupt", "blob_missing")


class JobRun:
    """Runs one ``RunJob`` request."""

    def __init__(self, session: PhoneSession, request: RunJob) -> None:
        self._session = session
        self._request = request
        self._root = Path(request.root)
        self._local = job_folder(self._root, request.job_id)
        self._begun = False
        self._pushed = Pushed(bytes=0, bytes_there=0)
        self._blobs_pushed_again = False

    async def run(self) -> Evidence:
        """How the job ended.

        A phone that goes away or locks is waited for, and the job goes on from its last record.

        Raises:
            PhoneTrouble: the phone cannot be used, whatever the job.
        """
        interruptions: list[str] = []
        while True:
            try:
                evidence = await self._attempt()
                return self._complete(evidence, interruptions)
            except DamagedLogError as damage:
                return self._complete(Evidence(damaged_log=str(damage)), interruptions)
            except PhoneTrouble as trouble:
                if not self._begun and trouble.kind is not Trouble.LOCKED:
                    raise
                if trouble.kind is not Trouble.LOCKED and not trouble.kind.is_link_gone:
                    raise
                interruptions.append(trouble.problem)
                locked = trouble.kind is Trouble.LOCKED
                came_back = len(interruptions) <= _MOST_INTERRUPTIONS and await (
                    self._session.await_unlocked() if locked else self._session.await_return()
                )
                if not came_back:
                    await self._session.close()
                    given_up = Evidence(trouble=trouble.kind, problem=trouble.problem)
                    return self._complete(given_up, interruptions[:-1])

    def _complete(self, evidence: Evidence, interruptions: list[str]) -> Evidence:
        return evidence.model_copy(
            update={
                "interruptions": tuple(interruptions),
                "pushed_bytes": self._pushed.bytes,
                "sent_bytes": self._pushed.sent_bytes,
                "bytes_there": self._pushed.bytes_there,
            }
        )

    async def _attempt(self) -> Evidence:
        session, request = self._session, self._request
        session.limits = request.limits
        await session.runner()
        developer = await session.developer(request.launch)
        self._begun = True
        async with await session.files() as files:
            pushed = await deploy(files, self._root, [request.job_id], request.token, session.on_note)
            self._pushed = Pushed(
                bytes=self._pushed.bytes + pushed.bytes,
                sent_bytes=self._pushed.sent_bytes + pushed.sent_bytes,
                bytes_there=max(self._pushed.bytes_there, pushed.bytes_there),
            )
            follower = LogFollower(self._local, request.job_id, session.on_note)
            await follower.look(files)
            if not isinstance(follower.last, JobFinished):
                follower.forget_last()
                since_s = await session.clock_s()
                if developer is None:
                    evidence = await self._tapped(files, follower, since_s)
                else:
                    evidence = await self._launched(files, follower, developer, since_s)
                if evidence is not None:
                    return evidence
            return await self._collect(files, follower)

    async def _collect(self, files: PhoneFiles, follower: LogFollower) -> Evidence:
        last = follower.last
        if isinstance(last, JobFinished):
            await follower.collect_outputs(files)
        elif isinstance(last, JobFailed) and last.code in _LOST_BLOBS and not self._blobs_pushed_again:
            # A transfer that the size did not betray: the hash did, on the phone. Once more, from the beginning.
            self._blobs_pushed_again = True
            for blob in read_job(self._local).blobs:
                await files.remove(f"{INBOX}/blobs/{blob.sha256}")
            return await self._attempt()
        await follower.remove(files)
        return Evidence(exit_status=0)

    async def _launched(
        self, files: PhoneFiles, follower: LogFollower, developer: Developer, since_s: float
    ) -> Evidence | None:
        """Launch and follow to the end; ``None`` where the log tells how it ended."""
        runner = await self._session.runner()
        pid = await developer.launch(runner.bundle_id, ["--run-job", self._request.job_id])
        developer.start_sampling(pid)
        follower.grew_at_s = time.monotonic()
        try:
            end, was_silent = await self._follow(files, follower, developer, pid)
        except asyncio.CancelledError:
            # The harness was interrupted or is gone: nobody would collect what the app goes on to measure now.
            await developer.kill(pid)
            raise
        finally:
            await developer.stop_sampling()
            self._keep_system_memory(developer.footprints)
        if follower.is_final:
            return None
        evidence = Evidence(
            exit_status=end.exit_status if end else None,
            signal=end.signal if end else None,
            is_gone=True,
            was_silent=was_silent,
            process_name=runner.executable,
            pid=pid,
        )
        wait_s = 0.0 if was_silent else self._request.limits.report_s
        reports = await self._session.reports_since(since_s, wait_s=wait_s)
        await follower.remove(files)
        return evidence.model_copy(update={"reports": reports})

    async def _follow(
        self, files: PhoneFiles, follower: LogFollower, developer: Developer, pid: int
    ) -> tuple[ProcessEnd | None, bool]:
        """Until the process is gone; how it ended, and whether it was ended for its silence."""
        looked_s = time.monotonic()
        while True:
            await developer.wait(follower.poll_s)
            end = developer.end_of(pid)
            grew = await self._look(files, follower)
            if end is not None:
                return end, False
            if follower.is_final:
                return await self._let_end(developer, pid), False
            now_s = time.monotonic()
            if grew:
                looked_s = now_s
            elif now_s - looked_s >= _LOOK_FOR_PROCESS_S:
                looked_s = now_s
                if not await developer.is_running(pid):
                    await follower.look(files)
                    return developer.end_of(pid), False
                if await self._session.is_locked():
                    raise PhoneTrouble(Trouble.LOCKED, "the screen was locked while the job ran")
            if now_s - follower.grew_at_s > self._request.limits.idle_s:
                await developer.kill(pid)
                await follower.look(files)
                return developer.end_of(pid), True

    async def _look(self, files: PhoneFiles, follower: LogFollower) -> bool:
        """See ``LogFollower.look``. A session that was dropped for being idle is opened again: the app goes on."""
        try:
            return await follower.look(files)
        except PhoneTrouble as trouble:
            if trouble.kind is not Trouble.LOST:
                raise
            await files.reopen()
            return await follower.look(files)

    async def _let_end(self, developer: Developer, pid: int) -> ProcessEnd | None:
        deadline_s = time.monotonic() + _END_GRACE_S
        while (end := developer.end_of(pid)) is None and time.monotonic() < deadline_s:
            await developer.wait(0.2)
            # Of a process that was gone before it could be observed the phone does not tell.
            if developer.end_of(pid) is None and not await developer.is_running(pid):
                return developer.end_of(pid)
        if end is None:
            await developer.kill(pid)
        return end

    async def _tapped(self, files: PhoneFiles, follower: LogFollower, since_s: float) -> Evidence | None:
        """Wait for a person to tap the app, then follow; ``None`` where the log tells how it ended."""
        limits, session = self._request.limits, self._session
        session.on_note(Waiting(text=f"tap Harness Runner on the phone ({session.tap_reason})"))
        try:
            await self._poll(files, follower, limits.tap_s)
        finally:
            session.on_note(Waiting(text=""))
        if follower.last is None:
            raise PhoneTrouble(Trouble.NOBODY_TAPPED, f"nobody tapped the app within {limits.tap_s:g} s")
        while not follower.is_final:
            grown = await self._poll(files, follower, _LOOK_FOR_PROCESS_S)
            if grown or follower.is_final:
                continue
            if await session.is_locked():
                raise PhoneTrouble(Trouble.LOCKED, "the screen was locked while the job ran")
            reports = await session.reports_since(since_s, wait_s=0)
            silent = time.monotonic() - follower.grew_at_s > limits.idle_s
            if reports or silent:
                await follower.remove(files)
                return Evidence(
                    is_gone=bool(reports),
                    was_silent=silent and not reports,
                    reports=reports,
                    process_name=(await session.runner()).executable,
                )
        return None

    async def _poll(self, files: PhoneFiles, follower: LogFollower, limit_s: float) -> bool:
        """Look again and again until the log grows, ``limit_s`` at most; whether it did."""
        deadline_s = time.monotonic() + limit_s
        while True:
            if await self._look(files, follower):
                return True
            if time.monotonic() >= deadline_s:
                return False
            await asyncio.sleep(follower.poll_s)

    def _keep_system_memory(self, footprints: list[int]) -> None:
        """Add to what earlier attempts were seen to use."""
        if not footprints:
            return
        path = self._local / "system_memory.json"
        before: tuple[int, ...] = ()
        if path.is_file():
            before = read_value(path, SystemMemory, next_step="Start a new run.").footprint_bytes
        write_value(path, SystemMemory(interval_ms=SYSMONTAP_MS, footprint_bytes=(*before, *footprints)))
