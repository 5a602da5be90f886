"""Dask's scheduler in this process, with the harness's settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import dask
from distributed import Scheduler

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


class HarnessScheduler(Scheduler):
    """Dask's scheduler, less what runs code where it is, and with no port but its own."""

    def __init__(self, address: ClusterAddress, security: Security | None) -> None:
        super().__init__(
            protocol=f"{address.scheme}://",
            host=address.host,
            port=address.port,
            security=security,
            dashboard=False,
            # None is needed, and one of them remembers every task.
            extensions={},
        )
        for refused in _REFUSED:
            self.handlers.pop(refused, None)

    def start_http_server(self, *arguments: object, **further: object) -> None:
        """None: Dask's has no TLS, and lets anybody in."""


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
    with dask.config.set(SCHEDULER_SETTINGS):
        scheduler = HarnessScheduler(address, security)
        try:
            await scheduler
        except RuntimeError as failed:
            # Dask's own words for it are that it failed to start.
            raise failed.__cause__ if isinstance(failed.__cause__, OSError) else failed from None
        try:
            on_address(scheduler.address)
            await stopping.wait()
        finally:
            await scheduler.close()
