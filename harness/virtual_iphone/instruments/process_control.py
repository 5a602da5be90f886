"""``processcontrol``: launches and ends apps, and tells the client what they print and how they end."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable
from typing import Any

from harness.virtual_iphone.instruments.channel_service import SelectorService, selector
from harness.virtual_iphone.instruments.dtx_connection import CallError, Channel
from harness.virtual_iphone.instruments.keyed_archive import NSError
from harness.virtual_iphone.instruments.launch_errors import launch_error
from harness.virtual_iphone.instruments.mach_clock import mach_ticks
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.processes import AppProcess, LaunchRefusedError, ProcessEnd
from harness.virtual_iphone.streams import StreamEndedError

IDENTIFIER = "com.apple.instruments.server.services.processcontrol"

_LAUNCH = "launchSuspendedProcessWithDevicePath:bundleIdentifier:environment:arguments:options:"
_OUTPUT_RECEIVED = "outputReceived:fromProcess:atTime:"
_TERMINATED = "processWithPID:terminatedWithExitCode:orCrashingSignal:"
_POSIX_DOMAIN = "NSPOSIXErrorDomain"
_NO_SUCH_PROCESS = 3
_INVALID_ARGUMENT = 22
# Lines for a client that does not read: beyond them the oldest go, as from any log.
_MAX_WAITING_CALLS = 1024


class ProcessControl(SelectorService):
    """One channel of process control. It follows the processes that it launched or was asked to observe."""

    def __init__(self, channel: Channel, phone: Phone) -> None:
        self._channel = channel
        self._phone = phone
        self._launched: set[int] = set()
        self._observed: set[int] = set()
        self._calls: deque[tuple[str, tuple[object, ...]]] = deque(maxlen=_MAX_WAITING_CALLS)
        self._something_waits = asyncio.Event()
        self._speaker = asyncio.create_task(self._speak(), name="processcontrol")
        self._unsubscribe: list[Callable[[], None]] = [
            phone.processes.on_output(self._printed),
            phone.processes.on_end(self._ended),
        ]

    async def close(self) -> None:
        """The channel is gone; the apps it launched run on, as on a phone."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._speaker.cancel()
        await asyncio.gather(self._speaker, return_exceptions=True)

    @selector(_LAUNCH, str, str, dict, list, dict)
    async def launch(
        self,
        device_path: str,
        bundle_id: str,
        environment: dict[Any, Any],
        arguments: list[Any],
        options: dict[Any, Any],
    ) -> int:
        del device_path  # for executables outside of any app, which this phone has none of
        try:
            process = await self._phone.processes.launch(
                bundle_id,
                [str(argument) for argument in arguments],
                {str(name): str(value) for name, value in environment.items()},
                kill_existing=bool(options.get("KillExisting", False)),
                start_suspended=bool(options.get("StartSuspendedKey", False)),
            )
        except LaunchRefusedError as refused:
            raise CallError(launch_error(refused)) from None
        except (ValueError, OSError) as error:
            # Arguments or variables that no process can have: too long, or with a zero byte in them.
            raise CallError(NSError.described(_POSIX_DOMAIN, _INVALID_ARGUMENT, str(error))) from None
        # Nothing was awaited since the process started: not a line of it has been read yet.
        self._launched.add(process.pid)
        return process.pid

    @selector("killPid:", int)
    async def kill(self, pid: int) -> None:
        await self._phone.processes.kill(pid)

    @selector("sendSignal:toPid:", int, int)
    async def send_signal(self, number: int, pid: int) -> None:
        if number == signal.SIGKILL:
            if await self._phone.processes.kill(pid) is None:
                raise CallError(_no_such_process(pid))
        elif not 0 < number < signal.NSIG:
            raise CallError(NSError.described(_POSIX_DOMAIN, _INVALID_ARGUMENT, f"{number} is no signal"))
        elif not self._phone.processes.send_signal(pid, number):
            raise CallError(_no_such_process(pid))

    @selector("suspendPid:", int)
    async def suspend(self, pid: int) -> None:
        await self.send_signal(signal.SIGSTOP, pid)

    @selector("resumePid:", int)
    async def resume(self, pid: int) -> None:
        await self.send_signal(signal.SIGCONT, pid)

    @selector("startObservingPid:", int)
    async def start_observing(self, pid: int) -> None:
        if self._phone.processes.find(pid) is None:
            raise CallError(_no_such_process(pid))
        self._observed.add(pid)

    @selector("stopObservingPid:", int)
    async def stop_observing(self, pid: int) -> None:
        self._observed.discard(pid)

    @selector("processIdentifierForBundleIdentifier:", str)
    async def process_identifier(self, bundle_id: str) -> int:
        return next((process.pid for process in self._phone.processes.of_app(bundle_id)), 0)

    @selector("isPidDebuggable:", int)
    async def is_debuggable(self, pid: int) -> bool:
        process = self._phone.processes.find(pid)
        return process is not None and process.app.is_development_signed

    def _printed(self, process: AppProcess, line: bytes) -> None:
        if process.pid in self._launched:
            self._say(_OUTPUT_RECEIVED, line.decode("utf-8", "replace"), process.pid, mach_ticks())

    def _ended(self, end: ProcessEnd) -> None:
        if end.pid in self._observed:
            self._observed.discard(end.pid)
            self._say(_TERMINATED, end.pid, end.exit_code, end.signal_number)

    def _say(self, selector: str, *arguments: object) -> None:
        self._calls.append((selector, arguments))
        self._something_waits.set()

    async def _speak(self) -> None:
        """Send what is to be said, in order; listeners must not wait for a client."""
        try:
            while True:
                await self._something_waits.wait()
                self._something_waits.clear()
                while self._calls:
                    name, arguments = self._calls.popleft()
                    await self._channel.call(name, *arguments)
        except StreamEndedError:
            pass  # the connection ends, and with it this channel


def _no_such_process(pid: int) -> NSError:
    return NSError.described(_POSIX_DOMAIN, _NO_SUCH_PROCESS, f"No process with the identifier {pid}")
