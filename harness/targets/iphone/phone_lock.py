"""One harness at a time works on a phone; the second one is told who does."""

from __future__ import annotations

import fcntl
import getpass
import os
import platform
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from harness.core.value import Value
from harness.errors import TargetError
from harness.wire.strict_json import parse_object


class Holder(Value):
    """Who holds a phone, and for what."""

    pid: int
    user: str
    host: str
    run: str
    since_unix_ns: int


class PhoneLock:
    """A lock file in ``folder``, held by the kernel for this process: it is free when the process is gone."""

    def __init__(self, folder: Path, udid: str, run: str) -> None:
        self._path = folder / f"{re.sub(r'[^0-9A-Za-z-]', '_', udid)}.lock"
        self._udid = udid
        self._run = run
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the phone; nothing happens where it is held already.

        Raises:
            TargetError: another harness holds it.
        """
        if self._file is not None:
            return
        file = self._open()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = _holder(file.read(4096))
            file.close()
            raise TargetError(
                f"another harness works on this phone: {holder}",
                where=self._udid,
                next_step="Wait for it, end it, or name another phone: --target iphone:UDID.",
            ) from None
        file.truncate(0)
        file.write(
            Holder(
                pid=os.getpid(),
                user=_user(),
                host=platform.node(),
                run=self._run,
                since_unix_ns=time.time_ns(),
            ).model_dump_json()
        )
        file.flush()
        self._file = file

    def _open(self) -> IO[str]:
        """Every user of this machine may take the lock, so every user may write the file."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(PermissionError):
                self._path.parent.chmod(0o1777)
            file = self._path.open("a+", encoding="utf-8")
            with suppress(PermissionError):
                self._path.chmod(0o666)
        except OSError as problem:
            raise TargetError(
                f"the phone's lock file cannot be opened: {problem.strerror}",
                where=str(self._path),
                next_step="Remove the file, or let its owner make it writable.",
            ) from None
        return file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def lock_folder() -> Path:
    """Where locks on phones lie: one place for all users of this machine."""
    return Path(tempfile.gettempdir()) / "harness-phones"


def _holder(text: str) -> str:
    try:
        parse_object(text)
        holder = Holder.model_validate_json(text)
    except ValueError:
        return "it has not said who it is"
    minutes = max(0, time.time_ns() - holder.since_unix_ns) // 60_000_000_000
    return f"process {holder.pid} of {holder.user} on {holder.host}, run {holder.run}, for {minutes} min"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
