"""Who computes the references and calibrations of a run: the cores of its cluster, or of this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from harness.cluster.shards import ClusterShards, LazyShards, cluster_shards
from harness.errors import TargetError
from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.local_cluster import local_cluster
from harness.shards.engine_fingerprint import engine_fingerprint
from harness.shards.pool import ShardPool, fitting_processes

_JOIN_S = 30.0
_LOOK_AGAIN_S = 0.05


@contextmanager
def shard_pool(settings: TargetSettings) -> Iterator[ShardPool]:
    """The cores of the cluster in ``settings`` where it offers any, else all of this machine's, as a cluster of it.

    A cluster of this machine is started with the first shards: most runs' inputs are too few for one.
    """
    with ExitStack() as held:
        shared = cluster_shards(settings.cluster, engine_fingerprint()) if settings.cluster else None
        if shared is not None:
            yield shared
            return

        def opened() -> ClusterShards:
            cluster = held.enter_context(local_cluster(settings, cores=fitting_processes()))
            end_s = time.monotonic() + _JOIN_S
            while (shards := cluster_shards(cluster, engine_fingerprint())) is None:
                if time.monotonic() > end_s:
                    raise TargetError(
                        "the cluster of this machine offers no cores", next_step="Run 'harness doctor'."
                    )
                time.sleep(_LOOK_AGAIN_S)
            return shards

        yield LazyShards(opened, engine_fingerprint())
