"""Layer by layer through LiteRT: a layer whose weights were spoilt is the one that is blamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.core.jobs import DType, TensorEncoding
from harness.core.layer_blame import rank
from harness.core.workload import Task, Workload, WorkloadInput
from harness.errors import ModelError
from harness.models.tflite import read_tflite
from harness.wire.blobs import BlobStore
from harness.workloads.layers import compare_layers

MODEL = Path(__file__).parents[3] / "fixtures" / "tiny" / "image_float32.tflite"
INPUTS = 6


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path)


@pytest.fixture
def workload(store: BlobStore) -> Workload:
    values = np.random.default_rng(0).uniform(-1, 1, (INPUTS, 1, 8, 8, 3)).astype(np.float32)
    return Workload(
        task=Task.TENSORS,
        inputs=tuple(WorkloadInput(name=str(index), group=str(index)) for index in range(INPUTS)),
        records=store.put_bytes(values.data),
        encoding=TensorEncoding(dtype=DType.FLOAT32, shape=(1, 8, 8, 3)),
    )


def spoilt(tmp_path: Path, constant: int) -> Path:
    """The model with the weights of its constant number ``constant``, the largest first, turned round."""
    data = bytearray(MODEL.read_bytes())
    places = sorted(read_tflite(MODEL).constants, key=lambda one: -one.elements)
    chosen = places[constant]
    values = np.frombuffer(data, "<f4", chosen.elements, chosen.offset_bytes).copy()
    data[chosen.offset_bytes : chosen.offset_bytes + 4 * chosen.elements] = (-values[::-1]).tobytes()
    path = tmp_path / "spoilt.tflite"
    path.write_bytes(data)
    return path


def test_a_model_has_no_error_against_itself(workload: Workload, store: BlobStore) -> None:
    found = compare_layers(MODEL, MODEL, workload, store, [0, 3])
    assert len(found) >= 3
    assert {one.error for one in found} == {0.0}
    assert [one.index for one in found] == sorted(one.index for one in found)


@pytest.mark.parametrize("constant", [0, 1])
def test_the_spoilt_layer_is_blamed_and_no_other(
    workload: Workload, store: BlobStore, tmp_path: Path, constant: int
) -> None:
    found = compare_layers(MODEL, spoilt(tmp_path, constant), workload, store, range(INPUTS))
    blamed = [one.operation for one in rank(found, tolerance=0.05) if one.blamed]
    assert len(blamed) == 1
    before = [one for one in found if one.index < blamed[0].index]
    assert {one.error for one in before} <= {0.0}
    assert blamed[0].error is not None and blamed[0].error > 0.5
    assert blamed[0].input_error == 0.0


def test_a_damaged_variant_is_an_error_that_names_it(
    workload: Workload, store: BlobStore, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(MODEL.read_bytes()[:200])
    with pytest.raises(ModelError) as caught:
        compare_layers(MODEL, broken, workload, store, [0])
    assert caught.value.where == str(broken)
