from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.errors import ModelError
from harness.models.tflite import WeightBuffer, read_tflite
from harness.transforms.round_tflite import is_weight, round_to_levels, round_weights

MODEL = Path(__file__).parents[3] / "fixtures" / "tiny" / "image_float32.tflite"

finite = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)


@given(arrays(np.float32, st.integers(1, 600), elements=finite))
def test_rounding_keeps_the_bound_the_levels_and_zero(weights: np.ndarray) -> None:
    rounded = round_to_levels(weights)
    spread = float(weights.max()) - float(weights.min())
    slack = 4 * float(np.spacing(np.abs(weights).max()))
    assert np.abs(rounded.astype(np.float64) - weights).max() <= spread / 510 + slack
    assert len(np.unique(rounded)) <= 256
    assert np.all(rounded[weights == 0.0] == 0.0)
    assert rounded.dtype == np.float32


def test_a_ramp_uses_all_256_levels() -> None:
    weights = np.linspace(-1, 3, 10_000, dtype=np.float32)
    assert len(np.unique(round_to_levels(weights))) == 256


def test_equal_weights_stay() -> None:
    weights = np.full(2000, 0.3, np.float32)
    np.testing.assert_array_equal(round_to_levels(weights), weights)


def test_a_model_keeps_its_size_and_still_gives_nearly_the_same(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    def output(content: bytes) -> np.ndarray:
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        image = np.random.default_rng(1).uniform(-1, 1, (1, 8, 8, 3)).astype(np.float32)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
        found: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return found

    data = MODEL.read_bytes()
    constants = read_tflite(MODEL).constants
    model = round_weights(data, constants)
    assert len(model.data) == len(data) and model.data != data
    assert len(zlib.compress(model.data)) < 0.8 * len(zlib.compress(data))
    (tensor,) = model.tensors
    assert tensor.elements == 1280
    assert 0 < tensor.largest_error <= tensor.bound * (1 + 1e-5)
    assert tensor.bound == tensor.range / 510
    difference = np.abs(output(model.data) - output(data)).max()
    assert 0 < difference < 0.05

    changed = np.frombuffer(model.data, np.uint8) != np.frombuffer(data, np.uint8)
    weights = next(constant for constant in constants if constant.elements == 1280)
    touched = np.flatnonzero(changed)
    assert touched.min() >= weights.offset_bytes
    assert touched.max() < weights.offset_bytes + 4 * weights.elements


def test_weights_outside_the_flatbuffer_are_rounded_too(tmp_path: Path) -> None:
    """Buffer.offset and size, as litert-quantizer and models above 2 GB have them."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    tables = flatbuffer_utils.read_model_from_bytearray(MODEL.read_bytes())
    contents = [b"" if buffer.data is None else bytes(buffer.data) for buffer in tables.buffers]
    weights = max(contents, key=len)
    place = contents.index(weights)
    tables.buffers[place].data = None
    tables.buffers[place].offset = tables.buffers[place].size = 2**40

    import flatbuffers

    def packed() -> bytes:
        builder = flatbuffers.Builder(0)
        builder.Finish(tables.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    start = -(-len(packed()) // 16) * 16
    tables.buffers[place].offset, tables.buffers[place].size = start, len(weights)
    data = packed().ljust(start, b"\0") + weights
    assert schema.Model.GetRootAs(data, 0).Buffers(place).Offset() == start

    path = tmp_path / "outside.tflite"
    path.write_bytes(data)
    model = round_weights(data, read_tflite(path).constants)
    assert model.data[:start] == data[:start]
    assert len(np.unique(np.frombuffer(model.data, "<f4", offset=start))) <= 256

    path.write_bytes(data[:-1])
    with pytest.raises(ModelError, match="a buffer lies at bytes"):
        read_tflite(path)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((32, 32), True), ((1, 3, 3, 128), True), ((1280,), False), ((1, 1, 1, 2048), False), ((31, 33), False)],
)
def test_only_large_tensors_of_two_axes_are_weights(shape: tuple[int, ...], expected: bool) -> None:
    assert is_weight(WeightBuffer("w", shape, 0, int(np.prod(shape)))) is expected


def test_infinite_masks_are_left_alone() -> None:
    mask = np.zeros((64, 64), np.float32)
    mask[0, 0] = -np.inf
    weights = np.linspace(0, 1, 4096, dtype=np.float32)
    constants = [WeightBuffer("mask", (64, 64), 0, 4096), WeightBuffer("w", (64, 64), 4 * 4096, 4096)]
    model = round_weights(mask.tobytes() + weights.tobytes(), constants)
    assert model.data[: 4 * 4096] == mask.tobytes()
    assert [tensor.name for tensor in model.tensors] == ["w"]


def test_a_model_without_weights_is_refused() -> None:
    with pytest.raises(ModelError, match="no float32 weights"):
        round_weights(b"", [])
