"""Developer services: launching the app, hearing how it ended, killing it, and its memory as the system counts it.

Up to iOS 16 they answer over lockdown; from 17.4 on over a tunnel that runs in this process without root. There is
one such tunnel in a process, which is one reason for one worker a phone.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from pymobiledevice3.dtx import dtx_on_invoke
from pymobiledevice3.dtx_service import DtxService
from pymobiledevice3.lockdown import UsbmuxLockdownClient
from pymobiledevice3.services.dvt.instruments.device_info import DeviceInfo
from pymobiledevice3.services.dvt.instruments.dvt_provider import DvtProvider
from pymobiledevice3.services.dvt.instruments.process_control import ProcessControlService
from pymobiledevice3.services.dvt.instruments.sysmontap import Sysmontap

from harness.core.value import Value
from harness.targets.iphone.checks import Route, launch_route
from harness.targets.iphone.device.connect import developer_mode, image_mounted
from harness.targets.iphone.device.limits import within
from harness.targets.iphone.trouble import PhoneTrouble, Trouble

_OPEN_S = 30.0
SYSMONTAP_MS = 1000
_SIGKILL = 9


class ProcessEnd(Value):
    """How a process ended: an exit status, or the signal that ended it."""

    pid: int
    exit_status: int | None = None
    signal: int | None = None


class _WatchedProcesses(ProcessControlService):
    """The library only logs that a process ended; here it is kept for whoever waits."""

    def __init__(self, ctx: Any) -> None:
        super().__init__(ctx)
        self.ends: dict[int, ProcessEnd] = {}
        self.heard = asyncio.Event()

    @dtx_on_invoke("processWithPID:terminatedWithExitCode:orCrashingSignal:")
    async def _on_process_terminated(self, pid: Any, exit_code: Any, crashing_signal: Any) -> None:
        number = _whole(pid)
        if number is not None:
            signal = _whole(crashing_signal) or None
            self.ends[number] = ProcessEnd(
                pid=number, exit_status=None if signal else _whole(exit_code), signal=signal
            )
            self.heard.set()

    def on_closed(self, reason: str = "") -> None:
        self.heard.set()
        super().on_closed(reason)


class _ProcessControl(DtxService[_WatchedProcesses]):
    pass


class Developer:
    """An open connection to the developer services of one phone."""

    def __init__(self, provider: DvtProvider, tunnel: Any, answer_s: float) -> None:
        self._provider = provider
        # A ``UserspaceRsdTunnel``, or nothing.
        self._tunnel = tunnel
        self._answer_s = answer_s
        self._control = _ProcessControl(provider)
        self._info = DeviceInfo(provider)
        self._sampling: asyncio.Task[None] | None = None
        self.footprints: list[int] = []
        """``physFootprint`` of the sampled process in bytes, one a second."""

    @classmethod
    async def open(cls, client: UsbmuxLockdownClient, udid: str, answer_s: float) -> Developer:
        """Raises ``PhoneTrouble``: why launching is not possible here, told apart by asking the phone."""
        route = launch_route(client.product_version)
        if route is None:
            raise PhoneTrouble(
                Trouble.UNSUPPORTED_IOS,
                f"on iOS {client.product_version} apps are launched only over a privileged tunnel",
            )
        await _require_developer_services(client)
        tunnel = None
        provider: Any = client
        if route is Route.TUNNEL:
            # Only where it is needed: it brings a TCP/IP stack.
            from pymobiledevice3.remote.userspace_tunnel import UserspaceRsdTunnel

            tunnel = UserspaceRsdTunnel(serial=udid, autopair=False, remotepairing_fallback=False)
            provider = await within(_OPEN_S, "open the tunnel", tunnel.aopen())
        dvt = DvtProvider(provider)
        developer = cls(dvt, tunnel, answer_s)
        try:
            await within(
                _OPEN_S, "reach the developer services", developer._control.connect(), developer._abort
            )
        except BaseException:
            await developer.close()
            raise
        return developer

    async def launch(self, bundle_id: str, arguments: list[str], *, suspended: bool = False) -> int:
        """The process id. An instance that runs already is killed first.

        Raises:
            PhoneTrouble: ``LOCKED``, ``DEVELOPER_UNTRUSTED``, ``RUNNER_MISSING``, or refused otherwise.
        """
        service = self._control.service
        start = (
            service.launch_suspended_process_with_device_path_bundle_identifier_environment_arguments_options_
        )
        service.heard.clear()
        pid = await within(
            self._answer_s,
            "launch the runner",
            start("", bundle_id, {}, arguments, {"StartSuspendedKey": suspended, "KillExisting": True}),
            self._abort,
        )
        if not pid or pid < 0:
            raise PhoneTrouble(Trouble.REFUSED, "the phone launched the runner without a process id")
        with suppress(PhoneTrouble):
            # Some releases tell of the end without being asked; a process that is gone already cannot be observed.
            await within(self._answer_s, "watch the runner", service.startObservingPid_(pid), self._abort)
        return pid

    async def kill(self, pid: int) -> None:
        with suppress(PhoneTrouble):
            await within(
                self._answer_s,
                "end the runner",
                self._control.service.send_signal_to_pid_(_SIGKILL, pid),
                self._abort,
            )

    def end_of(self, pid: int) -> ProcessEnd | None:
        """How the process ended, if the phone told."""
        return self._control.service.ends.get(pid)

    async def wait(self, seconds: float) -> None:
        """Until the phone tells of an end, ``seconds`` at most."""
        heard = self._control.service.heard
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(heard.wait(), seconds)
        heard.clear()

    async def is_running(self, pid: int) -> bool:
        """Raises ``PhoneTrouble``: the phone does not answer."""

        async def ask() -> bool:
            await self._info.connect()
            return bool(await self._info.is_running_pid(pid))

        return await within(self._answer_s, "look for the runner", ask(), self._abort)

    def start_sampling(self, pid: int) -> None:
        """Collect the process's footprint as the system counts it; silently nothing where that service is absent."""
        self.footprints = []
        self._sampling = asyncio.create_task(self._sample(pid))

    async def stop_sampling(self) -> None:
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.wait({self._sampling}, timeout=1.0)
            self._sampling = None

    async def _sample(self, pid: int) -> None:
        # It stands beside the runner's own figures: whatever goes wrong with it must not end the job.
        with suppress(Exception):
            await self._info.connect()
            tap = Sysmontap(
                self._provider,
                list(await self._info.sysmon_process_attributes()),
                list(await self._info.sysmon_system_attributes()),
                interval_ms=SYSMONTAP_MS,
            )
            try:
                async with tap:
                    async for processes in tap.iter_processes():
                        for process in processes:
                            footprint = _whole(process.get("physFootprint"))
                            if _whole(process.get("pid")) == pid and footprint:
                                self.footprints.append(footprint)
            finally:
                await self._close_channel(tap)

    async def _close_channel(self, tap: Sysmontap) -> None:
        """The library leaves it open, and a phone gives a connection only so many: a run has hundreds of jobs."""
        if tap._channel is not None:
            await self._provider.dtx.cancel_channel(tap._channel.service._channel)

    def _abort(self) -> None:
        """Close the transport without a word: the tunnel's, or the one service's."""
        dtx = getattr(self._provider, "_dtx", None)
        if dtx is not None:
            for holder in (dtx, getattr(dtx, "_reader", None), getattr(dtx, "_sender", None)):
                writer = getattr(holder, "writer", None) or getattr(holder, "_writer", None)
                if writer is not None:
                    with suppress(Exception):
                        writer.transport.abort()

    async def close(self) -> None:
        await self.stop_sampling()
        with suppress(Exception):
            await asyncio.wait_for(self._provider.close(), 2.0)
        if self._tunnel is not None:
            with suppress(Exception):
                await asyncio.wait_for(self._tunnel.aclose(), 3.0)


async def _require_developer_services(client: UsbmuxLockdownClient) -> None:
    """Tell what is missing by asking: the services' own error is the same for both."""
    if client.has_developer_mode and not await developer_mode(client):
        raise PhoneTrouble(Trouble.DEVELOPER_MODE_OFF, "Developer Mode is off")
    if not await image_mounted(client):
        raise PhoneTrouble(Trouble.IMAGE_MISSING, "no developer disk image is mounted")


def _whole(value: Any) -> int | None:
    value = getattr(value, "value", value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
