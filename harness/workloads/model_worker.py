"""Runs a module that runs a model, as a process of its own, and hears what it says.

A model that crashes its engine is an error here, and no engine is imported by the caller. The worker prints one JSON
object a line: ``{"done": inputs}`` as it goes, at the end its answer or an ``error`` with kind, problem, where and
next_step.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TextIO

from harness.core.value import Value
from harness.errors import InputError, ModelError, WireError, WorkloadError
from harness.python_worker import signal_name, worker_command, worker_environment
from harness.workloads.decoding import Progress

_LAST_WORDS_CHARACTERS: Final = 400
_ERRORS: Final[dict[str, type[InputError]]] = {
    kind.__name__: kind for kind in (ModelError, WorkloadError, WireError)
}


def run_model_worker(
    module: str,
    folder: Path,
    request: Value,
    *,
    model: str,
    engine: str,
    total: int,
    answers: str,
    on_progress: Progress | None = None,
) -> Any:
    """What ``python -m module REQUEST`` answers under the key ``answers``; ``folder`` takes the request.

    ``model`` and ``engine`` name in errors what ran by what; ``total`` is the number of inputs that ``on_progress``
    is told.

    Raises:
        ModelError, WorkloadError, WireError: the worker says so, or it died.
    """
    request_path = folder / "request.json"
    request_path.write_text(request.model_dump_json(), encoding="utf-8")
    environment = {
        **worker_environment(),
        "KERAS_BACKEND": "tensorflow",
        # The reference is the CPU's: a GPU would round differently from one machine to the next.
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    answer: dict[str, Any] = {}
    with (
        tempfile.TemporaryFile() as last_words,
        subprocess.Popen(
            worker_command(module, request_path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=last_words,
            env=environment,
        ) as worker,
    ):
        try:
            assert worker.stdout is not None
            for line in worker.stdout:
                message = _parse(line)
                if "done" in message:
                    if on_progress is not None:
                        on_progress(message["done"], total)
                elif message:
                    answer = message
            status = worker.wait()
        except BaseException:
            worker.kill()
            raise
        if "error" in answer:
            error = answer["error"]
            raise _ERRORS[error["kind"]](error["problem"], where=error["where"], next_step=error["next_step"])
        if status != 0 or answers not in answer:
            raise _crashed(status, model, engine, _tail(last_words))
    return answer[answers]


def _parse(line: bytes) -> dict[str, Any]:
    """A message of the worker; a line that a crash cut off is none."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _tail(stream: Any) -> str:
    stream.seek(0)
    lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:_LAST_WORDS_CHARACTERS] if lines else ""


def _crashed(status: int, model: str, engine: str, last_words: str) -> ModelError:
    if status < 0:
        how = signal_name(status)
        if how == "SIGKILL":
            how += ", perhaps for lack of memory"
        problem = f"the model crashed {engine} ({how})"
    else:
        problem = f"{engine} ended with status {status}" + (f": {last_words}" if last_words else "")
    return ModelError(
        problem,
        where=model,
        next_step="Export or convert the model again, or try it with another version of the engine.",
    )


def serve(model: str, answers: str, work: Callable[[Callable[[int], None]], Any]) -> int:
    """The worker's side: call ``work`` with what it reports progress to, and tell its answer or its error.

    Returns the exit status: 0 with an answer, 1 with an error told. Engines print to standard output as they please;
    from here on that is standard error.
    """
    messages = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        answer = work(lambda done: _tell(messages, {"done": done}))
    except InputError as error:
        told = {
            "kind": type(error).__name__,
            "problem": error.problem,
            "where": error.where or model,
            "next_step": error.next_step,
        }
        _tell(messages, {"error": told})
        return 1
    _tell(messages, {answers: answer})
    return 0


def _tell(messages: TextIO, message: dict[str, object]) -> None:
    print(json.dumps(message), file=messages, flush=True)
