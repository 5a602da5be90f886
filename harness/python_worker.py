"""How a module of the harness is run as a process of its own: what engines crash there takes nothing else with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[1]


def worker_command(module: str, *arguments: str | Path) -> list[str]:
    """The command that runs ``module``."""
    # -P: a file beside the user's model must not stand in for one of Python's modules, or of ours.
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def worker_environment(**settings: str) -> dict[str, str]:
    """This process's environment with the harness findable; ``settings`` hold where the user has none of that name."""
    environment = {**settings, **os.environ}
    # What is installed is found anyway, and must not come before the standard library.
    if _PACKAGE_ROOT.name not in ("site-packages", "dist-packages"):
        paths = [str(_PACKAGE_ROOT), environment.get("PYTHONPATH")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return environment


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End ``process``, started in a session of its own, with all that it started; nothing where it has ended."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
    process.wait()


def signal_name(status: int) -> str:
    """``SIGSEGV`` for the exit status −11 of a process that a signal ended; ``signal 99`` for one without a name."""
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
