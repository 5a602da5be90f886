"""Reference and calibration over many inputs: the harness's own memory does not grow with them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.core.jobs import PixelEncoding
from harness.core.workload import Task, Workload, WorkloadInput
from harness.wire.blobs import BlobStore
from harness.wire.strict_json import write_value
from harness.workloads.npy import npy_header

if sys.platform == "win32":
    pytest.skip("there is no peak to ask for", allow_module_level=True)

INPUTS = 256
SIDE = 96
PIXELS = PixelEncoding(shape=(SIDE, SIDE, 3), mean=(127.5,) * 3, scale=(127.5,) * 3)

# Prints the most memory that it ever held, in bytes.
RUN = """
import resource, sys
import harness.shards.pool
from pathlib import Path
from harness.core.variants import Recipe, Variant, VariantSpec
from harness.core.workload import Workload
from harness.models.source import open_source
from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.shard_pools import shard_pool
from harness.variants.builder import build_variants
from harness.variants.cache import VariantCache
from harness.variants.calibration import CalibrationData
from harness.wire.blobs import BlobStore
from harness.workloads.reference import compute_reference

harness.shards.pool.WORTH_A_POOL_INPUTS = 1
model, root = Path(sys.argv[1]), Path(sys.argv[2])
workload = Workload.model_validate_json((root / "workload.json").read_bytes())
store = BlobStore(root)
with shard_pool(TargetSettings(cache=root)) as pool:
    reference = compute_reference(model, "tflite", workload, store, root, pool=pool)
    assert reference.outputs.bytes == 12 * len(workload.inputs)
    (built,) = build_variants(
        open_source(model), [VariantSpec("int8", Recipe.INT8)],
        CalibrationData.stored(workload.calibration, store), VariantCache(root), pool=pool,
    )
assert isinstance(built, Variant), built
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak if sys.platform == "darwin" else peak * 1024)
"""


def pooling_model(path: Path) -> Path:
    """float32 [1, 96, 96, 3] to the mean of each channel."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: bytes, shape: tuple[int, ...]) -> schema.TensorT:
        made = schema.TensorT()
        made.name, made.type, made.shape = name, schema.TensorType.FLOAT32, np.array(shape, np.int32)
        return made

    options = schema.Pool2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = options.filterHeight = options.filterWidth = SIDE
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    operator.builtinOptionsType = schema.BuiltinOptions.Pool2DOptions
    operator.builtinOptions = options
    graph = schema.SubGraphT()
    graph.tensors = [tensor(b"pixels", (1, SIDE, SIDE, 3)), tensor(b"means", (1, 1, 1, 3))]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.AVERAGE_POOL_2D
    model = schema.ModelT()
    model.version, model.operatorCodes = 3, [code]
    model.buffers, model.subgraphs = [schema.BufferT()], [graph]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def make_workload(root: Path, inputs: int, calibration: int) -> int:
    """Put one with so many inputs below ``root``, and return the bytes that it reads."""
    store = BlobStore(root)
    random = np.random.default_rng(1)

    def samples() -> Iterator[bytes]:
        yield npy_header((calibration, *PIXELS.shape), np.dtype("<f4"))
        for _ in range(calibration):
            yield random.uniform(-1, 1, PIXELS.shape).astype("<f4").tobytes()

    workload = Workload(
        task=Task.IMAGE_CLASSIFICATION,
        inputs=tuple(WorkloadInput(name=str(index), group=str(index)) for index in range(inputs)),
        records=store.put_chunks(
            random.integers(0, 256, PIXELS.shape, np.uint8).tobytes() for _ in range(inputs)
        ),
        encoding=PIXELS,
        calibration=store.put_chunks(samples()),
        calibration_count=calibration,
    )
    write_value(root / "workload.json", workload)
    assert workload.calibration is not None
    return workload.records.bytes + workload.calibration.bytes


def peak_bytes(model: Path, root: Path) -> int:
    done = subprocess.run([sys.executable, "-c", RUN, str(model), str(root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_memory_stays_flat(tmp_path: Path) -> None:
    model = pooling_model(tmp_path / "model.tflite")
    few = make_workload(tmp_path / "few", INPUTS, INPUTS)
    many = make_workload(tmp_path / "many", 20 * INPUTS, 5 * INPUTS)
    assert many - few > 200_000_000
    grown = peak_bytes(model, tmp_path / "many") - peak_bytes(model, tmp_path / "few")
    # The names of the inputs are in memory, and what the allocator keeps.
    assert grown < 32_000_000
