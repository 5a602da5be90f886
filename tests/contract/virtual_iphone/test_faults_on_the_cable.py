"""Faults as the unmodified pymobiledevice3 meets them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pymobiledevice3.exceptions import (
    AfcException,
    ConnectionTerminatedError,
    InvalidServiceError,
    PairingDialogResponsePendingError,
    PasswordRequiredError,
    UserDeniedPairingError,
)
from pymobiledevice3.lockdown import LockdownClient, create_using_usbmux
from pymobiledevice3.services.afc import AfcService
from pymobiledevice3.services.diagnostics import DiagnosticsService
from pymobiledevice3.services.mobile_image_mounter import MobileImageMounterService
from pymobiledevice3.usbmux import list_devices

from harness.virtual_iphone.background import BackgroundPhones

StartPhones = Callable[..., BackgroundPhones]
T = TypeVar("T")
_MIB = 1024 * 1024


def with_lockdown(action: Callable[[LockdownClient], Awaitable[T]], **options: Any) -> T:
    async def work() -> T:
        async with await create_using_usbmux(**options) as lockdown:
            return await asyncio.wait_for(action(lockdown), timeout=60)

    return asyncio.run(work())


def push(size_bytes: int) -> Callable[[LockdownClient], Awaitable[float]]:
    """Pushes a file; returns how long it took in seconds."""

    async def action(lockdown: LockdownClient) -> float:
        started_s = time.monotonic()
        async with AfcService(lockdown) as afc:
            await afc.set_file_contents("/pushed", os.urandom(size_bytes))
        return time.monotonic() - started_s

    return action


def pushed_file(phones: BackgroundPhones) -> Path:
    return phones.call(lambda phone: phone.folders.media / "pushed")


@pytest.mark.parametrize("at_bytes", [1_000_000, 5_000_001])
def test_a_pulled_cable_leaves_the_part_that_arrived(start_phones: StartPhones, at_bytes: int) -> None:
    phones = start_phones(faults=[f"disconnect:at=push,after-bytes={at_bytes},for-s=0.3"])
    with pytest.raises((ConnectionTerminatedError, ConnectionError, asyncio.IncompleteReadError)):
        with_lockdown(push(9 * _MIB))
    # The count begins inside the first write; headers of later ones and answers are in it too.
    assert at_bytes - 500 <= pushed_file(phones).stat().st_size <= at_bytes
    limit_s = time.monotonic() + 60
    while not asyncio.run(list_devices()) and time.monotonic() < limit_s:
        time.sleep(0.1)
    with_lockdown(push(9 * _MIB))
    assert pushed_file(phones).stat().st_size == 9 * _MIB


def test_an_unplugged_phone_is_not_listed(start_phones: StartPhones) -> None:
    phones = start_phones(ios=["16.7", "18.5"])
    phones.set_fault("disconnect", phone=1)
    listed = [device.serial for device in asyncio.run(list_devices())]
    assert listed == [phones.identities[0].udid]
    phones.call(lambda phone: phone.link.put_back(), 1)
    assert len(asyncio.run(list_devices())) == 2


def test_a_frozen_phone_says_nothing_until_it_thaws(start_phones: StartPhones) -> None:
    phones = start_phones(faults=["freeze:at=push,after-bytes=2000000,for-s=0.6"])
    assert with_lockdown(push(6 * _MIB)) > 0.6
    assert pushed_file(phones).stat().st_size == 6 * _MIB


def test_a_full_disk_takes_no_more(start_phones: StartPhones) -> None:
    phones = start_phones(faults=[f"disk-full:free-bytes={5 * _MIB}"])

    async def fill(lockdown: LockdownClient) -> tuple[str, str, str]:
        async with AfcService(lockdown) as afc:
            before = (await afc.get_device_info())["FSFreeBytes"]
            with pytest.raises(AfcException) as full:
                await afc.set_file_contents("/pushed", bytes(6 * _MIB))
            await afc.set_file_contents("/small", b"")
            return before, full.value.status.name, (await afc.get_device_info())["FSFreeBytes"]

    before, status, after = with_lockdown(fill)
    assert (before, status) == (str(5 * _MIB), "NO_SPACE_LEFT")
    assert int(after) < 2 * _MIB
    assert pushed_file(phones).stat().st_size <= 5 * _MIB


def test_a_short_read_comes_without_an_error(start_phones: StartPhones) -> None:
    phones = start_phones(faults=["short-reads:at-most-bytes=1000"])

    async def read(lockdown: LockdownClient) -> int:
        async with AfcService(lockdown) as afc:
            return len(await afc.get_file_contents("/pushed"))

    with_lockdown(push(4000))
    assert with_lockdown(read) == 1000
    phones.clear_faults()
    assert with_lockdown(read) == 4000


def test_an_idle_file_session_is_dropped(start_phones: StartPhones) -> None:
    start_phones(faults=["idle-cut:idle-s=1"])

    async def wait(lockdown: LockdownClient) -> None:
        async with AfcService(lockdown) as afc:
            await afc.listdir("/")
            await asyncio.sleep(1.8)
            with pytest.raises((ConnectionTerminatedError, ConnectionError, asyncio.IncompleteReadError)):
                await afc.listdir("/")

    with_lockdown(wait)


def test_a_slow_link_takes_the_time_it_says(start_phones: StartPhones) -> None:
    start_phones(faults=["slow-link:latency-ms=0,mib-per-s=8"])
    # 4 MiB at 8 MiB/s; how much longer depends on the machine.
    assert with_lockdown(push(4 * _MIB)) > 0.45


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("trust-pending", PairingDialogResponsePendingError),
        ("trust-denied", UserDeniedPairingError),
        ("locked", PasswordRequiredError),
    ],
)
def test_what_stands_between_host_and_phone(
    start_phones: StartPhones, fault: str, error: type[Exception]
) -> None:
    start_phones(faults=[fault])
    with pytest.raises(error):
        with_lockdown(push(1), pair_timeout=0)


def test_trust_that_comes_in_time(start_phones: StartPhones) -> None:
    phones = start_phones(faults=["trust-pending:for-s=0.5"])
    with_lockdown(push(10), pair_timeout=30)
    assert pushed_file(phones).stat().st_size == 10


def test_a_phone_that_is_locked_later_gives_no_files(start_phones: StartPhones) -> None:
    phones = start_phones()
    with_lockdown(push(1))
    phones.set_fault("locked")
    with pytest.raises(PasswordRequiredError):
        with_lockdown(push(1))


def test_developer_mode_and_image_are_told(start_phones: StartPhones) -> None:
    phones = start_phones()

    async def ask(lockdown: LockdownClient) -> tuple[bool, bool]:
        async with MobileImageMounterService(lockdown) as mounter:
            return (
                await lockdown.get_developer_mode_status(),
                await mounter.is_image_mounted("Personalized"),
            )

    assert with_lockdown(ask) == (True, True)
    phones.set_fault("no-developer-mode")
    phones.set_fault("no-image")
    assert with_lockdown(ask) == (False, False)


def test_an_image_that_is_sent_is_mounted(start_phones: StartPhones) -> None:
    start_phones(ios=["16.7"], faults=["no-image"])

    async def mount(lockdown: LockdownClient) -> tuple[bool, bool, bool]:
        async with MobileImageMounterService(lockdown) as mounter:
            before = await mounter.is_image_mounted("Developer")
            await mounter.upload_image("Developer", bytes(3 * _MIB), b"signature")
            await mounter.mount_image("Developer", b"signature")
            mounted = await mounter.is_image_mounted("Developer")
            await mounter.unmount_image("/Developer")
            return before, mounted, await mounter.is_image_mounted("Developer")

    assert with_lockdown(mount) == (False, True, False)


def test_the_battery_is_what_the_fault_says(start_phones: StartPhones) -> None:
    start_phones(faults=["low-battery:level=0.12", "heat:state=serious"])

    async def ask(lockdown: LockdownClient) -> dict[str, Any]:
        async with DiagnosticsService(lockdown) as diagnostics:
            return dict(await diagnostics.get_battery() or {})

    battery = with_lockdown(ask)
    assert (battery["CurrentCapacity"], battery["IsCharging"]) == (12, False)
    assert battery["Temperature"] == 4000


def test_an_unknown_service_is_refused(start_phones: StartPhones) -> None:
    start_phones()

    async def ask(lockdown: LockdownClient) -> None:
        with pytest.raises(InvalidServiceError):
            await lockdown.start_lockdown_service("com.apple.no.such.service")

    with_lockdown(ask)
