"""Computes shards in processes that stay warm: one that has loaded a model takes the next shard of the same model."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from harness.core.value import Value
from harness.errors import HarnessError
from harness.shards.engine_process import EngineProcess
from harness.shards.engines import MODULES, engine_name
from harness.shards.request import RangesEngine, ReferenceEngine, ShardRequest
from harness.shards.source_files import PlacedSource, place_source
from harness.wire.blobs import BlobStore

IDLE_S: Final = 300.0


class EngineOpening(Value):
    """What an engine's process opens: ``source`` is a path on its machine."""

    source: str
    engine: ReferenceEngine | RangesEngine


class ShardPart(Value):
    """The inputs that it computes next, ``first`` counted in the whole workload."""

    first: int
    count: int
    names: tuple[str, ...] = ()


class _Idle(NamedTuple):
    """``key`` names the engine that the process has open."""

    key: str
    process: EngineProcess
    since_s: float


ENGINES_AT_ONCE: Final = 3
"""A reference and the calibrations of two recipes are computed side by side. Starting an engine anew for each of their
shards would take longer than all the rest."""


class ShardWorker:
    """At most ``processes`` engine processes, each with one thread. ``run`` may be called from several threads.

    A process that nobody needs for ``IDLE_S`` is ended: one with TensorFlow holds half a gigabyte.
    """

    def __init__(self, store: BlobStore, *, processes: int = 1) -> None:
        self._store = store
        self._slots = threading.BoundedSemaphore(processes)
        self._processes = processes
        self._lock = threading.Lock()
        self._closed = False
        self._busy: set[EngineProcess] = set()
        self._idle: list[_Idle] = []
        """The least recently used first."""
        self._reaper: threading.Timer | None = None
        store.root.mkdir(parents=True, exist_ok=True)
        # Beside the blobs, so that the files of a model can be links to them.
        self._folder = tempfile.TemporaryDirectory(
            prefix=".shards-", dir=store.root, ignore_cleanup_errors=True
        )

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
            if self._reaper is not None:
                self._reaper.cancel()
        for each in idle:
            each.process.close()
        self._folder.cleanup()

    def _placed(self, request: ShardRequest) -> PlacedSource:
        with self._lock:
            if self._closed:
                raise interrupted()
            return place_source(request.engine.source, self._store, Path(self._folder.name))

    def _taken(self, key: str) -> EngineProcess | None:
        """An idle process that has this engine open."""
        with self._lock:
            for each in self._idle:
                if each.key == key:
                    self._idle.remove(each)
                    self._busy.add(each.process)
                    return each.process
        return None

    def _started(self, request: ShardRequest, placed: PlacedSource) -> EngineProcess:
        with self._lock:
            if self._closed:
                raise interrupted()
            surplus = len(self._busy) + len(self._idle) - ENGINES_AT_ONCE * self._processes + 1
            ended, self._idle = self._idle[: max(0, surplus)], self._idle[max(0, surplus) :]
            process = EngineProcess(
                MODULES[request.engine.kind],
                EngineOpening(source=str(placed.path), engine=request.engine),
                model=str(placed.path),
                engine=engine_name(request.engine.source.format),
            )
            self._busy.add(process)
        for each in ended:
            each.process.close()
        return process

    def _returned(self, key: str, process: EngineProcess) -> None:
        with self._lock:
            self._busy.discard(process)
            if not self._closed:
                self._idle.append(_Idle(key, process, time.monotonic()))
                self._watch_idle()
                return
        process.close()

    def _watch_idle(self) -> None:
        """With the lock: see to those that nobody takes again."""
        if self._reaper is None and self._idle and not self._closed:
            self._reaper = threading.Timer(IDLE_S, self._end_idle)
            self._reaper.daemon = True
            self._reaper.start()

    def _end_idle(self) -> None:
        with self._lock:
            self._reaper = None
            before = time.monotonic() - IDLE_S
            ended = [each for each in self._idle if each.since_s <= before]
            self._idle = [each for each in self._idle if each.since_s > before]
            self._watch_idle()
        for each in ended:
            each.process.close()

    def _dropped(self, process: EngineProcess) -> None:
        with self._lock:
            self._busy.discard(process)
        process.close()


def interrupted() -> HarnessError:
    """The error of a computation that was given up."""
    return HarnessError("was interrupted", next_step="Run the command again.")
