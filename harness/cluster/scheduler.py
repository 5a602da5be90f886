"""Dask's scheduler in this process, with the harness's settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import dask

from harness.cluster.settings import SCHEDULER_SETTINGS

if TYPE_CHECKING:
    from distributed import Security

# They run code, or write files, where the scheduler is.
_REFUSED: Final = (
    "broadcast",
    "dump_cluster_state_to_url",
    "register_nanny_plugin",
    "register_scheduler_plugin",
    "register_worker_plugin",
    "run_function",
    "unregister_scheduler_plugin",
)


async def run_scheduler(
    *,
    protocol: str,
    host: str,
    port: int,
    security: Security | None,
    on_address: Callable[[str], None],
    stopping: asyncio.Event,
) -> None:
    """Serve until ``stopping``; ``on_address`` is told where, once it listens.

    Raises:
        OSError: the port is taken.
    """
    from distributed import Scheduler

    with dask.config.set(SCHEDULER_SETTINGS):
        scheduler = Scheduler(protocol=protocol, host=host, port=port, security=security, dashboard=False)
        for refused in _REFUSED:
            scheduler.handlers.pop(refused, None)
        async with scheduler:
            on_address(scheduler.address)
            await stopping.wait()
