"""Dask's settings, where the harness needs others than Dask's own."""

from __future__ import annotations

from typing import Any, Final

_ALL: Final[dict[str, Any]] = {
    # A phone's job may take an hour; a machine that is busy converting may be late with a heartbeat.
    "distributed.comm.timeouts.connect": "10s",
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.admin.tick.limit": "30s",
}
SCHEDULER_SETTINGS: Final = {
    **_ALL,
    "distributed.scheduler.worker-ttl": "60s",
    # A worker may die more often than three times in a day of jobs; the harness counts by device and gives up itself.
    "distributed.scheduler.allowed-failures": 3,
    "distributed.scheduler.work-stealing": False,
    "distributed.admin.event-loop-monitor-interval": "100ms",
    # Dask keeps what was published for who asks later, and forgets no topic: here each run has one of its own.
    "distributed.admin.low-level-log-length": 0,
    "distributed.diagnostics.computations.max-history": 1,
}
WORKER_SETTINGS: Final = {
    **_ALL,
    # What is carried is short-lived; Dask's own limits would pause a worker whose machine is full of other things.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
}
CLIENT_SETTINGS: Final = {**_ALL}
