"""One harness at a time works on a phone; the second one is told who does."""

from __future__ import annotations

import getpass
import os
import platform
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from harness.core.value import Value
from harness.errors import TargetBusyError, TargetError
from harness.wire.strict_json import parse_object


class Holder(Value):
    """Who holds a phone, and for what."""

    pid: int
    user: str
    host: str
    run: str
    since_unix_ns: int


class PhoneLock:
    """A lock file in ``folder``, held by the system for this process: it is free when the process is gone.

    Who holds it stands in a file beside it, which can be read while it is held.
    """

    def __init__(self, folder: Path, udid: str, run: str) -> None:
        name = re.sub(r"[^0-9A-Za-z-]", "_", udid)
        self._holder_path = folder / f"{name}.holder.json"
        # Every user of this machine may take the lock, so every user may write the file.
        self._lock = FileLock(folder / f"{name}.lock", blocking=False, mode=0o666)
        self._udid = udid
        self._run = run

    def acquire(self) -> None:
        """Take the phone; nothing happens where it is held already.

        Raises:
            TargetBusyError: another harness holds it.
            TargetError: the lock file cannot be opened.
        """
        if self._lock.is_locked:
            return
        folder = self._holder_path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(PermissionError):
                folder.chmod(0o1777)
            self._lock.acquire()
        except Timeout:
            raise TargetBusyError(
                f"another harness works on this phone: {_holder(self._holder_path)}",
                where=self._udid,
                next_step="Wait for it, end it, or name another phone: --target iphone:UDID.",
            ) from None
        except OSError as problem:
            raise TargetError(
                f"the phone's lock file cannot be opened: {problem.strerror}",
                where=str(self._lock.lock_file),
                next_step="Remove the file, or let its owner make it writable.",
            ) from None
        with suppress(OSError):
            holder = Holder(
                pid=os.getpid(),
                user=_user(),
                host=platform.node(),
                run=self._run,
                since_unix_ns=time.time_ns(),
            )
            # In place: in a folder of all users' only its owner could replace it.
            self._holder_path.write_text(holder.model_dump_json(), encoding="utf-8")
            self._holder_path.chmod(0o666)

    def release(self) -> None:
        if self._lock.is_locked:
            with suppress(OSError):
                self._holder_path.write_text("", encoding="utf-8")
            self._lock.release()


def lock_folder() -> Path:
    """Where locks on phones lie: one place for all users of this machine."""
    return Path(tempfile.gettempdir()) / "harness-phones"


def _holder(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
        parse_object(text)
        holder = Holder.model_validate_json(text)
    except (OSError, ValueError):
        return "it has not said who it is"
    minutes = max(0, time.time_ns() - holder.since_unix_ns) // 60_000_000_000
    return f"process {holder.pid} of {holder.user} on {holder.host}, run {holder.run}, for {minutes} min"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "an unknown user"
