"""Installing and files, by the unmodified pymobiledevice3."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from pymobiledevice3.lockdown import LockdownClient, create_using_usbmux
from pymobiledevice3.services.house_arrest import HouseArrestService
from pymobiledevice3.services.installation_proxy import InstallationProxyService

from harness import __version__
from harness.virtual_iphone.background import BackgroundPhones
from harness.virtual_iphone.runner_ipa import RUNNER_BUNDLE_ID

StartPhones = Callable[..., BackgroundPhones]


def test_a_package_is_installed_and_found_by_its_keys(start_phones: StartPhones, runner_ipa: Path) -> None:
    start_phones()
    percents: list[int] = []

    async def install() -> dict[str, dict[str, object]]:
        async with await create_using_usbmux() as lockdown:
            async with InstallationProxyService(lockdown) as proxy:
                await proxy.install_from_local(runner_ipa, handler=percents.append)
            async with InstallationProxyService(lockdown) as proxy:
                options = {"ReturnAttributes": ["CFBundleIdentifier", "HarnessRunnerVersion"]}
                return await proxy.lookup(options)

    assert asyncio.run(install()) == {
        RUNNER_BUNDLE_ID: {"CFBundleIdentifier": RUNNER_BUNDLE_ID, "HarnessRunnerVersion": __version__}
    }
    assert percents == sorted(percents) and len(percents) > 3


def test_files_are_pushed_renamed_read_and_removed(start_phones: StartPhones, runner_ipa: Path) -> None:
    start_phones()
    content = os.urandom(9_000_001)

    async def work() -> tuple[bytes, int, list[str], list[str]]:
        async with await create_using_usbmux() as lockdown:
            async with InstallationProxyService(lockdown) as proxy:
                await proxy.install_from_local(runner_ipa)
            return await edit(lockdown)

    async def edit(lockdown: LockdownClient) -> tuple[bytes, int, list[str], list[str]]:
        house = await HouseArrestService.create(lockdown, RUNNER_BUNDLE_ID, documents_only=True)
        async with house:
            await house.makedirs("Documents/inbox/blobs")
            await house.set_file_contents("Documents/inbox/blobs/a.part", content)
            await house.rename("Documents/inbox/blobs/a.part", "Documents/inbox/blobs/a")
            handle = await house.fopen("Documents/inbox/blobs/a", "r+")
            await house.fseek(handle, 5)
            await house.fwrite(handle, b"12345")
            await house.fclose(handle)
            size = (await house.stat("Documents/inbox/blobs/a"))["st_size"]
            read = await house.get_file_contents("Documents/inbox/blobs/a")
            before = await house.listdir("Documents/inbox/blobs")
            await house.rm("Documents/inbox/blobs")
            return read, size, before, await house.listdir("Documents/inbox")

    read, size, before, after = asyncio.run(work())
    assert read == content[:5] + b"12345" + content[10:]
    assert size == len(content)
    assert (before, after) == (["a"], [])
