"""The reference: what the source model gives for a workload on this machine.

It is computed shard by shard in processes of their own (``harness.workloads.reference_worker``), so that a model that
crashes its engine is an error here, and TensorFlow is never imported by the caller. Neither inputs nor outputs are
ever in memory as a whole.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.model_io import ModelIO
from harness.core.workload import GivenTensor, Reference, Workload
from harness.errors import HarnessError, ModelError, WireError
from harness.models.source import SourceFormat, hash_source
from harness.shards.engines import engine_name
from harness.shards.pool import OneProcess, Shard, ShardPool, pool_for
from harness.shards.request import (
    BATCH,
    CODE_VERSION,
    InputTensor,
    Kernels,
    ReferenceEngine,
    ShardRequest,
)
from harness.shards.source_files import StoredSource, store_source
from harness.wire.blobs import BlobStore
from harness.wire.strict_json import write_value
from harness.workloads.decoding import Progress
from harness.workloads.loaded import read_remembered


def compute_reference(
    source: Path,
    source_format: str,
    workload: Workload,
    store: BlobStore,
    cache_dir: Path,
    on_progress: Progress | None = None,
    *,
    io: ModelIO | None = None,
    kernels: Kernels = Kernels.DEFAULT,
    pool: ShardPool | None = None,
    given_up: threading.Event | None = None,
) -> Reference:
    """The outputs of ``source`` for every input, as a blob in ``store``: float32 ``[inputs, classes]``.

    Remembered in ``<cache_dir>/references/<key>.json`` by the bytes of the model and the records, their
    encoding, the engine's version and the kind of machine; then nothing is computed.

    Args:
        source_format: a value of ``SourceFormat``.
        io: which output is taken (empty: the first, of a graph the only one), and a graph's input.
        kernels: of a .tflite.
        pool: who computes a workload that is large enough for it; see ``pool_for``. The bytes are the same.
        given_up: once it is set, nothing more is computed.

    Raises:
        ModelError: the model cannot be loaded, fails or crashes, or gives no vector of scores.
        WorkloadError: the records do not fit the model's inputs.
        WireError: ``store`` lacks the records.
        HarnessError: it was given up.
    """
    known = SourceFormat(source_format)
    io = io or ModelIO()
    engine = engine_name(known)
    count = len(workload.inputs)
    computing = pool_for(count, pool)
    key = _key(source, known, workload, io, engine, kernels, computing.fingerprint)
    entry = cache_dir / "references" / f"{key}.json"
    remembered = read_remembered(entry, Reference)
    if remembered is not None and store.has(remembered.outputs):
        return remembered
    for given in workload.tensors:
        store.verify(given.records)
    stored = store_source(source, known, store)
    asked = ReferenceEngine(source=stored.files, inputs=input_tensors(workload), io=io, kernels=kernels)
    shards = reference_shards(asked, workload, store)
    scores = _Scores(stored, [item.name for item in workload.inputs], on_progress)
    outputs = store.put_chunks(scores.of(computing, store, shards, given_up))
    reference = Reference(outputs=outputs, classes=scores.classes, engine=engine)
    write_value(entry, reference)
    return reference


def outputs_of_files(
    source: Path,
    source_format: str,
    files: Sequence[Path],
    on_progress: Progress | None = None,
    *,
    io: ModelIO | None = None,
) -> tuple[NDArray[np.float32], str]:
    """The outputs ``[files, classes]`` of a graph whose input takes the bytes of image files, and the engine.

    Raises:
        ModelError: as for ``compute_reference``, or the graph cannot decode a file.
    """
    known = SourceFormat(source_format)
    engine = engine_name(known)
    with tempfile.TemporaryDirectory(prefix="harness-reference-") as folder:
        store = BlobStore(Path(folder))
        stored = store_source(source, known, store)
        asked = ReferenceEngine(source=stored.files, io=io or ModelIO())
        names = [file.name for file in files]
        shards = (
            Shard(
                ShardRequest(engine=asked, first=index, count=1, names=(_printable(file.name),)),
                partial(_file_bytes, file),
            )
            for index, file in enumerate(files)
        )
        scores = _Scores(stored, names, on_progress)
        outputs = b"".join(scores.of(OneProcess(), store, shards))
    return np.frombuffer(outputs, "<f4").reshape(len(files), scores.classes), engine


def input_tensors(workload: Workload) -> tuple[InputTensor, ...]:
    """The workload's tensors as an engine is told of them."""
    return tuple(InputTensor(tensor=given.tensor, encoding=given.encoding) for given in workload.tensors)


def reference_shards(
    engine: ReferenceEngine, workload: Workload, store: BlobStore, size: int = BATCH
) -> Iterator[Shard]:
    """The whole workload in shards of ``size`` inputs, a multiple of ``BATCH``."""
    count = len(workload.inputs)
    for first in range(0, count, size):
        request = ShardRequest(engine=engine, first=first, count=min(size, count - first))
        yield Shard(request, partial(read_inputs, workload, store, slice(first, first + request.count)))


def read_inputs(workload: Workload, store: BlobStore, positions: slice) -> list[bytes]:
    """The records at ``positions``, one buffer for each of the workload's tensors.

    Raises:
        WireError: ``store`` lacks them.
    """
    return [_read_records(given, store, positions) for given in workload.tensors]


def _read_records(given: GivenTensor, store: BlobStore, positions: slice) -> bytes:
    size = given.encoding.record_bytes
    wanted = size * (positions.stop - positions.start)
    # Read, not mapped: what was mapped counts as this process's memory.
    with store.path(given.records).open("rb") as stream:
        stream.seek(size * positions.start)
        records = stream.read(wanted)
    if len(records) != wanted:
        raise WireError(
            "the records were cut off while they were read",
            where=str(store.path(given.records)),
            next_step="Run the command again when nothing else writes to the cache.",
        )
    return records


def _printable(name: str) -> str:
    """What of a file's name JSON can hold: names of files need not be text."""
    return name.encode(errors="replace").decode()


def _file_bytes(file: Path) -> list[bytes]:
    try:
        return [file.read_bytes()]
    except OSError as error:
        raise ModelError(
            f"cannot be read: {error.strerror or error}",
            where=str(file),
            next_step="Check the file and its permissions.",
        ) from error


class _Scores:
    """The answers of shards, in order, as the bytes of the outputs; ``classes`` is known after the first."""

    def __init__(self, source: StoredSource, names: Sequence[str], on_progress: Progress | None) -> None:
        self.classes = 0
        self._source = source
        self._names = names
        self._on_progress = on_progress
        self._not_a_number: list[int] = []

    def of(
        self,
        pool: ShardPool,
        store: BlobStore,
        shards: Iterable[Shard],
        given_up: threading.Event | None = None,
    ) -> Iterator[bytes]:
        counts: list[int] = []

        def counted() -> Iterator[Shard]:
            for shard in shards:
                counts.append(shard.request.count)
                yield shard

        done = 0
        try:
            with closing(pool.run(store, counted(), given_up)) as answers:
                for index, answer in enumerate(answers):
                    self._check(answer, done, counts[index])
                    yield answer
                    done += counts[index]
                    if self._on_progress is not None:
                        self._on_progress(done, len(self._names))
        except HarnessError as error:
            raise self._source.located(error) from error
        if done != len(self._names):
            raise self._broken(f"{done} of {len(self._names)} inputs were computed")
        if self._not_a_number:
            raise ModelError(
                f"the source model gives NaN for {len(self._not_a_number)} of {done} inputs, first for "
                f"{self._names[self._not_a_number[0]]}",
                where=str(self._source.path),
                next_step="Check the preprocessing (mean, scale) and the model's weights.",
            )

    def _check(self, answer: bytes, first: int, count: int) -> None:
        classes, rest = divmod(len(answer), 4 * count)
        if rest or classes < 1:
            raise self._broken(f"the answer for {count} inputs has {len(answer)} bytes")
        if classes != (self.classes or classes):
            raise self._broken(f"the model gives {classes} scores for input {first}, {self.classes} before")
        self.classes = classes
        bad = np.isnan(np.frombuffer(answer, "<f4").reshape(count, classes)).any(axis=1)
        self._not_a_number += (first + np.flatnonzero(bad)).tolist()

    def _broken(self, problem: str) -> ModelError:
        return ModelError(
            problem,
            where=str(self._source.path),
            next_step="Export the model with one vector of scores for each input.",
        )


def _key(
    source: Path,
    source_format: SourceFormat,
    workload: Workload,
    io: ModelIO,
    engine: str,
    kernels: Kernels,
    fingerprint: str,
) -> str:
    everything = {
        "code": CODE_VERSION,
        "engine": engine,
        "fingerprint": fingerprint,
        "source": [hash_source(source, source_format)[0], source_format.value],
        "records": workload.digest,
        "io": io.model_dump(mode="json"),
    }
    if kernels is not Kernels.DEFAULT:
        everything["kernels"] = kernels.value
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()
