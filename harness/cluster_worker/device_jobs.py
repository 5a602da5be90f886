"""The jobs of one device of this machine, one at a time."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from harness.cluster.messages import (
    AnyNote,
    EventHappened,
    Forget,
    RunJob,
    Transferring,
    WaitingForPerson,
)
from harness.cluster_worker.kept_jobs import OUTCOME, kept_outcome
from harness.cluster_worker.storage import WorkerStorage
from harness.core.events import Event
from harness.core.runs import JobOutcome
from harness.errors import TargetError
from harness.pipeline.choose_target import TargetSettings, choose_target
from harness.targets.base import KeepsCopies, StagesJobs, Target
from harness.targets.iphone.target import IphoneTarget
from harness.wire.job_folder import job_folder
from harness.wire.strict_json import write_value

_POLL_S: Final = 0.5
_DISK_TROUBLE: Final = "io_failed"
_BLOB_TROUBLE: Final = ("blob_corrupt", "blob_missing")
MOST_TOLD_BYTES: Final = 256 * 1024
"""Of a job's log so much goes ahead of it, for who watches; a model of a microsecond would fill any network."""

IsWanted = Callable[[], bool]
Notify = Callable[[AnyNote], None]


class _Watcher:
    """Passes on what a target tells while a job runs."""

    def __init__(self) -> None:
        self.call = ""
        self.notify: Notify = lambda note: None

    def transferring(self, target: str, done_bytes: int, total_bytes: int) -> None:
        self.notify(Transferring(call=self.call, done_bytes=done_bytes, total_bytes=total_bytes))

    def waiting(self, target: str, text: str) -> None:
        self.notify(WaitingForPerson(call=self.call, text=text))


class NotWantedError(Exception):
    """Whoever asked for the job does not wait for it any more."""


class DamagedBlobsError(Exception):
    """What the job needs was damaged here, and has been removed: it is lacking now."""


class DeviceJobs:
    """Runs jobs on the target called ``name``, which is opened with the first and stays open."""

    def __init__(self, name: str, settings: TargetSettings, storage: WorkerStorage) -> None:
        self._name = name
        self._storage = storage
        self._watcher = _Watcher()
        self._settings = replace(settings, watcher=self._watcher)
        self._target: Target | None = None
        self._staged = ""
        self._lock = threading.Lock()

    @property
    def is_busy(self) -> bool:
        return self._lock.locked()

    def run(self, request: RunJob, is_wanted: IsWanted, notify: Notify) -> tuple[JobOutcome, Path]:
        """The job's outcome and its job root. A job that has ended before is not run again.

        The blobs are there already. ``is_wanted`` is asked now and then: when it says no, the job is ended in a way
        that it can be gone on with.

        Raises:
            TargetError: the device cannot be used, or a disk is full.
            NotWantedError: ``is_wanted`` said no.
            DamagedBlobsError: a blob has to be sent again.
        """
        with self._lock:
            root = self._storage.session(request.session)
            self._storage.place(root, request.job, request.begun)
            folder = job_folder(root, request.job.job_id)
            ended = kept_outcome(folder)
            if ended is not None:
                return ended, root
            self._watcher.call, self._watcher.notify = request.call, notify

            told_bytes = 0

            def on_event(event: Event) -> None:
                nonlocal told_bytes
                if not is_wanted():
                    raise NotWantedError
                if told_bytes < MOST_TOLD_BYTES:
                    line = event.model_dump_json(exclude_none=True)
                    told_bytes += len(line)
                    notify(EventHappened(call=request.call, event=line))

            try:
                target = self._opened(request.idle_limit_s)
                with self._ended_when_not_wanted(is_wanted):
                    if isinstance(target, StagesJobs) and self._staged != request.session:
                        target.stage(root, (request.job.job_id,), lambda job_id: None)
                        self._staged = request.session
                    outcome = target.run(root, request.job.job_id, on_event)
            except BaseException:
                # What hangs, or lost its phone, is begun anew with the next job.
                self.close()
                raise
            finally:
                self._release()
            if outcome.code in _BLOB_TROUBLE:
                self._storage.drop_damaged(root, request.blobs)
                if self._storage.lacking(root, request.blobs):
                    # Not the job's fault: it begins anew with good ones.
                    shutil.rmtree(folder)
                    raise DamagedBlobsError
            if outcome.code == _DISK_TROUBLE:
                # Not the variant's fault either, and no answer to keep: with room the job goes on.
                raise TargetError(outcome.problem, where=self._name, next_step=outcome.next_step)
            if not outcome.status.is_interrupted:
                write_value(folder / OUTCOME, outcome)
            return outcome, root

    def forget(self, request: Forget) -> None:
        """Remove inputs from the device and from here."""
        with self._lock:
            root = self._storage.session(request.session)
            target: object = self._target
            if isinstance(target, KeepsCopies):
                with suppress(TargetError):
                    target.forget(root, request.blobs)
            self._release()
            self._storage.forget(root, request.blobs)

    def close(self) -> None:
        """End what runs on the device. From any thread."""
        self._staged = ""
        target, self._target = self._target, None
        if target is not None:
            target.close()

    def _release(self) -> None:
        """Between jobs the phone is free for whoever sits beside it."""
        target = self._target
        if isinstance(target, IphoneTarget):
            target.release()

    def _opened(self, idle_limit_s: float) -> Target:
        if self._settings.idle_limit_s != idle_limit_s:
            self.close()
            self._settings = replace(self._settings, idle_limit_s=idle_limit_s)
        target = self._target
        if target is None:
            target = self._target = choose_target(self._name, self._settings)
        return target

    @contextmanager
    def _ended_when_not_wanted(self, is_wanted: IsWanted) -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_POLL_S):
                if not is_wanted():
                    self.close()
                    return

        watching = threading.Thread(target=watch, daemon=True, name="wanted")
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()
