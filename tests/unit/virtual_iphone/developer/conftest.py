"""A virtual phone with an app on it, and the unmodified client to talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.virtual_iphone.background import BackgroundPhones, background_phones
from harness.virtual_iphone.programs import Programs
from harness.virtual_iphone.runner_ipa import write_runner_ipa

BUNDLE_ID = "org.harness.runner"
# Stands where the runner stands: says how it was called, then waits for ever or ends as its environment asks.
_APP = """#!/bin/sh
echo "job $2"
echo "colour $COLOUR" >&2
[ -z "$STATUS" ] && exec sleep 60
sleep 0.3
[ -n "$LINES" ] && seq -f "line %g" 1 "$LINES"
exit "$STATUS"
"""


@pytest.fixture
def start_phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Start a phone of one iOS release, with faults where they are named; the app is installed on it."""
    program = tmp_path / "app"
    program.write_text(_APP)
    program.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    package = write_runner_ipa(tmp_path / "runner.ipa", "2.3.0")

    @contextmanager
    def start(ios: str) -> Iterator[BackgroundPhones]:
        with background_phones(Programs(program, tmp_path / "runtime", "2.3.0"), ios=[ios]) as phones:
            monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", phones.usbmuxd_address)
            asyncio.run(_install(package))
            yield phones

    return start


async def _install(package: Path) -> None:
    from pymobiledevice3.lockdown import create_using_usbmux
    from pymobiledevice3.services.installation_proxy import InstallationProxyService

    lockdown = await create_using_usbmux()
    async with InstallationProxyService(lockdown) as proxy:
        await proxy.install_from_local(package)
    await lockdown.close()


@asynccontextmanager
async def developer_route() -> AsyncIterator[Any]:
    """The client's way to the developer services: lockdown up to iOS 16, a tunnel of its own from 17.4 on."""
    from pymobiledevice3.lockdown import create_using_usbmux
    from pymobiledevice3.remote.userspace_tunnel import UserspaceRsdTunnel

    lockdown = await create_using_usbmux()
    try:
        if int(lockdown.product_version.split(".")[0]) < 17:
            yield lockdown
        else:
            async with UserspaceRsdTunnel(serial=lockdown.udid, remotepairing_fallback=False) as discovery:
                yield discovery
    finally:
        await lockdown.close()


@pytest.fixture
def route() -> Callable[[], Any]:
    return developer_route
