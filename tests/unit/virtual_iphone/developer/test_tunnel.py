"""The tunnel as the unmodified client builds it: discovery, services over it, and where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pymobiledevice3.exceptions import CoreDeviceError, StartServiceError, UserspaceTunnelUnavailableError
from pymobiledevice3.remote.core_device.app_service import AppServiceService
from pymobiledevice3.services.afc import AfcService
from pymobiledevice3.services.diagnostics import DiagnosticsService
from pymobiledevice3.services.house_arrest import HouseArrestService

BUNDLE_ID = "org.harness.runner"
_PATIENCE_S = 30


def _run(coroutine: Any) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, _PATIENCE_S))


@pytest.mark.parametrize("ios", ["18.5", "26.1"])
def test_discovery_tells_who_the_phone_is_and_what_it_offers(
    ios: str, start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    with start_phone(ios) as phones:
        (identity,) = phones.identities

        async def client() -> None:
            async with route() as discovery:
                assert discovery.product_version == ios
                assert (discovery.udid, discovery.ecid) == (identity.udid, identity.ecid)
                assert discovery.lockdown.all_values["UniqueDeviceID"] == identity.udid
                assert (
                    await discovery.get_value("com.apple.mobile.battery", "BatteryCurrentCapacity")
                    is not None
                )
                async with DiagnosticsService(discovery) as diagnostics:
                    assert (await diagnostics.get_battery())["CurrentCapacity"] > 0

        _run(client())


def test_files_go_over_the_tunnel_whole(start_phone: Callable[..., Any], route: Callable[[], Any]) -> None:
    content = bytes(range(256)) * 8192  # 2 MiB

    async def client() -> None:
        async with route() as discovery:
            async with await HouseArrestService.create(discovery, BUNDLE_ID, True) as files:
                await files.set_file_contents("/Documents/model.bin", content)
                assert await files.get_file_contents("/Documents/model.bin") == content
            # Several connections at once, each with its own bytes.
            async with AsyncExitStack() as stack:
                sessions = [await stack.enter_async_context(AfcService(discovery)) for _ in range(4)]
                numbered = list(enumerate(sessions))
                await asyncio.gather(
                    *(session.set_file_contents(f"/{n}", bytes([n]) * 300_000) for n, session in numbered)
                )
                found = await asyncio.gather(*(session.get_file_contents(f"/{n}") for n, session in numbered))
            assert found == [bytes([n]) * 300_000 for n in range(4)]

    with start_phone("18.5"):
        _run(client())


def test_core_device_launches_lists_and_ends_apps(
    start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    async def client() -> None:
        async with route() as discovery, AppServiceService(discovery) as apps:
            token = (await apps.launch_application(BUNDLE_ID, ["--run-job", "j-1"]))["processToken"]
            assert await apps.list_processes() == [token]
            assert [app["bundleIdentifier"] for app in await apps.list_apps()] == [BUNDLE_ID]
            await apps.send_signal_to_process(token["processIdentifier"], 9)
            assert await apps.list_processes() == []
            with pytest.raises(CoreDeviceError, match="No process"):
                await apps.send_signal_to_process(token["processIdentifier"], 9)
            again = await apps.launch_application(BUNDLE_ID, environment={"STATUS": "4"})
            end = await apps.monitor_process_termination(again["processToken"]["processIdentifier"])
            assert end["exitCode"] == 4
            with pytest.raises(CoreDeviceError, match="failed to launch") as refused:
                await apps.launch_application("org.nobody")
            assert refused.value.code == 10002

    with start_phone("26.1"):
        _run(client())


def test_a_locked_phone_says_so_through_the_tunnel(
    start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    async def client() -> None:
        async with route() as discovery:
            with pytest.raises(StartServiceError, match="PasswordProtected"):
                await AfcService(discovery).listdir("/")

    with start_phone("18.5") as phones:
        phones.set_fault("locked")
        _run(client())


def test_before_17_4_there_is_no_tunnel_by_lockdown(
    start_phone: Callable[..., Any], route: Callable[[], Any]
) -> None:
    async def client() -> None:
        with pytest.raises(UserspaceTunnelUnavailableError, match=r"needs iOS 17\.4"):
            async with route():
                pass

    with start_phone("17.2"):
        _run(client())
