"""Who computes shards: one process or, behind the same protocol, a cluster's cores (``harness.cluster.shards``)."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Protocol

from harness.shards.engine_fingerprint import engine_fingerprint
from harness.shards.request import ShardRequest
from harness.shards.worker import ShardWorker, interrupted
from harness.wire.blobs import BlobStore

_LOOK_UP_S: Final = 0.2


@dataclass(frozen=True)
class Shard:
    """``payload`` reads the shard's inputs; it is called when they are sent, and again where they are sent again."""

    request: ShardRequest
    payload: Callable[[], Sequence[bytes | memoryview]]


class ShardPool(Protocol):
    """``run`` may be called from several threads, each with shards of its own."""

    @property
    def fingerprint(self) -> str:
        """Of the machines that compute: where it is the same, so are the bits; see ``engine_fingerprint``."""
        ...

    def run(
        self, store: BlobStore, shards: Iterable[Shard], given_up: threading.Event | None = None
    ) -> Generator[bytes, None, None]:
        """The answers in the order of ``shards``, of which only some are taken ahead.

        ``store`` holds the blobs that the requests name. Once ``given_up`` is set, nobody waits for an answer any
        more. Closing the generator ends what is under way.

        Raises:
            ModelError, WorkloadError, WireError, BuildError: see ``ShardWorker.run``; at the answer that is not there.
            HarnessError: it was given up.
        """
        ...


def answer_of(future: Future[bytes], given_up: threading.Event | None) -> bytes:
    """Wait for one answer; for the implementations of ``ShardPool``.

    Raises:
        HarnessError: ``given_up`` was set meanwhile, or what the computation raised.
    """
    while given_up is not None and not wait([future], _LOOK_UP_S).done:
        if given_up.is_set():
            raise interrupted()
    return future.result()


WORTH_A_POOL_INPUTS: Final = 1000
"""From here on several processes are worth their start, which other work of a run, such as conversions, has to share
the cores with: on two cores, EfficientNet-Lite0 takes one process as long as two at 128 inputs; at 512 the second
saves a quarter of the time by Keras (3 s to load) and a third as a .tflite (0.2 s)."""

_PROCESS_BYTES: Final = 2 << 30
"""What a process may need: TensorFlow with EfficientNet-Lite0 and its batch of 32 takes 1 GB."""


def pool_for(inputs: int, pool: ShardPool | None) -> ShardPool:
    """Who computes a workload of so many inputs: ``pool`` where that is worth it, else one process."""
    return pool if pool is not None and inputs >= WORTH_A_POOL_INPUTS else OneProcess()


def fitting_processes() -> int:
    """How many engine processes this machine holds side by side: one for each core, fewer where memory is short."""
    return processes_for(os.cpu_count() or 1, memory_bytes())


def processes_for(cores: int, memory_bytes: int | None) -> int:
    """``fitting_processes`` of a machine with so much; ``None``: its memory is not known."""
    return cores if memory_bytes is None else max(1, min(cores, memory_bytes // _PROCESS_BYTES))


def memory_bytes() -> int | None:
    """Of this machine; ``None`` where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        # Windows has no sysconf, and others lack a name.
        return None


class OneProcess:
    """Every shard in one engine process, with one thread: for few inputs."""

    @property
    def fingerprint(self) -> str:
        """See ``ShardPool.fingerprint``."""
        return engine_fingerprint()

    def run(
        self, store: BlobStore, shards: Iterable[Shard], given_up: threading.Event | None = None
    ) -> Generator[bytes, None, None]:
        worker = ShardWorker(store)
        thread = ThreadPoolExecutor(1, thread_name_prefix="shard")
        waiting: deque[Future[bytes]] = deque()

        def compute(shard: Shard) -> bytes:
            return worker.run(shard.request, shard.payload())

        try:
            for shard in shards:
                waiting.append(thread.submit(compute, shard))
                # One more than is computed: the process does not wait while an answer is taken.
                if len(waiting) == 2:
                    yield answer_of(waiting.popleft(), given_up)
            while waiting:
                yield answer_of(waiting.popleft(), given_up)
        finally:
            for future in waiting:
                future.cancel()
            worker.close()
            thread.shutdown()
