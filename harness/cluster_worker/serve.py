"""The worker process: one Dask worker for each attached phone, and one for the machine itself.

A phone that is attached joins the cluster as a worker of its own, so that jobs which wait for it are given to it at
once, and leaves it when it is gone. Where the scheduler goes away, each joins again as soon as there is one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dask

from harness.cluster.devices import cores_resource, device_resource, worker_name
from harness.cluster.settings import WORKER_SETTINGS
from harness.cluster_worker.attached import AttachedPhones, host_name
from harness.cluster_worker.dask_worker import HarnessWorker
from harness.cluster_worker.device_jobs import DeviceJobs
from harness.cluster_worker.requests import Requests
from harness.cluster_worker.storage import WorkerStorage
from harness.core.device_traits import DeviceKind, DeviceTraits
from harness.pipeline.choose_target import TargetSettings
from harness.shards.engine_fingerprint import engine_fingerprint
from harness.shards.worker import ShardWorker

if TYPE_CHECKING:
    from distributed import Security

logger = logging.getLogger(__name__)

LOOK_S: Final = 3.0
LOOK_SOON_S: Final = 0.3
_LEAVING_S: Final = 0.2
_REJOIN_S: Final = 1.0
_TOLD_AFTER_S: Final = 3.0
_TIDY_S: Final = 3600.0
_MACHINE: Final = "machine"

Say = Callable[[str], None]


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker offers and where it keeps what it needs."""

    scheduler: str
    """Dask's address: ``tls://desk:8786``."""
    security: Security | None
    folder: Path
    settings: TargetSettings
    cores: int = 0
    """How many shards of references may be computed at once; 0: none."""
    offers_machine: bool = True
    """Whether jobs for the target ``local`` run here."""
    offers_phones: bool = True
    host: str | None = None
    """The address to listen at; none: the one by which the scheduler is reached."""
    ports: tuple[int, int] | None = None
    name: str = field(default_factory=host_name)


class Serving:
    """Runs until it is stopped."""

    def __init__(self, options: WorkerOptions, say: Say) -> None:
        self._options = options
        self._say = say
        self._storage = WorkerStorage(options.folder)
        self._devices: dict[str, DeviceJobs] = {}
        self._members: dict[str, asyncio.Task[None]] = {}
        self._shards: ShardWorker | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End: what runs is ended so that it can be gone on with."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until ``stop``."""
        with dask.config.set(WORKER_SETTINGS), tempfile.TemporaryDirectory(prefix="harness-dask-") as scratch:
            phones = AttachedPhones(self._options.name, self._say)
            tidying = asyncio.create_task(self._tidy())
            try:
                self._join_machine(scratch)
                while not self._stopping.is_set():
                    if self._options.offers_phones:
                        await self._look(phones, scratch)
                    with suppress(TimeoutError):
                        pause_s = LOOK_SOON_S if phones.is_asking else LOOK_S
                        await asyncio.wait_for(self._stopping.wait(), pause_s)
            finally:
                tidying.cancel()
                phones.close()
                for member in self._members.values():
                    member.cancel()
                left = asyncio.gather(*self._members.values(), return_exceptions=True)
                if self._shards is not None:
                    # They leave first, so that the end of a shard is not taken for its answer, and wait for it then.
                    await asyncio.sleep(_LEAVING_S)
                    self._shards.close()
                await left
                for device in self._devices.values():
                    device.close()

    def _join_machine(self, scratch: str) -> None:
        options, resources = self._options, dict[str, float]()
        devices = {}
        if options.cores:
            self._shards = ShardWorker(self._storage.blobs, processes=options.cores)
            resources[cores_resource(engine_fingerprint())] = options.cores
        if options.offers_machine:
            resource = device_resource(DeviceTraits(kind=DeviceKind.LOCAL, host=options.name))
            resources[resource] = 1
            devices[resource] = self._device(resource, "local")
        if resources:
            self._join(_MACHINE, resources, devices, scratch)

    async def _look(self, phones: AttachedPhones, scratch: str) -> None:
        busy = [key for key, device in self._devices.items() if device.is_busy]
        found = await asyncio.to_thread(phones.look, busy)
        for udid in self._members.keys() - found.keys() - {_MACHINE}:
            self._say(f"{udid} is gone")
            self._members.pop(udid).cancel()
            self._devices.pop(udid).close()
        for udid, traits in found.items():
            if udid not in self._members:
                self._say(f"{traits.label} is attached")
                resource = device_resource(traits)
                device = self._device(udid, f"iphone:{udid}")
                self._join(udid, {resource: 1}, {resource: device}, scratch)

    def _device(self, key: str, target: str) -> DeviceJobs:
        self._devices[key] = DeviceJobs(target, self._options.settings, self._storage)
        return self._devices[key]

    def _join(
        self, key: str, resources: dict[str, float], devices: dict[str, DeviceJobs], scratch: str
    ) -> None:
        requests = Requests(self._storage, devices, self._shards if key == _MACHINE else None)
        self._members[key] = asyncio.create_task(self._member(key, resources, requests, scratch))

    async def _member(self, key: str, resources: dict[str, float], requests: Requests, scratch: str) -> None:
        """Be a worker of the cluster, again and again."""
        options = self._options
        while True:
            worker = HarnessWorker(
                options.scheduler,
                # A worker that was killed may still be known by its name.
                name=worker_name(options.name, key, f"{os.getpid()}-{os.urandom(2).hex()}"),
                resources=resources,
                requests=requests,
                security=options.security,
                host=options.host,
                ports=options.ports,
                local_directory=scratch,
            )
            telling = asyncio.get_running_loop().call_later(_TOLD_AFTER_S, self._tell_that_it_waits, key)
            try:
                async with worker:
                    telling.cancel()
                    self._say(f"{key} joined {options.scheduler}")
                    await worker.finished()  # type: ignore[no-untyped-call]
                self._say(f"{key} left: no scheduler at {options.scheduler}; waiting for it")
            except (OSError, ValueError, RuntimeError) as problem:
                self._say(f"{key} cannot join {options.scheduler}: {problem.__cause__ or problem}")
            finally:
                telling.cancel()
            await asyncio.sleep(_REJOIN_S)

    def _tell_that_it_waits(self, key: str) -> None:
        where = self._options.scheduler
        self._say(
            f"{key} waits for the scheduler at {where}, which does not answer; what stands between says: "
            f"harness doctor --cluster {where}"
        )

    async def _tidy(self) -> None:
        while True:
            await asyncio.to_thread(self._storage.tidy)
            await asyncio.sleep(_TIDY_S)
