"""The memory of a process that counts against its limit."""

from __future__ import annotations

import platform
from pathlib import Path

_KIB = 1024


def footprint_bytes(pid: int) -> int | None:
    """Anonymous and swapped-out memory of a process: on Linux what comes nearest to a phone's ``phys_footprint``.

    Clean pages of mapped files count on neither. On macOS the resident size, which does count them.
    ``None`` where the process is gone.
    """
    if platform.system() == "Linux":
        try:
            status = Path(f"/proc/{pid}/status").read_bytes()
        except OSError:
            return None
        figures = [_kib(status, name) for name in (b"\nRssAnon:", b"\nVmSwap:")]
        return None if figures[0] is None else sum(figure or 0 for figure in figures) * _KIB
    return _resident_bytes(pid)


def _kib(status: bytes, name: bytes) -> int | None:
    """A figure of ``/proc/<pid>/status`` (proc(5)); a zombie has none."""
    at = status.find(name)
    return None if at < 0 else int(status[at + len(name) :].split(None, 1)[0])


def _resident_bytes(pid: int) -> int | None:
    import subprocess

    answer = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False)
    text = answer.stdout.strip()
    return int(text) * _KIB if text else None
