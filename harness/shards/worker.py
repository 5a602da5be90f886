"""Computes shards in processes that stay warm: one that has loaded a model takes the next shard of the same model."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from harness.core.value import Value
from harness.errors import HarnessError
from harness.shards.engine_process import EngineProcess
from harness.shards.engines import MODULES, engine_name
from harness.shards.request import RangesEngine, ReferenceEngine, ShardRequest
from harness.shards.source_files import PlacedSource, place_source
from harness.wire.blobs import BlobStore


class EngineOpening(Value):
    """What an engine's process opens: ``source`` is a path on its machine."""

    source: str
    engine: ReferenceEngine | RangesEngine


class ShardPart(Value):
    """The inputs that it computes next, ``first`` counted in the whole workload."""

    first: int
    count: int
    names: tuple[str, ...] = ()


class ShardWorker:
    """At most ``processes`` engine processes, each with one thread. ``run`` may be called from several threads."""

    def __init__(self, store: BlobStore, *, processes: int = 1) -> None:
        self._store = store
        self._slots = threading.BoundedSemaphore(processes)
        self._processes = processes
        self._lock = threading.Lock()
        self._closed = False
        self._busy: set[EngineProcess] = set()
        self._idle: list[tuple[str, EngineProcess]] = []
        """The engine they have open, the least recently used first."""
        self._folder = tempfile.TemporaryDirectory(prefix="harness-shards-", ignore_cleanup_errors=True)

    def run(self, request: ShardRequest, payload: Sequence[bytes | memoryview]) -> bytes:
        """The answer to ``request``, as its engine says; waits where all processes are busy.

        Raises:
            ModelError, WorkloadError, BuildError: the engine says so, or crashed. An error about the model itself has
                no ``where``; one about a file of it, its name in the request.
            WireError: the store lacks the model, or the payload is not what the request says.
        """
        request.check_payload(payload)
        with self._slots:
            placed = self._placed(request)
            key = request.engine.model_dump_json()
            process = self._taken(key) or self._started(request, placed)
            part = ShardPart(first=request.first, count=request.count, names=request.names)
            try:
                answer = process.run(part, payload)
            except HarnessError as error:
                self._dropped(process)
                raise type(error)(
                    error.problem, where=placed.named(error.where), next_step=error.next_step
                ) from error
            except BaseException:
                self._dropped(process)
                raise
            self._returned(key, process)
            return answer

    def close(self) -> None:
        """End all processes; shards that are under way fail."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for process in self._busy:
                process.kill()
        for _, process in idle:
            process.close()
        self._folder.cleanup()

    def _placed(self, request: ShardRequest) -> PlacedSource:
        with self._lock:
            if self._closed:
                raise _interrupted()
            return place_source(request.engine.source, self._store, Path(self._folder.name))

    def _taken(self, key: str) -> EngineProcess | None:
        """An idle process that has this engine open."""
        with self._lock:
            for index, (opened, process) in enumerate(self._idle):
                if opened == key:
                    del self._idle[index]
                    self._busy.add(process)
                    return process
        return None

    def _started(self, request: ShardRequest, placed: PlacedSource) -> EngineProcess:
        with self._lock:
            if self._closed:
                raise _interrupted()
            surplus = len(self._busy) + len(self._idle) - self._processes + 1
            ended, self._idle = self._idle[: max(0, surplus)], self._idle[max(0, surplus) :]
            process = EngineProcess(
                MODULES[request.engine.kind],
                EngineOpening(source=str(placed.path), engine=request.engine),
                model=str(placed.path),
                engine=engine_name(request.engine.source.format),
            )
            self._busy.add(process)
        for _, old in ended:
            old.close()
        return process

    def _returned(self, key: str, process: EngineProcess) -> None:
        with self._lock:
            self._busy.discard(process)
            if not self._closed:
                self._idle.append((key, process))
                return
        process.close()

    def _dropped(self, process: EngineProcess) -> None:
        with self._lock:
            self._busy.discard(process)
        process.close()


def _interrupted() -> HarnessError:
    return HarnessError("was interrupted", next_step="Run the command again.")
