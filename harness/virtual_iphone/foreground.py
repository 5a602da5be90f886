"""Virtual phones as the whole of a process, until it is asked to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from harness.virtual_iphone.installing import install_runner as put_runner_on
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
            for phone in phones.phones:
                await put_runner_on(phone)
        announce()
        await ended.wait()
