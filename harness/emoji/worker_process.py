"""Runs a worker of this package as a process of its own: TensorFlow stays out of this one, and its crash is an error.

A worker is told its request as JSON on standard input and says one JSON object a line on standard output; a line with
``problem`` and ``next_step`` is an error of the user's.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO, Any, Final

from harness.core.value import Value
from harness.errors import BuildError, InputError
from harness.python_worker import signal_name, worker_command, worker_environment

_LAST_WORDS: Final = 400


def messages(worker: str, request: Value) -> Iterator[dict[str, Any]]:
    """What ``harness.emoji.<worker>`` says while it carries out ``request``. It ends when the iterator is closed.

    Raises:
        InputError: the worker refused the request.
        BuildError: it crashed or was killed.
    """
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            worker_command(f"harness.emoji.{worker}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A file: a pipe that nobody reads while the other is read would fill up and stop the process.
            stderr=words,
            env=worker_environment(TF_CPP_MIN_LOG_LEVEL="2"),
            # Ctrl-C reaches this process, which then ends the worker.
            start_new_session=True,
        )
        try:
            assert process.stdin is not None and process.stdout is not None
            with process.stdin as asked:
                asked.write(request.model_dump_json().encode())
            with process.stdout as lines:
                for line in lines:
                    message = json.loads(line)
                    if "problem" in message:
                        raise InputError(message["problem"], next_step=message["next_step"])
                    yield message
            if status := process.wait():
                raise _death(worker, status, words)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _death(worker: str, status: int, words: IO[bytes]) -> BuildError:
    words.seek(0)
    lines = words.read().decode(errors="replace").strip().splitlines()
    said = f": {lines[-1][-_LAST_WORDS:]}" if lines else ""
    how = f"crashed ({signal_name(status)})" if status < 0 else f"ended with status {status}"
    return BuildError(
        f"the {worker.replace('_', ' ')} {how}{said}",
        next_step="Free memory and run the command again."
        if signal_name(status) == "SIGKILL"
        else "Run the command again; if it repeats, leave out what it was doing then.",
    )
