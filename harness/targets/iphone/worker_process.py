"""The harness's end of a phone's worker process: asks, listens with a limit, and kills it where it is silent."""

from __future__ import annotations

import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, TypeVar

from pydantic import ValidationError

from harness.errors import TargetError
from harness.python_worker import worker_command, worker_environment
from harness.targets.iphone.messages import (
    FINAL,
    LARGEST_LINE_BYTES,
    NOTE_ADAPTER,
    Failed,
    Note,
    Request,
)
from harness.targets.iphone.trouble import Trouble
from harness.wire.strict_json import explain, parse_object

N = TypeVar("N", bound=Note)
_GRACE_S = 5.0
_LAST_RESORT_S = 60.0
"""Beyond the worker's own limits: it should have answered by itself, with a reason."""
_LOG_TAIL_BYTES = 4000


class PhoneFailedError(TargetError):
    """What the worker could not do; ``kind`` tells why."""

    def __init__(self, kind: Trouble, problem: str, where: str | None) -> None:
        super().__init__(problem, where=where, next_step=kind.advice)
        self.kind = kind


class WorkerProcess:
    """Started when asked; ended by a timeout, an interrupt or ``close``, and started anew when asked again."""

    def __init__(self, *, environment: Mapping[str, str] | None = None, where: str | None = None) -> None:
        """``environment`` is added to the harness's own: which usbmuxd, which home."""
        self._environment = dict(environment or {})
        self._where = where
        self._process: subprocess.Popen[bytes] | None = None
        self._notes: queue.Queue[bytes] = queue.Queue()
        self._log: IO[bytes] | None = None
        self._is_closed = False

    def start(self) -> None:
        """Start the process ahead: it takes a second to load what it needs."""
        self._started()

    def ask(
        self,
        request: Request,
        kind: type[N],
        *,
        silence_limit_s: float,
        on_note: Callable[[Note], None] = lambda note: None,
    ) -> N:
        """The final note of the answer, of ``kind``; the others go to ``on_note`` as they come.

        Raises:
            PhoneFailedError: the worker says why it could not.
            TargetError: it was silent for ``silence_limit_s``, died, or spoke another language.
        """
        try:
            process = self._started()
            assert process.stdin is not None
            process.stdin.write(request.model_dump_json().encode() + b"\n")
            process.stdin.flush()
            while True:
                note = self._next(silence_limit_s)
                if isinstance(note, Failed):
                    raise PhoneFailedError(note.kind, note.problem, self._where)
                if isinstance(note, kind):
                    return note
                if isinstance(note, FINAL):
                    raise self._broken(f"it answered with {note.note} to {request.op}")
                on_note(note)
        except PhoneFailedError:
            raise
        except BrokenPipeError:
            raise self._broken("it died") from None
        except BaseException:
            self._end(gracefully=True)
            raise

    def close(self) -> None:
        """End the worker for good: it ends what runs on the phone, within a limit. From any thread."""
        self._is_closed = True
        self._end(gracefully=True)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        if self._is_closed:
            raise TargetError(
                "the work on this phone was ended",
                where=self._where,
                next_step="Go on: harness run --resume.",
            )
        self._end(gracefully=False)
        # Kept as long as the worker: its last words are told when it fails.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._notes = queue.Queue()
        self._process = subprocess.Popen(
            worker_command("harness.targets.iphone.phone_worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**worker_environment(), **self._environment},
            # Ctrl-C is for the harness, which then ends the worker in good order.
            start_new_session=True,
        )
        threading.Thread(target=_read_lines, args=(self._process, self._notes), daemon=True).start()
        return self._process

    def _next(self, limit_s: float) -> Note:
        deadline_s = time.monotonic() + limit_s + _LAST_RESORT_S
        while True:
            try:
                # In short waits: a queue that waits long does not hear Ctrl-C on every platform.
                line = self._notes.get(timeout=1.0)
                break
            except queue.Empty:
                if time.monotonic() > deadline_s:
                    raise self._broken(f"it said nothing for {limit_s + _LAST_RESORT_S:g} s") from None
        if not line:
            raise self._broken("it died")
        try:
            parse_object(line)
            return NOTE_ADAPTER.validate_json(line)
        except ValidationError as problem:
            raise self._broken(f"it said what this harness does not know: {explain(problem)}") from None
        except ValueError as problem:
            raise self._broken(f"it said what is no note: {problem}") from None

    def _broken(self, problem: str) -> TargetError:
        self._end(gracefully=False)
        tail = self._log_tail()
        return TargetError(
            f"the process that talks to the phone failed: {problem}{tail}",
            where=self._where,
            next_step="Try again: harness run --resume goes on. If it stays, run 'harness doctor --target iphone'.",
        )

    def _log_tail(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - _LOG_TAIL_BYTES))
        lines = self._log.read().decode("utf-8", errors="replace").strip().splitlines()
        return f" ({lines[-1][:300]})" if lines else ""

    def _end(self, *, gracefully: bool) -> None:
        process, self._process = self._process, None
        if process is not None:
            _stop(process, _GRACE_S if gracefully else 0.0)
        if gracefully and self._log is not None:
            self._log.close()
            self._log = None


def _stop(process: subprocess.Popen[bytes], grace_s: float) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read_lines(process: subprocess.Popen[bytes], notes: queue.Queue[bytes]) -> None:
    """Put each line there; an empty one where the worker's output ends or a line has no end."""
    assert process.stdout is not None
    with process.stdout as out:
        while (line := out.readline(LARGEST_LINE_BYTES + 1)).endswith(b"\n"):
            notes.put(line)
        notes.put(b"")
