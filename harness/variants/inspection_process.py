"""Starts the inspection worker, waits for it, and puts its death into words.

Importing this module imports neither numpy nor TensorFlow.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.core.op_check import Proof
from harness.errors import ModelError
from harness.python_worker import kill_group, signal_name, worker_command, worker_environment
from harness.variants.inspection_requests import Reply, Request

LONGEST_S: Final = 600.0

_WORKER: Final = "harness.variants.inspection_worker"
_REPLY: Final = "reply.json"


def ask(request: Request, *, timeout_s: float = LONGEST_S) -> Reply:
    """Carry out ``request`` in a process of its own.

    A check whose conversion crashes, or a .tflite that crashes the runtime, is an answer: its proof is refused.

    Raises:
        ModelError: the worker refused the model, or crashed or took longer than ``timeout_s`` before it knew its ops.
    """
    with tempfile.TemporaryDirectory(prefix="harness-inspection-") as folder:
        end = _run(request, Path(folder), timeout_s)
        reply = _read(Path(folder) / _REPLY)
    if reply is not None and reply.refusal is not None:
        raise ModelError(reply.refusal.problem, where=reply.refusal.where, next_step=reply.refusal.next_step)
    if end is None and reply is not None:
        return reply
    words = end.words if end else "left no answer"
    if end is not None and end.says_something:
        # Out of time says nothing of the model; a crash does.
        what = "conversion" if request.task == "check" else "loading"
        proof = Proof(outcome="refused" if end.is_crash else "not tried", reason=f"the {what} {words}")
        if reply is not None and reply.ops is not None:
            return Reply(ops=reply.ops.model_copy(update={"proof": proof}))
        if request.task == "load":
            return Reply(proof=proof)
    raise ModelError(
        f"looking into it {words}",
        where=request.path,
        next_step="Check that the file is whole and the machine not out of memory; then export the model again.",
    )


@dataclass(frozen=True)
class _End:
    """How a process ended that did not end well."""

    words: str
    is_crash: bool = False
    says_something: bool = True


def _run(request: Request, folder: Path, timeout_s: float) -> _End | None:
    (folder / "request.json").write_text(request.model_dump_json(), encoding="utf-8")
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            worker_command(_WORKER, folder / "request.json", folder / _REPLY),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=out,
            env=worker_environment(TF_CPP_MIN_LOG_LEVEL="2", CUDA_VISIBLE_DEVICES="-1"),
            # Its own group: killing it reaches its children.
            start_new_session=True,
        )
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return _End(f"did not end within {timeout_s:g} s")
        finally:
            kill_group(process)
    if status == 0:
        return None
    if status > 0:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no word")
        # Python's own error: of the harness or its installation, not of the model.
        return _End(f"ended with status {status}: {last[:300]}", says_something=False)
    return _End(f"crashed ({signal_name(status)})", is_crash=True)


def _read(reply: Path) -> Reply | None:
    try:
        return Reply.model_validate_json(reply.read_bytes())
    except (OSError, ValidationError):
        return None
