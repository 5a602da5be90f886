"""The developer services as the unmodified client uses them, on each route to them."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymobiledevice3.dtx import DTXNsError, dtx_on_invoke
from pymobiledevice3.exceptions import (
    ConnectionTerminatedError,
    InvalidServiceError,
    UnrecognizedSelectorError,
)
from pymobiledevice3.services.dvt.instruments.device_info import DeviceInfo
from pymobiledevice3.services.dvt.instruments.dvt_provider import DvtProvider
from pymobiledevice3.services.dvt.instruments.process_control import ProcessControl, ProcessControlService
from pymobiledevice3.services.dvt.instruments.sysmontap import Sysmontap

from harness.targets.iphone.device.developer import Developer

BUNDLE_ID = "org.harness.runner"
_PATIENCE_S = 20

# By lockdown, and through a tunnel.
ROUTES = pytest.mark.parametrize("ios", ["16.7", "18.5"])


class _WatchfulService(ProcessControlService):
    """Keeps what the client's own service only writes to its log."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.ends: asyncio.Queue[tuple[int, int | None, int | None]] = asyncio.Queue()

    @dtx_on_invoke("processWithPID:terminatedWithExitCode:orCrashingSignal:")
    async def _on_end(self, pid: int, exit_code: int | None, crashing_signal: int | None) -> None:
        self.ends.put_nowait((pid, exit_code, crashing_signal))


async def _open(dvt: Any) -> tuple[ProcessControl, _WatchfulService]:
    service = await dvt.dtx.open_channel(_WatchfulService.IDENTIFIER, _WatchfulService)
    return ProcessControl(dvt, service), service


def _run(coroutine: Any) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, _PATIENCE_S))


@pytest.mark.parametrize("ios", ["16.7", "18.5", "26.1"])
def test_an_app_is_launched_and_its_output_and_exit_code_come_back(
    ios: str, start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    async def client() -> None:
        async with route() as provider, DvtProvider(provider) as dvt:
            control, service = await _open(dvt)
            environment = {"COLOUR": "grün", "STATUS": "3"}
            pid = await control.launch(BUNDLE_ID, ["--run-job", "j-1"], environment=environment)
            await service.startObservingPid_(pid)
            lines = [(await service.output_events.get())[:2] for _ in range(2)]
            assert lines[0][0].rstrip().endswith("/Documents/inbox/jobs/j-1")
            assert lines[1] == ["colour grün\n", pid]
            assert await service.ends.get() == (pid, 3, None)

    with start_phone(ios):
        _run(client())


@ROUTES
def test_all_that_an_app_prints_comes_before_its_end(
    ios: str, start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    async def client() -> None:
        async with route() as provider, DvtProvider(provider) as dvt:
            control, service = await _open(dvt)
            pid = await control.launch(BUNDLE_ID, environment={"STATUS": "0", "LINES": "300"})
            await service.startObservingPid_(pid)
            assert await service.ends.get() == (pid, 0, None)
            lines = [service.output_events.get_nowait()[0] for _ in range(service.output_events.qsize())]
            assert lines[2:] == [f"line {number}\n" for number in range(1, 301)]

    with start_phone(ios):
        _run(client())


@ROUTES
def test_a_killed_app_comes_back_as_its_signal(
    ios: str, start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    async def client() -> None:
        async with route() as provider, DvtProvider(provider) as dvt:
            control, service = await _open(dvt)
            first = await control.launch(BUNDLE_ID)
            await service.startObservingPid_(first)
            assert await control.process_identifier_for_bundle_identifier(BUNDLE_ID) == first
            # The second launch ends the first one.
            second = await control.launch(BUNDLE_ID)
            assert await service.ends.get() == (first, None, signal.SIGKILL)
            await service.startObservingPid_(second)
            await control.signal(second, int(signal.SIGTERM))
            assert await service.ends.get() == (second, None, signal.SIGTERM)
            third = await control.launch(BUNDLE_ID)
            await service.startObservingPid_(third)
            await service.kill_pid_(third)
            assert await service.ends.get() == (third, None, signal.SIGKILL)
            with pytest.raises(DTXNsError, match="No process"):
                await service.startObservingPid_(third)

    with start_phone(ios):
        _run(client())


@pytest.mark.skipif(sys.platform != "linux", reason="compares with /proc")
@ROUTES
def test_sysmontap_tells_the_memory_that_the_process_has(
    ios: str, start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    async def client() -> None:
        async with route() as provider, DvtProvider(provider) as dvt:
            control, _ = await _open(dvt)
            pid = await control.launch(BUNDLE_ID)
            await asyncio.sleep(0.1)  # the shell reaches its wait, and changes no more
            async with await Sysmontap.create(dvt, interval=20) as tap:
                samples = tap.iter_processes()
                found = [(await anext(samples))[0] for _ in range(3)]
            assert {sample["pid"] for sample in found} == {pid}
            assert [sample["name"] for sample in found] == ["HarnessRunner"] * 3
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            anonymous_bytes = sum(int(status[key].split()[0]) for key in ("RssAnon", "VmSwap")) * 1024
            assert found[-1]["physFootprint"] == anonymous_bytes
            assert found[0]["cpuUsage"] is None and found[1]["cpuUsage"] >= 0
            await control.kill(pid)
            async with await Sysmontap.create(dvt, interval=60) as tap:
                assert await anext(tap.iter_processes()) == []
                rows = aiter(tap)
                while "SystemCPUUsage" not in (row := await anext(rows)):
                    pass
            assert 0 <= row["SystemCPUUsage"]["CPU_TotalLoad"] <= 100 * row["CPUCount"]

    with start_phone(ios):
        _run(client())


@ROUTES
def test_device_info_answers_and_unknown_calls_are_refused(
    ios: str, start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    async def client() -> None:
        async with route() as provider, DvtProvider(provider) as dvt:
            control, _ = await _open(dvt)
            pid = await control.launch(BUNDLE_ID, start_suspended=True)
            async with DeviceInfo(dvt) as info:
                (process,) = await info.proclist()
                assert (process["pid"], process["name"]) == (pid, "HarnessRunner")
                assert (await info.execname_for_pid(pid)).endswith("/HarnessRunner.app/HarnessRunner")
                assert await info.is_running_pid(pid)
                ticks, numerator, denominator, *_ = await info.mach_time_info()
                assert ticks > 0 and (numerator, denominator) == (125, 3)
                assert (await info.system_information())["_productVersion"] == ios
                with pytest.raises(UnrecognizedSelectorError):
                    await info.trace_codes()
                with pytest.raises(DTXNsError, match="argument 1 is no int"):
                    await info.service.execname_for_pid_("seven")
            channel = await dvt.dtx.open_channel("com.apple.instruments.server.services.gpu")
            with pytest.raises(ConnectionTerminatedError):
                await channel.invoke("start")
            # The connection survives all of it.
            assert await control.process_identifier_for_bundle_identifier(BUNDLE_ID) == pid

    with start_phone(ios):
        _run(client())


@ROUTES
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (
            "untrusted-developer",
            "because it has an invalid code signature, inadequate entitlements or its profile has not been "
            "explicitly trusted by the user",
        ),
        ("locked", "because the device was not, or could not be, unlocked"),
    ],
)
def test_a_refused_launch_says_why_in_the_words_of_ios(
    ios: str, fault: str, sentence: str, start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    async def client() -> None:
        async with route() as provider, DvtProvider(provider) as dvt:
            control, _ = await _open(dvt)
            with pytest.raises(DTXNsError) as refused:
                await control.launch(BUNDLE_ID)
            assert sentence in refused.value.error.user_info["NSLocalizedDescription"]
            underlying = refused.value.error.user_info["NSUnderlyingError"]
            assert "SBMainWorkspace" in underlying.user_info["NSLocalizedFailureReason"]

    with start_phone(ios) as phones:
        phones.set_fault(fault)
        _run(client())


@ROUTES
@pytest.mark.parametrize("fault", ["no-developer-mode", "no-image"])
def test_without_developer_mode_or_image_there_is_no_such_service(
    ios: str, fault: str, start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    async def client() -> None:
        async with route() as provider:
            with pytest.raises(InvalidServiceError):
                async with DvtProvider(provider):
                    pass

    with start_phone(ios) as phones:
        phones.set_fault(fault)
        _run(client())


def test_a_run_of_many_jobs_does_not_use_up_the_channels_of_its_connection(
    start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    """The phone gives a connection 64 of them, and the library gives none back."""

    async def client() -> None:
        async with route() as provider, DvtProvider(provider) as dvt:
            control, _ = await _open(dvt)
            developer = Developer(dvt, None, _PATIENCE_S)
            pid = await control.launch(BUNDLE_ID)
            for _ in range(70):
                assert await developer.is_running(pid)
                developer.start_sampling(pid)
                sampling = developer._sampling
                assert sampling is not None
                await asyncio.wait({sampling}, timeout=0.03)
                assert not sampling.done(), "the phone gave no channel"
                await developer.stop_sampling()
            developer.start_sampling(pid)
            while not developer.footprints:
                await asyncio.sleep(0.05)
            await developer.stop_sampling()
            assert developer.footprints[0] > 0

    with start_phone("16.7"):
        _run(client())
