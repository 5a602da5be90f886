"""Starts the inspection worker, waits for it, and puts its death into words.

Importing this module imports neither numpy nor TensorFlow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.core.op_check import Proof
from harness.errors import ModelError
from harness.variants.inspection_requests import Inspect, Reply, Request

LONGEST_S: Final = 600.0

_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]


def ask(request: Request, *, timeout_s: float = LONGEST_S) -> Reply:
    """Carry out ``request`` in a process of its own.

    A check whose conversion crashes, or a .tflite that crashes the runtime, is an answer: its proof is refused.

    Raises:
        ModelError: the worker refused the model, or crashed or took longer than ``timeout_s`` before it knew its ops.
    """
    with tempfile.TemporaryDirectory(prefix="harness-inspection-") as folder:
        request_path, reply_path = Path(folder) / "request.json", Path(folder) / "reply.json"
        request_path.write_text(request.model_dump_json(), encoding="utf-8")
        end = _run(request_path, reply_path, timeout_s)
        reply = _read(reply_path)
    if reply is not None and reply.refusal is not None:
        raise ModelError(reply.refusal.problem, where=reply.refusal.where, next_step=reply.refusal.next_step)
    if end is None and reply is not None:
        return reply
    words = end or "left no answer"
    # Out of time says nothing of the model; a crash does.
    proof = Proof(
        outcome="not tried" if "within" in words else "refused",
        reason=f"the {'conversion' if request.task == 'check' else 'loading'} {words}",
    )
    if reply is not None and reply.ops is not None:
        return Reply(ops=reply.ops.model_copy(update={"proof": proof}))
    if not isinstance(request, Inspect) and request.task == "load":
        return Reply(proof=proof)
    raise ModelError(
        f"looking into it {words}",
        where=request.path,
        next_step="Check that the file is whole and the machine not out of memory; then export the model again.",
    )


def _run(request: Path, reply: Path, timeout_s: float) -> str | None:
    """How the process ended, where it did not end well."""
    process = subprocess.Popen(
        # -P: a file beside the user's model must not stand in for one of Python's modules.
        [sys.executable, "-P", "-m", "harness.variants.inspection_worker", str(request), str(reply)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        # Its own group: killing it reaches its children.
        start_new_session=True,
    )
    try:
        status = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return f"did not end within {timeout_s:g} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if status == 0:
        return None
    if status > 0:
        return f"ended with status {status}"
    try:
        return f"crashed ({signal.Signals(-status).name})"
    except ValueError:
        return f"crashed (signal {-status})"


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]))
    return {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", **os.environ, "PYTHONPATH": path}


def _read(reply: Path) -> Reply | None:
    try:
        return Reply.model_validate_json(reply.read_bytes())
    except (OSError, ValidationError):
        return None
