"""A cluster as a pool of shards: references and calibrations by the cores of its workers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from harness.cluster.connection import Cluster, LostError, Need
from harness.cluster.devices import cores_resource
from harness.cluster.messages import Done, RunShard
from harness.errors import TargetError, WireError
from harness.shards.pool import Shard, answer_of
from harness.wire.blobs import BlobStore

MOST_CORES: Final = 64
"""So many shards are computed at once, however large the cluster: each is in this process's memory meanwhile."""


class ClusterShards:
    """The cores of one kind: the same processor and the same libraries, so that every shard gets the same bits."""

    def __init__(self, cluster: Cluster, engine: str) -> None:
        """``engine`` is the fingerprint of the kind, as ``fingerprints`` finds it."""
        self.fingerprint = engine
        self._cluster = cluster
        self._need = Need(cores_resource(engine), f"cores of the kind {engine}")

    def run(
        self, store: BlobStore, shards: Iterable[Shard], given_up: threading.Event | None = None
    ) -> Generator[bytes, None, None]:
        """See ``ShardPool.run``. A shard whose worker dies is given to another one.

        Raises:
            TargetError: no worker has had such cores for as long as the cluster's patience lasts.
        """
        ahead = 2 * min(MOST_CORES, max(1, self._cores()))
        ended = threading.Event()
        threads = ThreadPoolExecutor(ahead, thread_name_prefix="shard")
        waiting: deque[Future[bytes]] = deque()

        def compute(shard: Shard) -> bytes:
            answer, beside = self._cluster.call(
                RunShard(request=shard.request.model_dump_json()),
                self._need,
                parts=tuple(map(bytes, shard.payload())),
                blobs=store,
                given_up=ended,
            )
            if not isinstance(answer, Done) or len(beside) != 1:
                raise WireError(
                    "the worker answered something else than a shard's result",
                    where="cluster",
                    next_step="Install the same release of the harness on every machine of the cluster.",
                )
            return beside[0]

        try:
            for shard in shards:
                waiting.append(threads.submit(compute, shard))
                if len(waiting) >= ahead:
                    yield answer_of(waiting.popleft(), given_up)
            while waiting:
                yield answer_of(waiting.popleft(), given_up)
        finally:
            ended.set()
            for future in waiting:
                future.cancel()
            threads.shutdown()

    def _cores(self) -> int:
        try:
            announced = self._cluster.announced(within_s=10.0)
        except LostError:
            return 1
        return sum(one.count for one in announced if one.resource == self._need.resource)


def fingerprints(cluster: Cluster) -> dict[str, int]:
    """How many cores of each kind the workers of this release have announced, by the kind's fingerprint."""
    try:
        announced = cluster.announced()
    except LostError as lost:
        raise TargetError(
            f"the scheduler does not answer: {lost}",
            where=cluster.address,
            next_step="See that it runs: harness scheduler.",
        ) from None
    found: dict[str, int] = {}
    for one in announced:
        if one.engine is not None and one.is_of_this_release:
            found[one.engine] = found.get(one.engine, 0) + one.count
    return found


def cluster_shards(cluster: Cluster, own_engine: str) -> ClusterShards | None:
    """The cores like this machine's, or else the kind of which there are most; ``None`` where there are none."""
    found = fingerprints(cluster)
    if not found:
        return None
    return ClusterShards(
        cluster, own_engine if own_engine in found else max(sorted(found), key=found.__getitem__)
    )


class LazyShards:
    """A pool that is opened with the first shards; ``fingerprint`` is what it will have."""

    def __init__(self, opening: Callable[[], ClusterShards], fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self._opening = opening
        self._lock = threading.Lock()
        self._opened: ClusterShards | None = None

    def run(
        self, store: BlobStore, shards: Iterable[Shard], given_up: threading.Event | None = None
    ) -> Generator[bytes, None, None]:
        """See ``ShardPool.run``."""
        with self._lock:
            if self._opened is None:
                self._opened = self._opening()
        yield from self._opened.run(store, shards, given_up)
