"""Child processes, timed from start to end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.errors import RunError


class Finished(NamedTuple):
    """A process that ended; ``started_unix_ns`` is when it was started."""

    wall_ns: int
    started_unix_ns: int
    output: str


def timed(
    command: Sequence[str | Path], *, folder: Path | None = None, statuses: Collection[int] = (0,)
) -> Finished:
    """Run ``command`` and time it.

    Raises:
        RunError: it ended with none of ``statuses``; the end of what it said is in the message.
    """
    started_unix_ns = time.time_ns()
    before_ns = time.monotonic_ns()
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        env=_environment(),
        check=False,
    )
    wall_ns = time.monotonic_ns() - before_ns
    if done.returncode not in statuses:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise RunError(
            f"ended with status {done.returncode}: {said or 'it said nothing'}",
            where=" ".join(str(word) for word in command[:4]),
            next_step="Run that command by itself.",
        )
    return Finished(wall_ns, started_unix_ns, done.stdout)


def _environment() -> dict[str, str]:
    # Python keeps compiled modules by default, and so it is measured; containers often turn that off.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
