"""The iPhone as a target: one phone, one worker process, one job after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from harness.core.events import Event, TargetClass
from harness.core.jobs import Blob
from harness.core.runs import JobOutcome
from harness.errors import TargetError
from harness.targets.base import OnEvent, TargetWatcher
from harness.targets.iphone.ending import outcome_of_evidence
from harness.targets.iphone.messages import (
    DropBlobs,
    Dropped,
    Evidence,
    Install,
    Installed,
    LaunchMode,
    Limits,
    LogGrew,
    Note,
    PhoneState,
    PlaceLive,
    Pushed,
    RunJob,
    StageJobs,
    Transferred,
    Waiting,
)
from harness.targets.iphone.phone_lock import PhoneLock
from harness.targets.iphone.trouble import Trouble
from harness.targets.iphone.worker_process import PhoneFailedError, WorkerProcess
from harness.targets.run_token import run_token
from harness.wire.event_log import EventLogReader
from harness.wire.job_folder import job_folder


class IphoneTarget:
    """One attached phone."""

    def __init__(
        self,
        state: PhoneState,
        worker: WorkerProcess,
        watcher: TargetWatcher,
        *,
        lock_folder: Path,
        idle_limit_s: float,
        launch: LaunchMode = LaunchMode.AUTO,
        package: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        """``worker`` is the phone's, ended by ``close``; ``package`` is the runner to install where it is missing."""
        self._state = state
        self._watcher = watcher
        self._lock_folder = lock_folder
        self._limits = (limits or Limits()).model_copy(update={"idle_s": idle_limit_s})
        self._launch = launch
        self._package = package
        self._worker = worker
        self._lock: PhoneLock | None = None
        self.pushed_bytes = 0
        self.sent_bytes = 0
        self.bytes_there = 0

    @property
    def description(self) -> str:
        state = self._state
        words = [state.name or "iPhone", f"({state.product}, iOS {state.ios})" if state.product else ""]
        return " ".join(word for word in words if word)

    @property
    def target_class(self) -> TargetClass:
        return TargetClass.VIRTUAL if self._state.is_virtual else TargetClass.IPHONE

    @property
    def udid(self) -> str:
        return self._state.udid

    def stage(self, root: Path, job_ids: Sequence[str], place: Callable[[str], None]) -> None:
        """Find out whether the phone is fit for the run; put all jobs on it where a person has to tap the app.

        ``place`` writes a job's folder.

        Raises:
            TargetError: the phone cannot be used, or another harness works on it.
        """
        self._take(root)
        try:
            fit = self._stage(root, ())
        except PhoneFailedError as error:
            if error.kind not in (Trouble.RUNNER_MISSING, Trouble.RUNNER_OLD) or self._package is None:
                raise
            self._install(self._package)
            fit = self._stage(root, ())
        if fit.needs_tap:
            for job_id in job_ids:
                place(job_id)
            self._stage(root, job_ids)

    def _install(self, package: Path) -> None:
        self._worker.ask(
            Install(udid=self.udid, package=str(package.resolve()), limits=self._limits),
            Installed,
            silence_limit_s=self._silence_limit_s,
        )

    def _stage(self, root: Path, job_ids: Sequence[str]) -> Pushed:
        return self._worker.ask(
            StageJobs(
                udid=self.udid,
                root=str(root.resolve()),
                jobs=tuple(job_ids),
                token=run_token(root),
                launch=self._launch,
                limits=self._limits,
            ),
            Pushed,
            silence_limit_s=self._silence_limit_s,
            on_note=self._on_note,
        )

    def run(self, root: Path, job_id: str, on_event: OnEvent) -> JobOutcome:
        """See ``Target.run``.

        Raises:
            TargetError: the phone cannot be used: absent, not trusted, without the runner, held by another harness.
        """
        self._take(root)
        reader = EventLogReader(job_folder(root, job_id) / "events.jsonl")
        events: list[Event] = list(reader.new_events())

        def on_note(note: Note) -> None:
            if isinstance(note, LogGrew):
                for event in reader.new_events():
                    events.append(event)
                    on_event(event)
            else:
                self._on_note(note)

        started_ns = time.monotonic_ns()
        evidence = self._worker.ask(
            RunJob(
                udid=self.udid,
                root=str(root.resolve()),
                job_id=job_id,
                token=run_token(root),
                launch=self._launch,
                limits=self._limits,
            ),
            Evidence,
            silence_limit_s=self._silence_limit_s,
            on_note=on_note,
        )
        self.pushed_bytes += evidence.pushed_bytes
        self.sent_bytes += evidence.sent_bytes
        self.bytes_there += evidence.bytes_there
        return outcome_of_evidence(
            job_id,
            events,
            evidence,
            idle_limit_s=self._limits.idle_s,
            wall_ns=time.monotonic_ns() - started_ns,
        )

    def place_live(self, root: Path, blobs: Sequence[Blob], name: str, document: str) -> None:
        """Put a live variant on the phone: ``blobs`` of ``root``, then ``document`` under ``name``.

        Raises:
            TargetError: the phone cannot be used, or another harness works on it.
        """
        self._take(root)
        request = PlaceLive(
            udid=self.udid,
            root=str(root.resolve()),
            blobs=tuple(blobs),
            name=name,
            document=document,
            limits=self._limits,
        )
        try:
            self._place(request)
        except PhoneFailedError as error:
            if error.kind not in (Trouble.RUNNER_MISSING, Trouble.RUNNER_OLD) or self._package is None:
                raise
            self._install(self._package)
            self._place(request)

    def _place(self, request: PlaceLive) -> None:
        self._worker.ask(request, Pushed, silence_limit_s=self._silence_limit_s, on_note=self._on_note)

    def forget(self, root: Path, blobs: Sequence[Blob]) -> None:
        """See ``KeepsCopies``. A phone that does not answer now is told by its next job; deploying makes room too."""
        self._take(root)
        with suppress(TargetError):
            self._worker.ask(
                DropBlobs(udid=self.udid, blobs=tuple(blobs), limits=self._limits),
                Dropped,
                silence_limit_s=self._silence_limit_s,
                on_note=self._on_note,
            )

    def _on_note(self, note: Note) -> None:
        if isinstance(note, Transferred):
            self._watcher.transferring(self.description, note.done, note.total)
        elif isinstance(note, Waiting):
            self._watcher.waiting(self.description, note.text)

    @property
    def _silence_limit_s(self) -> float:
        """The longest that the worker may say nothing by its own limits."""
        limits = self._limits
        return max(limits.idle_s, limits.tap_s, limits.reconnect_s, limits.unlock_s, limits.trust_s) + 60.0

    def _take(self, root: Path) -> None:
        if self._lock is None:
            lock = PhoneLock(self._lock_folder, self.udid, root.name)
            lock.acquire()
            self._lock = lock

    def close(self) -> None:
        """End the worker, and with it what runs on the phone; free the phone."""
        self._worker.close()
        self.release()

    def release(self) -> None:
        """Free the phone for another run; the worker stays."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
