"""The desktop target: the real runner, one process for each job, on this machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness.core.events import Event, TargetClass
from harness.core.runs import JobOutcome, JobStatus
from harness.errors import TargetError
from harness.targets.base import OnEvent, outcome_of_exit, stage_in_progress
from harness.wire.event_log import EventLogReader
from harness.wire.job_folder import job_folder

_POLL_S = 0.2
_GRACE_S = 5.0


@dataclass(frozen=True)
class RuntimeLibrary:
    """The LiteRT library of the installed ai-edge-litert, and its release."""

    path: Path
    version: str


def find_runtime_library() -> RuntimeLibrary:
    """The ``libLiteRt`` inside the installed ai-edge-litert, found without importing it.

    Raises:
        TargetError: the package is not installed or carries no such library.
    """
    spec = importlib.util.find_spec("ai_edge_litert")
    if spec is None or not spec.submodule_search_locations:
        raise TargetError(
            "ai-edge-litert is not installed, so there is no runtime",
            next_step="Install it: pip install 'ai-edge-litert==2.3.0'.",
        )
    name = "libLiteRt.dylib" if platform.system() == "Darwin" else "libLiteRt.so"
    path = Path(next(iter(spec.submodule_search_locations))) / name
    if not path.is_file():
        raise TargetError(
            f"the installed ai-edge-litert carries no {name}",
            where=str(path.parent),
            next_step="Install the pinned release for this platform: pip install 'ai-edge-litert==2.3.0'.",
        )
    return RuntimeLibrary(path, importlib.metadata.version("ai-edge-litert"))


class LocalTarget:
    """Runs jobs by the runner executable on this machine."""

    def __init__(self, runner: Path, runtime: RuntimeLibrary, *, idle_limit_s: float) -> None:
        """``idle_limit_s``: a runner that writes nothing to its log for so long is ended."""
        self._runner = runner
        self._runtime = runtime
        self._idle_limit_s = idle_limit_s

    @property
    def description(self) -> str:
        return "this machine"

    @property
    def target_class(self) -> TargetClass:
        return TargetClass.LOCAL

    def run(self, root: Path, job_id: str, on_event: OnEvent) -> JobOutcome:
        """See ``Target.run``.

        Raises:
            TargetError: the runner cannot be started, or says that it was used wrongly.
        """
        folder = job_folder(root, job_id)
        self._await_other_runner(folder / "events.jsonl")
        reader = EventLogReader(folder / "events.jsonl")
        events: list[Event] = list(reader.new_events())
        command = [
            str(self._runner),
            "run",
            str(folder),
            "--runtime",
            str(self._runtime.path),
            "--runtime-version",
            self._runtime.version,
            "--target-class",
            TargetClass.LOCAL.value,
        ]
        started_ns = time.monotonic_ns()
        with tempfile.TemporaryFile() as error_file:
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=error_file
                )
            except OSError as problem:
                raise TargetError(
                    f"the runner cannot be started: {problem.strerror}",
                    where=str(self._runner),
                    next_step="Run 'harness doctor'.",
                ) from None
            try:
                timed_out = self._follow(process, reader, events, on_event)
            finally:
                _end(process)
            error_file.seek(0)
            error_text = error_file.read().decode("utf-8", errors="replace")
        wall_ns = time.monotonic_ns() - started_ns
        if timed_out:
            stage = stage_in_progress(events)
            return JobOutcome(
                job_id=job_id,
                status=JobStatus.TIMED_OUT,
                stage=stage,
                code="timed_out",
                problem=f"the runner wrote nothing for {self._idle_limit_s:g} s in stage {stage.value} and was ended",
                next_step="Raise run.idle_limit_seconds in the suite if the model is that slow.",
                wall_ns=wall_ns,
            )
        if process.returncode == 2:
            raise TargetError(
                f"the runner refused to start: {error_text.strip() or 'it said nothing'}",
                where=str(folder),
                next_step="Run 'harness doctor'.",
            )
        return outcome_of_exit(job_id, process.returncode, events, error_text=error_text, wall_ns=wall_ns)

    def _await_other_runner(self, log: Path) -> None:
        """Wait while the runner of a harness that was killed still works on the job: its samples count."""
        heard_s, size_bytes = time.monotonic(), -1
        while _is_locked(log):
            if log.stat().st_size != size_bytes:
                heard_s, size_bytes = time.monotonic(), log.stat().st_size
            if time.monotonic() - heard_s > self._idle_limit_s:
                raise TargetError(
                    f"another runner holds this job and wrote nothing for {self._idle_limit_s:g} s",
                    where=str(log),
                    next_step="End that harness-runner process, then resume.",
                )
            time.sleep(_POLL_S)

    def _follow(
        self, process: subprocess.Popen[bytes], reader: EventLogReader, events: list[Event], on_event: OnEvent
    ) -> bool:
        """Pass events on until the process ends; whether it was silent for longer than the limit."""
        heard_s = time.monotonic()
        while True:
            try:
                process.wait(timeout=_POLL_S)
                ended = True
            except subprocess.TimeoutExpired:
                ended = False
            for event in reader.new_events():
                events.append(event)
                on_event(event)
                heard_s = time.monotonic()
            if ended:
                return False
            if time.monotonic() - heard_s > self._idle_limit_s:
                return True

    def close(self) -> None:
        """Nothing stays open between jobs."""


def _is_locked(log: Path) -> bool:
    """Whether a runner works on the job: it holds a lock on the log (docs/wire-format.md)."""
    if sys.platform == "win32":
        # The runner is not built there.
        return False
    import fcntl

    try:
        with log.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
