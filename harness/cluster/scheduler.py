"""Dask's scheduler in this process, with the harness's settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import dask

from harness.cluster.address import ClusterAddress
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
    address: ClusterAddress,
    security: Security | None,
    *,
    on_address: Callable[[str], None],
    stopping: asyncio.Event,
) -> None:
    """Serve at ``address`` until ``stopping``; ``on_address`` is told where, once it listens.

    Raises:
        OSError: the port is taken.
    """
    from distributed import Scheduler

    with dask.config.set(SCHEDULER_SETTINGS):
        scheduler = Scheduler(
            protocol=f"{address.scheme}://",
            host=address.host,
            port=address.port,
            security=security,
            dashboard=False,
        )
        for refused in _REFUSED:
            scheduler.handlers.pop(refused, None)
        async with scheduler:
            on_address(scheduler.address)
            await stopping.wait()
