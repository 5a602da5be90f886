"""The one interface that every target has, and what they share in telling how a job ended."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from harness.core.events import Event, JobFailed, JobFinished, JobStarted, Stage, StageFinished, TargetClass
from harness.core.jobs import Blob
from harness.core.runs import JobOutcome, JobStatus

OnEvent = Callable[[Event], None]


class TargetWatcher(Protocol):
    """Who is told what a target does apart from running jobs; called from the thread that runs them."""

    def transferring(self, target: str, done_bytes: int, total_bytes: int) -> None:
        """Bytes of what has to be there before a job can run."""
        ...

    def waiting(self, target: str, text: str) -> None:
        """The target waits for a person, who is told what to do; an empty ``text`` ends it."""
        ...


class Unwatched:
    """Tells nobody."""

    def transferring(self, target: str, done_bytes: int, total_bytes: int) -> None: ...

    def waiting(self, target: str, text: str) -> None: ...


class Target(Protocol):
    """A place where jobs run.

    ``run`` takes the job folder ``<root>/jobs/<job_id>`` with its blobs, runs it, calls ``on_event`` for each
    event as it becomes known, and leaves ``events.jsonl`` and ``outputs.bin`` in the folder. A job whose log already
    has samples is resumed. It returns how the job ended, and raises ``TargetError`` only when the target itself cannot
    be used: then the run stops and can be resumed. ``KeyboardInterrupt`` ends the runner and leaves a log that can be
    resumed.
    """

    @property
    def description(self) -> str:
        """What a person calls it: ``this machine``, ``iPhone 15 Pro``."""
        ...

    @property
    def target_class(self) -> TargetClass: ...

    def run(self, root: Path, job_id: str, on_event: OnEvent) -> JobOutcome: ...

    def close(self) -> None: ...


@runtime_checkable
class KeepsCopies(Protocol):
    """A target that keeps blobs of its own, such as a phone: its disk need not hold all inputs at once.

    ``forget`` says that no further job of the run needs these; the target may remove its copies. What a job still to
    run needs is sent again.
    """

    def forget(self, root: Path, blobs: Sequence[Blob]) -> None: ...


@runtime_checkable
class StagesJobs(Protocol):
    """A target that looks at the whole run before its first job.

    ``stage`` finds out whether the target is fit for the run, and may put every job there at once; ``place`` writes a
    job's folder below ``root``.
    """

    def stage(self, root: Path, job_ids: Sequence[str], place: Callable[[str], None]) -> None: ...


_NEXT_STAGE = {
    Stage.START: Stage.LOAD,
    Stage.LOAD: Stage.COMPILE,
    Stage.COMPILE: Stage.FIRST_RUN,
    Stage.FIRST_RUN: Stage.WARMUP,
    Stage.WARMUP: Stage.STEADY,
    Stage.STEADY: Stage.STEADY,
}


def stage_in_progress(events: Sequence[Event]) -> Stage:
    """The stage that the last attempt was in after its last event."""
    stage = Stage.START
    for event in events:
        if isinstance(event, JobStarted):
            stage = Stage.START
        elif isinstance(event, StageFinished):
            stage = _NEXT_STAGE[event.stage]
    return stage


def outcome_of_exit(
    job_id: str, returncode: int, events: Sequence[Event], *, error_text: str, wall_ns: int
) -> JobOutcome:
    """How a job ended, from the runner's exit status (negative: a signal) and its own log."""
    last = events[-1] if events else None
    if isinstance(last, JobFinished):
        return JobOutcome(job_id=job_id, status=JobStatus.FINISHED, code="finished", wall_ns=wall_ns)
    if isinstance(last, JobFailed):
        status = JobStatus.OUT_OF_MEMORY if last.code == "out_of_memory" else JobStatus.REFUSED
        return JobOutcome(
            job_id=job_id,
            status=status,
            stage=last.stage,
            code=last.code,
            problem=last.message,
            next_step=_ADVICE.get(last.code, "See the job's events.jsonl."),
            wall_ns=wall_ns,
        )
    stage = stage_in_progress(events)
    if returncode < 0:
        name = (
            signal.Signals(-returncode).name
            if -returncode in list(signal.Signals)
            else f"signal {-returncode}"
        )
        problem = f"the runner died of {name} in stage {stage.value}"
        if name == "SIGKILL":
            advice = "The system may have ended it for want of memory: try a smaller variant or fewer programs at once."
        else:
            advice = (
                "The runtime crashed on this variant: build it by another recipe, or report it to LiteRT."
            )
        return JobOutcome(
            job_id=job_id,
            status=JobStatus.CRASHED,
            stage=stage,
            code=name.lower(),
            problem=problem,
            next_step=advice,
            wall_ns=wall_ns,
        )
    tail = error_text.strip().splitlines()[-1] if error_text.strip() else "it said nothing"
    return JobOutcome(
        job_id=job_id,
        status=JobStatus.CRASHED,
        stage=stage,
        code=f"exit_{returncode}",
        problem=f"the runner ended with status {returncode} in stage {stage.value}: {tail}",
        next_step="Run 'harness doctor' to check the runner and its runtime.",
        wall_ns=wall_ns,
    )


_ADVICE = {
    "model_invalid": "The variant's file is not a model this runtime reads: build it again, or check the source model.",
    "compile_failed": "The runtime has no kernel for some operation: choose another recipe or replace the operation.",
    "input_mismatch": "Set workload.preprocess.size (or the tensors' shape) in the suite to what the model takes.",
    "runtime_missing": "Run 'harness doctor'.",
    "runtime_unsupported": "Install the pinned ai-edge-litert: run 'harness doctor'.",
    "out_of_memory": 'Try a smaller variant, or loading = "mapped" in the suite.',
    "blob_corrupt": "A file of the run was damaged: start a new run.",
    "blob_missing": "A file of the run is gone: start a new run.",
    "io_failed": "Check the disk's free space and the folder's permissions.",
}
