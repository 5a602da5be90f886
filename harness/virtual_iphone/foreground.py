"""Virtual phones as the whole of a process, until it is asked to end."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.virtual_iphone.installing import install_package
from harness.virtual_iphone.runner_ipa import write_runner_ipa
from harness.virtual_iphone.virtual_phones import VirtualPhones


async def serve_until_interrupted(
    phones: VirtualPhones, announce: Callable[[], None], *, install_runner: bool = False
) -> None:
    """Run ``phones`` until SIGINT or SIGTERM; ``announce`` is called once they can be reached."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with phones:
        if install_runner:
            await _install_runner(phones)
        announce()
        await ended.wait()


async def _install_runner(phones: VirtualPhones) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for phone in phones.phones:
            version = phone.setup.programs.runtime_version
            package = write_runner_ipa(Path(folder) / "runner.ipa", version)
            async for _ in install_package(phone, package):
                pass
