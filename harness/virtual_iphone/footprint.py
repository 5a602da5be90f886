"""The memory of a process that counts against its limit."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

_KIB = 1024
# A UUID of two words, then words: user, system, two kinds of wake-ups, page-ins, wired, resident, footprint, …
_RUSAGE_WORDS = 16
_PHYS_FOOTPRINT_WORD = 9


def footprint_bytes(pid: int) -> int | None:
    """Anonymous and swapped-out memory of a process: on Linux what comes nearest to a phone's ``phys_footprint``.

    Clean pages of mapped files count on neither. On macOS it is ``phys_footprint`` itself.
    ``None`` where the process is gone.
    """
    if platform.system() == "Linux":
        try:
            status = Path(f"/proc/{pid}/status").read_bytes()
        except OSError:
            return None
        figures = [_kib(status, name) for name in (b"\nRssAnon:", b"\nVmSwap:")]
        return None if figures[0] is None else sum(figure or 0 for figure in figures) * _KIB
    return _darwin_footprint_bytes(pid)


def _kib(status: bytes, name: bytes) -> int | None:
    """A figure of ``/proc/<pid>/status`` (proc(5)); a zombie has none."""
    at = status.find(name)
    return None if at < 0 else int(status[at + len(name) :].split(None, 1)[0])


def _darwin_footprint_bytes(pid: int) -> int | None:
    """``ri_phys_footprint`` of ``proc_pid_rusage`` (Apple's libproc.h and sys/resource.h, ``rusage_info_v0``)."""
    usage = (ctypes.c_uint64 * _RUSAGE_WORDS)()
    library = ctypes.CDLL(None, use_errno=True)
    if library.proc_pid_rusage(pid, 0, ctypes.byref(usage)) != 0:
        return None
    return int(usage[_PHYS_FOOTPRINT_WORD])
