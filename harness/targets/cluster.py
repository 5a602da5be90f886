"""A device of a cluster as a target: its jobs run on the worker that has it, by Dask's scheduler."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from harness.cluster.connection import Cluster, LostError, Need, NobodyThereError
from harness.cluster.devices import device_resource
from harness.cluster.messages import (
    PART_BYTES,
    AnyNote,
    BegunFile,
    Done,
    EventHappened,
    FileSize,
    Forget,
    JobRan,
    ReadPart,
    RunJob,
    Started,
    Transferring,
    WaitingForPerson,
)
from harness.core.device_traits import DeviceKind, DeviceTraits
from harness.core.events import EVENT_ADAPTER, Event, TargetClass
from harness.core.jobs import Blob
from harness.core.runs import JobOutcome, JobStatus
from harness.errors import HarnessError, TargetError, WireError
from harness.targets.base import OnEvent, TargetWatcher
from harness.targets.run_token import run_token
from harness.wire.blobs import BlobStore
from harness.wire.event_log import EventLogReader
from harness.wire.job_folder import job_folder, read_job

_LOG: Final = "events.jsonl"
_BEGUN: Final[tuple[Literal["events.jsonl", "outputs.bin"], ...]] = ("events.jsonl", "outputs.bin")
_OWN: Final = frozenset({"job.json", "outcome.json"})
"""Written by this side alone."""
_ATTEMPTS: Final = 3


@dataclass
class _Listener:
    """Passes a job's notes on, and tells while another job has the device."""

    call: str
    on_event: OnEvent
    watcher: TargetWatcher
    description: str
    known: int
    """How many events of the log have been told."""
    has_begun: bool = False
    told: str = ""

    def hear(self, note: AnyNote) -> None:
        if isinstance(note, Started):
            self.has_begun = True
            self._tell("")
        elif isinstance(note, EventHappened):
            with suppress(ValidationError):
                self.on_event(EVENT_ADAPTER.validate_json(note.event))
                self.known += 1
        elif isinstance(note, Transferring):
            self.watcher.transferring(self.description, note.done_bytes, note.total_bytes)
        elif isinstance(note, WaitingForPerson):
            self.watcher.waiting(self.description, note.text)

    def still_waits(self, *, is_there: bool) -> None:
        self.has_begun = self.has_begun and is_there
        if not self.has_begun:
            self._tell(
                "another job is at work on it; this one takes its turn" if is_there else "no worker has it"
            )

    def _tell(self, text: str) -> None:
        if text != self.told:
            self.told = text
            self.watcher.waiting(self.description, text)


class ClusterTarget:
    """One phone or machine of a cluster, whichever worker has it; workers may die and return."""

    def __init__(
        self, cluster: Cluster, device: DeviceTraits, watcher: TargetWatcher, *, idle_limit_s: float
    ) -> None:
        """``cluster`` stays open when this is closed."""
        self._cluster = cluster
        self._device = device
        self._watcher = watcher
        self._idle_limit_s = idle_limit_s
        self._need = Need(device_resource(device), device.label)
        self._is_closed = False

    @property
    def description(self) -> str:
        return self._device.label

    @property
    def target_class(self) -> TargetClass:
        if self._device.kind is DeviceKind.LOCAL:
            return TargetClass.LOCAL
        return TargetClass.VIRTUAL if self._device.is_virtual else TargetClass.IPHONE

    def run(self, root: Path, job_id: str, on_event: OnEvent) -> JobOutcome:
        """See ``Target.run``. The worker keeps the job's log: where the job is given again, it goes on from there.

        The log and the outputs are written to ``root`` when the job has ended, the log last, so that a sample counts
        once, however often the job was given.

        A device that is gone, or that its worker cannot use, has got in the way of the job.

        Raises:
            TargetError: the target was closed.
        """
        if self._is_closed:
            raise TargetError(
                "the work on this device was ended",
                where=self.description,
                next_step="Go on: harness run --resume.",
            )
        log = job_folder(root, job_id) / _LOG
        call = uuid.uuid4().hex
        listener = _Listener(call, on_event, self._watcher, self.description, len(_events(log)))
        started_ns = time.monotonic_ns()
        request = RunJob(
            session=run_token(root),
            run_id=root.name,
            device=self._need.resource,
            job=read_job(job_folder(root, job_id)),
            begun=_begun(root, job_id),
            idle_limit_s=self._idle_limit_s,
            topic=self._cluster.topic,
            call=call,
        )
        try:
            outcome = self._ran(request, root, listener)
        except TargetError as error:
            if self._is_closed:
                raise
            # The next job may find it mended; a device that stays so is set aside by who counts its failures.
            return JobOutcome(
                job_id=job_id,
                status=JobStatus.DISCONNECTED,
                code="device_gone" if isinstance(error, NobodyThereError) else "device_refused",
                problem=error.problem,
                next_step=error.next_step,
                wall_ns=time.monotonic_ns() - started_ns,
            )
        # A note that is still on its way when the answer comes is not waited for.
        for event in _events(log)[listener.known :]:
            on_event(event)
        return outcome

    def forget(self, root: Path, blobs: Sequence[Blob]) -> None:
        """See ``KeepsCopies``. A device that is away keeps its copies; its worker makes room by itself."""
        with suppress(HarnessError):
            self._cluster.call(
                Forget(session=run_token(root), device=self._need.resource, blobs=tuple(blobs)), self._need
            )

    def close(self) -> None:
        """Take no further job."""
        self._is_closed = True

    def _ran(self, request: RunJob, root: Path, listener: _Listener) -> JobOutcome:
        """The outcome, with the job's files written."""
        for attempts_left in reversed(range(_ATTEMPTS)):
            answer, beside = self._cluster.call(request, self._need, blobs=BlobStore(root), listener=listener)
            if not isinstance(answer, JobRan) or not _is_of(answer, request.job.job_id):
                raise _not_asked_for(self.description)
            try:
                self._keep(answer, beside, request.session, job_folder(root, request.job.job_id))
                return answer.outcome
            except (WireError, LostError) as problem:
                # The worker died, or lost what it had: who has the device now has the files, or runs the job again.
                if not attempts_left:
                    raise _not_fetched(self.description, problem) from None
        raise AssertionError("the last attempt returns or raises")

    def _keep(self, answer: JobRan, beside: Sequence[bytes], session: str, folder: Path) -> None:
        """Write the job's files, the log last: with it the job has run."""
        for index, file in sorted(enumerate(answer.files), key=lambda entry: entry[1].name == _LOG):
            if not answer.is_inline:
                parts = self._parts(file, session, answer)
            elif index < len(beside) and len(beside[index]) == file.bytes:
                parts = iter((beside[index],))
            else:
                raise _not_asked_for(self.description)
            _write(folder / file.name, parts)

    def _parts(self, file: FileSize, session: str, ran: JobRan) -> Iterator[bytes]:
        for first_byte in range(0, file.bytes, PART_BYTES):
            wanted = min(PART_BYTES, file.bytes - first_byte)
            request = ReadPart(
                session=session,
                job_id=ran.outcome.job_id,
                name=file.name,
                first_byte=first_byte,
                byte_count=wanted,
            )
            answer, beside = self._cluster.call_worker(request, ran.address)
            if not isinstance(answer, Done) or len(beside) != 1 or len(beside[0]) != wanted:
                raise _not_asked_for(self.description)
            yield beside[0]


def _is_of(answer: JobRan, job_id: str) -> bool:
    """Whether it tells of that job, and gives no file that is not a worker's to write."""
    return answer.outcome.job_id == job_id and _OWN.isdisjoint(file.name for file in answer.files)


def _write(path: Path, parts: Iterable[bytes]) -> None:
    """Whole or not at all.

    Raises:
        WireError: it is a log that cannot be read, which would stand in the way of the run for ever.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as out:
            for part in parts:
                out.write(part)
        if path.name == _LOG:
            _events(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _events(log: Path) -> list[Event]:
    return list(EventLogReader(log).new_events())


def _begun(root: Path, job_id: str) -> tuple[BegunFile, ...]:
    """What an earlier attempt at the job left, as blobs."""
    folder, store = job_folder(root, job_id), BlobStore(root)
    return tuple(
        BegunFile(name=name, content=store.put_file(folder / name))
        for name in _BEGUN
        if (folder / name).is_file()
    )


def _not_fetched(where: str, problem: Exception) -> TargetError:
    return TargetError(
        f"the job ran, but its results could not be fetched: {problem}",
        where=where,
        next_step="Go on: harness run --resume.",
    )


def _not_asked_for(where: str) -> WireError:
    return WireError(
        "the worker answered something else than it was asked",
        where=where,
        next_step="Install the same release of the harness on every machine of the cluster.",
    )
