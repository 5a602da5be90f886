"""Starts the worker as a subprocess, waits for it, and puts its death into words."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.errors import BuildError
from harness.python_worker import kill_group, signal_name, worker_command, worker_environment
from harness.variants.request import RESULT_ADAPTER, BuildRequest, Built, NotBuilt

_LAST_LINES: Final = 3


class WorkerProcesses:
    """The worker processes that run at one time; ``kill_all`` ends them, and no further one starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.stopped = threading.Event()

    def run(self, request: BuildRequest, folder: Path, timeout_s: float) -> Built:
        """Carry out ``request`` in a process; ``folder`` takes its log.

        Raises:
            BuildError: it crashed, was killed, took longer than ``timeout_s`` or could not build the model.
        """
        request_path = folder / "request.json"
        request_path.write_text(request.model_dump_json(), encoding="utf-8")
        log = folder / "log.txt"
        with log.open("wb") as out:
            process = self._start(request_path, folder, out.fileno())
            try:
                status = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                raise BuildError(
                    f"the conversion was ended after {timeout_s:g} s",
                    next_step="Give fewer calibration inputs, or build on a machine that is less busy.",
                ) from None
            finally:
                kill_group(process)
                with self._lock:
                    self._running.discard(process)
        if status != 0:
            raise _death(status, _last_lines(log))
        try:
            result = RESULT_ADAPTER.validate_json(Path(request.result).read_bytes())
        except (OSError, ValidationError):
            raise _death(status, _last_lines(log)) from None
        if isinstance(result, NotBuilt):
            raise BuildError(result.problem, next_step=result.next_step)
        return result

    def kill_all(self) -> None:
        with self._lock:
            self.stopped.set()
            running = list(self._running)
        for process in running:
            kill_group(process)

    def _start(self, request: Path, folder: Path, log: int) -> subprocess.Popen[bytes]:
        with self._lock:
            if self.stopped.is_set():
                raise BuildError("was interrupted", next_step="Run the command again.")
            process = subprocess.Popen(
                worker_command("harness.variants.worker", request),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                # Silences TensorFlow's information messages, so that the last lines of a crash are about the crash.
                env=worker_environment(TF_CPP_MIN_LOG_LEVEL="1"),
                # Its own group: Ctrl-C reaches this process first, and killing reaches the worker's children.
                start_new_session=True,
            )
            self._running.add(process)
            return process


def _death(status: int, last_lines: str) -> BuildError:
    said = f"; its last words: {last_lines}" if last_lines else ""
    if status >= 0:
        return BuildError(
            f"the converter ended with status {status}{said}",
            next_step="If that names a layer or an operator, replace it; otherwise leave out this recipe.",
        )
    name = signal_name(status)
    if name == "SIGKILL":
        return BuildError(
            f"the converter was killed (SIGKILL), most likely because memory ran out{said}",
            next_step="Free memory (a conversion needs 1 GB and several times the model's size).",
        )
    return BuildError(
        f"the converter crashed ({name}){said}",
        next_step="Leave out this recipe for this model; dynamic-int8 crashes least.",
    )


def _last_lines(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    # Progress bars redraw one line with carriage returns and say nothing of a crash.
    spoken = [line for line in lines if line and "it/s]" not in line and "%|" not in line]
    return " / ".join(line[:200] for line in spoken[-_LAST_LINES:])
