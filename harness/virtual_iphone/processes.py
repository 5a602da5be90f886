"""The apps that run: real processes of this machine, watched for memory as the system watches them on a phone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.virtual_iphone.apps import InstalledApp
from harness.virtual_iphone.faults import AppCrash, AppHang, Fault, Jetsam
from harness.virtual_iphone.footprint import footprint_bytes

if TYPE_CHECKING:
    from harness.virtual_iphone.phone import Phone

# Of util-linux: where it is missing, an app outlives a phone that was killed, until its job is over.
_SETPRIV = shutil.which("setpriv") if platform.system() == "Linux" else None
_WATCH_INTERVAL_S = 0.01
_STEADY_SAMPLES = b'"phase":"steady"'
_LINE_LIMIT_BYTES = 64 * 1024

RefusalReason = Literal["not-installed", "locked", "untrusted-developer", "cannot-run"]
EndReason = Literal["exit", "signal", "killed-by-host", "jetsam", "watchdog", "phone-stopped"]


class LaunchRefusedError(Exception):
    """The phone does not start the app, for ``reason``."""

    def __init__(self, reason: RefusalReason, bundle_id: str) -> None:
        super().__init__(f"{bundle_id}: {reason}")
        self.reason = reason
        self.bundle_id = bundle_id


@dataclass(frozen=True)
class ProcessEnd:
    """How a process ended: ``exit_code`` or ``signal_number``, and what brought it about."""

    pid: int
    bundle_id: str
    exit_code: int | None
    signal_number: int | None
    reason: EndReason


@dataclass(eq=False)
class AppProcess:
    """A running app. ``ended`` is set once the process is gone and its crash report, if any, is on its way."""

    app: InstalledApp
    pid: int
    arguments: tuple[str, ...]
    started_unix_ns: int
    process: asyncio.subprocess.Process
    ended: asyncio.Future[ProcessEnd]
    peak_footprint_bytes: int = 0
    ending: EndReason | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.app.executable_name

    def footprint_bytes(self) -> int | None:
        """The memory that counts against the limit, now; ``None`` once the process is gone."""
        return footprint_bytes(self.pid)


EndListener = Callable[[ProcessEnd], None]
OutputListener = Callable[[AppProcess, bytes], None]


class Processes:
    """Launches apps, watches them, ends them, and tells who listens."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._running: dict[int, AppProcess] = {}
        self._end_listeners: set[EndListener] = set()
        self._output_listeners: set[OutputListener] = set()
        self._are_suspended = False
        self._next_strike: AppCrash | AppHang | Jetsam | None = None

    def running(self) -> list[AppProcess]:
        return list(self._running.values())

    def find(self, pid: int) -> AppProcess | None:
        return self._running.get(pid)

    def of_app(self, bundle_id: str) -> list[AppProcess]:
        return [process for process in self._running.values() if process.app.bundle_id == bundle_id]

    def on_end(self, listener: EndListener) -> Callable[[], None]:
        """Call ``listener`` with every end of a process; returns what takes it back."""
        self._end_listeners.add(listener)
        return lambda: self._end_listeners.discard(listener)

    def on_output(self, listener: OutputListener) -> Callable[[], None]:
        """Call ``listener`` with every line that an app prints; returns what takes it back."""
        self._output_listeners.add(listener)
        return lambda: self._output_listeners.discard(listener)

    async def launch(
        self,
        bundle_id: str,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        *,
        kill_existing: bool = True,
        start_suspended: bool = False,
    ) -> AppProcess:
        """Start the app; an instance that runs is ended first, or returned where ``kill_existing`` is false.

        Raises:
            LaunchRefusedError: the phone does not start it.
        """
        phone = self._phone
        app = phone.apps.find(bundle_id)
        if app is None:
            raise LaunchRefusedError("not-installed", bundle_id)
        if phone.is_locked:
            raise LaunchRefusedError("locked", bundle_id)
        if not phone.trusts_developer:
            raise LaunchRefusedError("untrusted-developer", bundle_id)
        command = phone.setup.programs.command(app, arguments, phone.identity, phone.conditions_file)
        if command is None:
            raise LaunchRefusedError("cannot-run", bundle_id)
        for existing in self.of_app(bundle_id):
            if not kill_existing:
                return existing
            await self.kill(existing.pid)
        process = await self._start(app, tuple(arguments), command, environment or {}, start_suspended)
        phone.log.write("SpringBoard", 1, f"launched {bundle_id} as {process.pid} {' '.join(arguments)}")
        phone.happened("launch")
        if self._next_strike is not None:
            strike, self._next_strike = self._next_strike, None
            self._strike(process, strike)
        return process

    async def kill(self, pid: int, reason: EndReason = "killed-by-host") -> ProcessEnd | None:
        """End a process for good; ``None`` where there is none of that number."""
        process = self._running.get(pid)
        if process is None:
            return None
        self._end(process, signal.SIGKILL, reason)
        return await asyncio.shield(process.ended)

    def send_signal(self, pid: int, number: int) -> bool:
        """Send a signal as a debugger would; whether there is such a process."""
        process = self._running.get(pid)
        if process is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return True

    def strike(self, fault: AppCrash | AppHang | Jetsam) -> None:
        """Let the fault happen to the app that runs, or to the next one."""
        if not self._running:
            self._next_strike = fault
        for process in self.running():
            self._strike(process, fault)

    def spare(self, kind: type[Fault] | None) -> None:
        """Take back what was to happen to the next app, where it is a fault of ``kind`` (``None``: any)."""
        if kind is None or isinstance(self._next_strike, kind):
            self._next_strike = None

    def suspend(self, *, suspended: bool) -> None:
        """Stop all apps where they are, or let them go on."""
        if suspended != self._are_suspended:
            self._are_suspended = suspended
            for process in self.running():
                self.send_signal(process.pid, signal.SIGSTOP if suspended else signal.SIGCONT)

    async def stop(self) -> None:
        """End all of them."""
        await asyncio.gather(*(self.kill(process.pid, "phone-stopped") for process in self.running()))

    async def _start(
        self,
        app: InstalledApp,
        arguments: tuple[str, ...],
        command: list[str],
        environment: Mapping[str, str],
        start_suspended: bool,
    ) -> AppProcess:
        if start_suspended:
            # The shell stops itself and becomes the program once it is continued: the pid stays.
            command = ["/bin/sh", "-c", 'kill -STOP $$; exec "$0" "$@"', *command]
        if _SETPRIV is not None:
            # A phone that is killed takes its apps with it. setpriv becomes the command, so the pid is the app's.
            command = [_SETPRIV, "--pdeathsig", "KILL", *command]
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=app.container,
            env={**_inherited(), **environment, **self._home(app)},
            limit=_LINE_LIMIT_BYTES,
            # Ctrl-C in the terminal is for the phone, which ends its apps itself.
            start_new_session=True,
        )
        process = AppProcess(
            app=app,
            pid=child.pid,
            arguments=arguments,
            started_unix_ns=time.time_ns(),
            process=child,
            ended=asyncio.get_running_loop().create_future(),
        )
        self._running[child.pid] = process
        process.tasks = [
            asyncio.create_task(self._relay_output(process)),
            asyncio.create_task(self._watch(process)),
            asyncio.create_task(self._await_end(process)),
        ]
        return process

    def _home(self, app: InstalledApp) -> dict[str, str]:
        return {
            "HOME": str(app.container),
            "CFFIXED_USER_HOME": str(app.container),
            "TMPDIR": str(app.container / "tmp"),
            "VIRTUAL_IPHONE_PORTS": str(self._phone.folders.ports),
        }

    async def _relay_output(self, process: AppProcess) -> None:
        assert process.process.stdout is not None
        while line := await _next_line(process.process.stdout):
            self._phone.log.write(process.name, process.pid, line.decode("utf-8", "replace").rstrip("\n"))
            for listener in list(self._output_listeners):
                listener(process, line)

    async def _watch(self, process: AppProcess) -> None:
        """Hold the process to its memory limit, and tell when its first steady samples are written."""
        logs = process.app.container / "Documents" / "inbox" / "jobs"
        sampled = False
        while True:
            footprint = footprint_bytes(process.pid)
            if footprint is None:
                return
            process.peak_footprint_bytes = max(process.peak_footprint_bytes, footprint)
            if footprint > self._phone.memory_limit_bytes:
                self._jetsam(process)
                return
            if not sampled and self._phone.faults.is_waiting_for("sample"):
                sampled = await asyncio.to_thread(_has_new_samples, logs, process.started_unix_ns)
                if sampled:
                    self._phone.happened("sample")
            await asyncio.sleep(_WATCH_INTERVAL_S)

    async def _await_end(self, process: AppProcess) -> None:
        status = await process.process.wait()
        # The pipe is closed by now: what the app printed is told before its end.
        await process.tasks[0]
        process.tasks[1].cancel()
        del self._running[process.pid]
        end = ProcessEnd(
            pid=process.pid,
            bundle_id=process.app.bundle_id,
            exit_code=status if status >= 0 else None,
            signal_number=-status if status < 0 else None,
            reason=process.ending or ("exit" if status >= 0 else "signal"),
        )
        self._phone.log.write("SpringBoard", 1, f"{end.bundle_id} ({end.pid}) ended: {end.reason} {status}")
        self._phone.crash_reports.report_end(process, end, self._phone.memory_limit_bytes)
        process.ended.set_result(end)
        self._phone.happened("exit")
        for listener in list(self._end_listeners):
            listener(end)

    def _strike(self, process: AppProcess, fault: AppCrash | AppHang | Jetsam) -> None:
        if isinstance(fault, AppCrash):
            self.send_signal(process.pid, signal.Signals[fault.signal])
        elif isinstance(fault, Jetsam):
            self._jetsam(process)
        else:
            self.send_signal(process.pid, signal.SIGSTOP)
            if fault.watchdog_s is not None:
                asyncio.get_running_loop().call_later(
                    fault.watchdog_s, self._end, process, signal.SIGKILL, "watchdog"
                )

    def _jetsam(self, process: AppProcess) -> None:
        process.peak_footprint_bytes = max(process.peak_footprint_bytes, process.footprint_bytes() or 0)
        self._end(process, signal.SIGKILL, "jetsam")

    def _end(self, process: AppProcess, number: int, reason: EndReason) -> None:
        if process.pid in self._running:
            process.ending = reason
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _inherited() -> dict[str, str]:
    """What a process needs of this machine, and nothing that tells it who started it."""
    names = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "LANG")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {"PATH": os.defpath, **kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


async def _next_line(output: asyncio.StreamReader) -> bytes:
    """The next line, or a piece of one that is too long; empty at the end."""
    try:
        return await output.readuntil(b"\n")
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as overrun:
        return await output.read(overrun.consumed)


def _has_new_samples(jobs: Path, since_unix_ns: int) -> bool:
    for log in jobs.glob("*/events.jsonl"):
        with contextlib.suppress(OSError):
            if log.stat().st_mtime_ns >= since_unix_ns and _STEADY_SAMPLES in log.read_bytes():
                return True
    return False
