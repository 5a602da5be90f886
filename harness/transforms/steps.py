"""The steps as the host runs them: each in a worker process, so that a crash of TensorFlow is one error.

Importing this module imports neither numpy nor TensorFlow.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.errors import ModelError, UsageError
from harness.python_worker import signal_name, worker_command, worker_environment
from harness.transforms.requests import Answer, Reply, Request

LONGEST_S: Final = 1800.0

_LAST_WORDS: Final = 600


def run_step(request: Request, *, timeout_s: float = LONGEST_S) -> Answer:
    """Run one step in a process of its own and return what it did.

    Raises:
        ModelError: the step refused the graph, TensorFlow crashed (the signal is named), or it took longer than
            ``timeout_s``.
        UsageError: a setting of the request is out of its range.
    """
    with tempfile.TemporaryDirectory(prefix="harness-step-") as folder:
        request_path, reply_path = Path(folder) / "request.json", Path(folder) / "reply.json"
        request_path.write_text(request.model_dump_json(), encoding="utf-8")
        error_path = Path(folder) / "stderr"
        with error_path.open("wb") as errors:
            try:
                ended = subprocess.run(
                    worker_command("harness.transforms.worker", request_path, reply_path),
                    env=worker_environment(TF_CPP_MIN_LOG_LEVEL="2", CUDA_VISIBLE_DEVICES="-1"),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    timeout=timeout_s,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise ModelError(
                    f"the step {request.step!r} did not end within {timeout_s:.0f} s",
                    where=request.graph,
                    next_step="Check that the machine is not out of memory, or allow more time.",
                ) from None
        if ended.returncode != 0 or not reply_path.is_file():
            raise _crash(request, ended.returncode, error_path)
        return _answer(reply_path, request)


def _crash(request: Request, status: int, error_path: Path) -> ModelError:
    text = error_path.read_text(encoding="utf-8", errors="replace").strip()
    how = signal_name(status) if status < 0 else f"exit status {status}"
    last = text[-_LAST_WORDS:].strip().splitlines()[-1:] if text else []
    words = f": {last[0]}" if last else ""
    memory = signal_name(status) == "SIGKILL"
    return ModelError(
        f"the step {request.step!r} crashed with {how}{words}",
        where=request.graph,
        next_step="The machine may be out of memory: close other programs and try again."
        if memory
        else "The graph makes TensorFlow crash: check that the file is whole, and leave out this step.",
    )


def _answer(reply_path: Path, request: Request) -> Answer:
    try:
        reply = Reply.model_validate_json(reply_path.read_bytes())
    except ValidationError as problem:
        raise ModelError(
            f"the step {request.step!r} wrote a reply that cannot be read ({problem.error_count()} problems)",
            where=request.graph,
            next_step="Check that the disk has room, and try again.",
        ) from None
    if reply.refusal is not None:
        kind = UsageError if reply.refusal.kind == "usage" else ModelError
        raise kind(reply.refusal.problem, where=reply.refusal.where, next_step=reply.refusal.next_step)
    assert reply.answer is not None
    return reply.answer
