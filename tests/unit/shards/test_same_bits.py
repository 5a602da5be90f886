"""However a workload is cut, whoever computes the shards and whichever is done first: the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.core.jobs import DType, Encoding, PixelEncoding, TensorEncoding
from harness.core.model_io import ModelIO
from harness.core.workload import Task, TensorRecords, Workload, WorkloadInput
from harness.models.source import SourceFormat
from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.shard_pools import shard_pool
from harness.shards.pool import OneProcess, Shard, ShardPool
from harness.shards.request import BATCH, Kernels, ReferenceEngine
from harness.shards.source_files import store_source
from harness.shards.worker import ShardWorker
from harness.wire.blobs import BlobStore
from harness.workloads.reference import input_tensors, reference_shards

ROOT = Path(__file__).parents[3]
TINY = ROOT / "fixtures" / "tiny"
FETCHED = ROOT / "fixtures" / "cache"
COUNT = 3 * BATCH + 7


class BackToFront:
    """Two workers that take turns, the last shard first."""

    def run(
        self, store: BlobStore, shards: Iterable[Shard], given_up: threading.Event | None = None
    ) -> Generator[bytes, None, None]:
        waiting = list(shards)
        workers = [ShardWorker(store), ShardWorker(store)]
        try:
            answers = [
                workers[index % 2].run(shard.request, shard.payload())
                for index, shard in reversed(list(enumerate(waiting)))
            ]
            yield from reversed(answers)
        finally:
            for worker in workers:
                worker.close()


def workload(store: BlobStore, *tensors: tuple[str, np.ndarray, Encoding]) -> Workload:
    (name, records, encoding), *others = tensors
    return Workload(
        task=Task.TENSORS,
        inputs=tuple(WorkloadInput(name=str(index), group=str(index)) for index in range(len(records))),
        tensor=name,
        records=store.put_bytes(records.tobytes()),
        encoding=encoding,
        further_tensors=tuple(
            TensorRecords(tensor=name, records=store.put_bytes(records.tobytes()), encoding=encoding)
            for name, records, encoding in others
        ),
    )


def numbers(*shape: int, count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=(count, 1, *shape)).astype(np.float32)


def tensor(*shape: int, dtype: DType = DType.FLOAT32) -> TensorEncoding:
    return TensorEncoding(dtype=dtype, shape=(1, *shape))


def answers(
    pool: ShardPool, store: BlobStore, engine: ReferenceEngine, given: Workload, size: int
) -> np.ndarray:
    """Rows ``[inputs, classes]``, as bits."""
    joined = b"".join(pool.run(store, reference_shards(engine, given, store, size)))
    return np.frombuffer(joined, "<u4").reshape(len(given.inputs), -1)


def check_same_bits(
    source: Path,
    source_format: SourceFormat,
    given: Workload,
    store: BlobStore,
    *,
    io: ModelIO | None = None,
    kernels: Kernels = Kernels.DEFAULT,
    cores: ShardPool | None = None,
) -> None:
    engine = ReferenceEngine(
        source=store_source(source, source_format, store).files,
        inputs=input_tensors(given),
        io=io or ModelIO(),
        kernels=kernels,
    )
    whole = answers(OneProcess(), store, engine, given, len(given.inputs) + BATCH)
    # Rows that are all alike would show nothing.
    assert len({row.tobytes() for row in whole}) > BATCH
    # TensorFlow takes seconds to load: there two processes must do.
    others: list[tuple[ShardPool, int]] = [(BackToFront(), BATCH)]
    if source_format is SourceFormat.TFLITE:
        others.append((OneProcess(), BATCH))
    if cores is not None:
        others += [(cores, BATCH), (cores, 2 * BATCH)]
    for pool, size in others:
        np.testing.assert_array_equal(answers(pool, store, engine, given, size), whole)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "store")


@pytest.fixture(scope="module")
def cores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShardPool]:
    """A cluster of this machine."""
    with shard_pool(TargetSettings(cache=tmp_path_factory.mktemp("cores"))) as pool:
        yield pool


@pytest.mark.parametrize("kernels", Kernels)
def test_a_tflite(store: BlobStore, kernels: Kernels, cores: ShardPool) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (COUNT, 8, 8, 3), np.uint8)
    encoding = PixelEncoding(shape=(8, 8, 3), mean=(127.5,) * 3, scale=(127.5,) * 3)
    given = workload(store, ("", pixels, encoding))
    check_same_bits(
        TINY / "image_float32.tflite", SourceFormat.TFLITE, given, store, kernels=kernels, cores=cores
    )


def test_a_tflite_that_keeps_its_state(store: BlobStore) -> None:
    tokens = np.random.default_rng(2).integers(0, 50, (COUNT, 1, 12)).astype(np.int32)
    given = workload(store, ("", tokens, tensor(12, dtype=DType.INT32)))
    check_same_bits(TINY / "stateful_int32.tflite", SourceFormat.TFLITE, given, store)


def test_a_tflite_of_two_inputs(store: BlobStore) -> None:
    given = workload(store, ("alpha", numbers(6), tensor(6)), ("zulu", numbers(4), tensor(4)))
    check_same_bits(TINY / "two_in_two_out.tflite", SourceFormat.TFLITE, given, store)


@pytest.mark.slow
def test_a_graph(store: BlobStore, tmp_path: Path) -> None:
    from fixtures import tiny_graphs

    given = workload(store, ("", numbers(8, 8, 3), tensor(8, 8, 3)))
    served = tiny_graphs.write_saved_model_v2(tmp_path / "served")
    check_same_bits(served, SourceFormat.SAVED_MODEL, given, store, io=ModelIO(output="extra"))


MAKE_KERAS_MODELS = """
import sys
import keras

keras.utils.set_random_seed(7)
given = keras.Input((24, 24, 3))
features = keras.layers.Conv2D(40, 5, activation="relu")(given)
scores = keras.layers.Dense(17, activation="softmax")(keras.layers.Flatten()(features))
keras.Model(given, scores).save(sys.argv[1] + "/convolution.keras")
given = keras.Input(batch_shape=(1, 6, 3))
scores = keras.layers.Dense(5)(keras.layers.LSTM(8, stateful=True)(given))
keras.Model(given, scores).save(sys.argv[1] + "/stateful.keras")
"""


@pytest.mark.slow
def test_keras_models(store: BlobStore, tmp_path: Path) -> None:
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", MAKE_KERAS_MODELS, str(tmp_path)], check=True, env=environment)
    given = workload(store, ("", numbers(24, 24, 3), tensor(24, 24, 3)))
    check_same_bits(tmp_path / "convolution.keras", SourceFormat.KERAS, given, store)
    # The same input over and over: what the one before left in the model would show.
    given = workload(store, ("", np.repeat(numbers(6, 3, count=2 * BATCH), 2, axis=0), tensor(6, 3)))
    engine = ReferenceEngine(
        source=store_source(tmp_path / "stateful.keras", SourceFormat.KERAS, store).files,
        inputs=input_tensors(given),
    )
    rows = answers(OneProcess(), store, engine, given, BATCH)
    np.testing.assert_array_equal(rows[::2], rows[1::2])


@pytest.mark.slow
def test_a_real_network(store: BlobStore) -> None:
    source = FETCHED / "efficientnet-lite0.keras"
    if not source.exists():
        pytest.skip("python -m fixtures.get")
    pixels = np.random.default_rng(1).integers(0, 256, (2 * BATCH + 3, 224, 224, 3), np.uint8)
    encoding = PixelEncoding(shape=(224, 224, 3), mean=(127.0,) * 3, scale=(128.0,) * 3)
    given = workload(store, ("", pixels, encoding))
    check_same_bits(source, SourceFormat.KERAS, given, store)
