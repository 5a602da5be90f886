"""A process that runs an engine, seen from outside: started with a model, asked for one part after another.

A model that crashes its engine is an error here, and no engine is imported by the caller. Both sides speak over the
process's standard input and output. First comes what is opened, one JSON object on a line; then for each part a line
``{"payload_bytes": [n, ...], "part": {...}}`` with that many bytes behind it. The process answers each with a line
``{"answer_bytes": n}`` and the bytes, or with an ``error`` of kind, problem, where and next_step.
``harness.shards.engine_server`` is the other side.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Final

from harness.core.value import Value
from harness.errors import BuildError, HarnessError, ModelError, WireError, WorkloadError
from harness.python_worker import signal_name, worker_command, worker_environment
from harness.wire.strict_json import parse_object

LARGEST_ANSWER_BYTES: Final = 1 << 31

_LAST_WORDS_CHARACTERS: Final = 400
_LONGEST_LINE_BYTES: Final = 1 << 20
_DYING_S: Final = 5.0
_ERRORS: Final[dict[str, type[HarnessError]]] = {
    kind.__name__: kind for kind in (ModelError, WorkloadError, WireError, BuildError)
}
# How many threads share a sum decides its last bits, and so may the machine's number of cores: one for each process.
_ENVIRONMENT: Final = {
    "KERAS_BACKEND": "tensorflow",
    # The reference is the CPU's: a GPU would round differently from one machine to the next.
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class EngineProcess:
    """``python -m module`` with ``opening``; ``model`` and ``engine`` name in errors what ran by what.

    Used by one thread at a time; ``kill`` may be called from any.
    """

    def __init__(self, module: str, opening: Value, *, model: str, engine: str) -> None:
        self._model = model
        self._engine = engine
        with contextlib.ExitStack() as unless_started:
            self._last_words = unless_started.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                worker_command(module),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._last_words,
                env={**worker_environment(), **_ENVIRONMENT},
            )
            unless_started.pop_all()
        self._opening: bytes | None = opening.model_dump_json().encode() + b"\n"

    def run(self, part: Value, payload: Sequence[bytes | memoryview]) -> bytes:
        """What the engine answers to ``part``.

        Raises:
            ModelError, WorkloadError, WireError, BuildError: the process says so, or it died. Either way it is of no
                further use.
        """
        try:
            self._send(part, payload)
            return self._answer()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End the process; whoever waits for an answer gets an error."""
        self._process.kill()

    def close(self) -> None:
        """End the process and forget it."""
        self.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:
                # What was still to be written has no reader.
                continue
        self._last_words.close()

    def _send(self, part: Value, payload: Sequence[bytes | memoryview]) -> None:
        to = self._process.stdin
        assert to is not None
        sizes = [memoryview(buffer).nbytes for buffer in payload]
        line = json.dumps({"payload_bytes": sizes, "part": part.model_dump(mode="json")})
        try:
            if self._opening is not None:
                to.write(self._opening)
                self._opening = None
            to.write(line.encode() + b"\n")
            for buffer in payload:
                to.write(buffer)
            to.flush()
        except OSError:
            # It died; what it said before is read by whoever waits for the answer.
            return

    def _answer(self) -> bytes:
        from_process = self._process.stdout
        assert from_process is not None
        try:
            message = parse_object(from_process.readline(_LONGEST_LINE_BYTES))
        except ValueError:
            # Nothing, or what a crash cut off.
            raise self._death() from None
        if "error" in message:
            raise self._told(message["error"])
        size = message.get("answer_bytes")
        if isinstance(size, int) and 0 <= size <= LARGEST_ANSWER_BYTES:
            answer = from_process.read(size)
            if len(answer) == size:
                return answer
        raise self._death()

    def _told(self, error: object) -> HarnessError:
        told = error if isinstance(error, dict) else {}
        return _ERRORS.get(str(told.get("kind")), ModelError)(
            str(told.get("problem")),
            where=str(told.get("where") or self._model),
            next_step=str(told.get("next_step")),
        )

    def _death(self) -> ModelError:
        try:
            # Its output has ended, and a core may still be written.
            status = self._process.wait(_DYING_S)
        except subprocess.TimeoutExpired:
            return self._failed(f"{self._engine} gave an answer that cannot be read")
        last_words = self._tail()
        if status < 0:
            how = signal_name(status)
            if how == "SIGKILL":
                how += ", perhaps for lack of memory"
            return self._failed(f"the model crashed {self._engine} ({how})")
        return self._failed(
            f"{self._engine} ended with status {status}" + (f": {last_words}" if last_words else "")
        )

    def _failed(self, problem: str) -> ModelError:
        return ModelError(
            problem,
            where=self._model,
            next_step="Export or convert the model again, or try it with another version of the engine.",
        )

    def _tail(self) -> str:
        self._last_words.seek(0)
        lines = self._last_words.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:_LAST_WORDS_CHARACTERS] if lines else ""
