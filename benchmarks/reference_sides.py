"""The two sides of the benchmark ``reference_cores``, each a whole process from start to written outputs.

``python -m benchmarks.reference_sides SIDE MODEL FORMAT STORE WORKLOAD.json OUTPUTS.npy``. ``loop`` is what a person
writes: the model loaded once, one input after another. ``shards`` is the harness by all cores, with nothing remembered.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.jobs import PixelEncoding
from harness.core.workload import Workload
from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.shard_pools import shard_pool
from harness.wire.blobs import BlobStore
from harness.workloads.reference import compute_reference

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def by_loop(model: Path, source_format: str, workload: Workload, store: BlobStore) -> NDArray[np.float32]:
    """``[inputs, classes]``."""
    encoding = workload.encoding
    assert isinstance(encoding, PixelEncoding)
    pixels = np.memmap(store.path(workload.records), np.uint8, "r").reshape(-1, *encoding.shape)
    mean, scale = (np.array(values, np.float32) for values in (encoding.mean, encoding.scale))
    predict = _litert(model) if source_format == "tflite" else _keras(model)
    return np.concatenate([predict((each[np.newaxis] - mean) / scale) for each in pixels])


def by_shards(model: Path, source_format: str, workload: Workload, store: BlobStore) -> NDArray[np.float32]:
    """``[inputs, classes]``."""
    with (
        tempfile.TemporaryDirectory(dir=store.root) as empty,
        shard_pool(TargetSettings(cache=Path(empty))) as pool,
    ):
        reference = compute_reference(model, source_format, workload, store, Path(empty), pool=pool)
    return np.fromfile(store.path(reference.outputs), "<f4").reshape(-1, reference.classes)


def _keras(path: Path) -> Predict:
    import keras

    model: Any = keras.saving.load_model(path, compile=False)

    def predict(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(model(image, training=False))

    return predict


def _litert(path: Path) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    given, output = (
        details[0]["index"] for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )

    def predict(image: NDArray[np.float32]) -> NDArray[np.float32]:
        interpreter.set_tensor(given, image)
        interpreter.invoke()
        scores: NDArray[np.float32] = interpreter.get_tensor(output)
        return scores

    return predict


def main(arguments: list[str]) -> int:
    side, model, source_format, store, workload, outputs = arguments
    compute = {"loop": by_loop, "shards": by_shards}[side]
    given = Workload.model_validate_json(Path(workload).read_bytes())
    np.save(outputs, compute(Path(model), source_format, given, BlobStore(Path(store))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
