from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.jobs import DType
from harness.errors import ModelError
from harness.models.tflite import parse_tflite, read_tflite

TINY = Path(__file__).parents[3] / "fixtures" / "tiny"
FLOAT32 = (TINY / "image_float32.tflite").read_bytes()


def test_a_float32_model_is_described() -> None:
    model = read_tflite(TINY / "image_float32.tflite")
    (image,) = model.inputs
    assert (image.name, image.dtype, image.shape) == ("image", DType.FLOAT32, (1, 8, 8, 3))
    assert image.quantization is None
    (output,) = model.outputs
    assert (output.name, output.shape) == ("probabilities", (1, 10))
    assert model.is_float32


def test_a_quantized_model_is_described_as_the_runtime_does() -> None:
    from ai_edge_litert.interpreter import Interpreter

    model = read_tflite(TINY / "image_int8.tflite")
    scale, zero_point = Interpreter(str(TINY / "image_int8.tflite")).get_input_details()[0]["quantization"]
    quantization = model.inputs[0].quantization
    assert quantization is not None
    assert (quantization.scale, quantization.zero_point) == (pytest.approx(scale, rel=1e-7), zero_point)
    assert model.inputs[0].dtype is DType.INT8
    assert not model.is_float32


def test_names_come_from_the_signature_and_an_open_batch_is_minus_one() -> None:
    model = read_tflite(TINY / "two_in_two_out.tflite")
    assert {tensor.name for tensor in model.inputs} >= {"zulu"}
    assert {tensor.shape[0] for tensor in model.inputs} == {-1}


def test_constants_are_where_the_weights_are() -> None:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(TINY / "image_float32.tflite"))
    interpreter.allocate_tensors()
    by_name = {tensor["name"]: tensor["index"] for tensor in interpreter.get_tensor_details()}
    constants = read_tflite(TINY / "image_float32.tflite").constants
    assert max(constant.elements for constant in constants) == 1280
    for constant in constants:
        found = np.frombuffer(FLOAT32, "<f4", constant.elements, constant.offset_bytes)
        expected = interpreter.get_tensor(by_name[constant.name])
        np.testing.assert_array_equal(found, expected.reshape(-1))


@pytest.mark.parametrize("kept", [8, 20, 100, len(FLOAT32) // 2, len(FLOAT32) - 100])
def test_a_truncated_model_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(FLOAT32[:kept])
    with pytest.raises(ModelError, match=r"not a complete \.tflite") as caught:
        read_tflite(path)
    assert caught.value.where == str(path)


def test_a_buffer_outside_the_file_is_refused() -> None:
    # The second buffer's vector is made longer than the file.
    constant = read_tflite(TINY / "image_float32.tflite").constants[0]
    data = bytearray(FLOAT32)
    struct.pack_into("<I", data, constant.offset_bytes - 4, 2**31)
    with pytest.raises(ModelError, match="a list lies at bytes"):
        parse_tflite(data, where="model")


def test_a_small_file_that_repeats_one_big_table_ends_soon() -> None:
    """Vectors of n offsets to one table whose vector has n offsets: n * n tables in 8 n bytes."""
    count = 20_000
    data = bytearray(16)
    data[4:8] = b"TFL3"

    def table(fields: dict[int, int]) -> int:
        slots = max(fields) + 1
        vtable = len(data)
        data.extend(struct.pack("<HH", 4 + 2 * slots, 4 + 4 * len(fields)))
        offsets = {index: 4 + 4 * place for place, index in enumerate(fields)}
        data.extend(b"".join(struct.pack("<H", offsets.get(index, 0)) for index in range(slots)))
        position = len(data)
        data.extend(struct.pack("<i", position - vtable) + bytes(4 * len(fields)))
        for index, value in fields.items():
            struct.pack_into("<I", data, position + offsets[index], value)
        return position

    def point(position: int, target: int) -> None:
        struct.pack_into("<I", data, position, target - position)

    # Unsigned offsets point forward only, so each list is written before what it points at.
    model = table({0: 3, 2: 0, 4: 0})
    graphs = len(data)
    data.extend(struct.pack("<I", count) + bytes(4 * count))
    graph = table({0: 0})
    tensors = len(data)
    data.extend(struct.pack("<I", count) + bytes(4 * count))
    tensor = table({2: 0})
    point(0, model)
    point(model + 8, graphs)
    point(model + 12, len(data))
    data.extend(struct.pack("<II", 1, 4))
    point(len(data) - 4, table({9: 0}))
    point(graph + 4, tensors)
    for item in range(count):
        point(graphs + 4 + 4 * item, graph)
        point(tensors + 4 + 4 * item, tensor)
    with pytest.raises(ModelError, match="more tables than it can hold"):
        parse_tflite(data, where="model")


def test_an_unknown_schema_version_is_refused() -> None:
    with pytest.raises(ModelError):
        parse_tflite(b"\x08\0\0\0TFL3" + bytes(100), where="model")


@given(st.lists(st.tuples(st.integers(0, len(FLOAT32) - 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_damaged_model_is_read_or_refused_but_never_crashes(changes: list[tuple[int, int]]) -> None:
    data = bytearray(FLOAT32)
    for position, value in changes:
        data[position] = value
    try:
        model = parse_tflite(data, where="model")
    except ModelError as error:
        assert error.next_step
    else:
        assert all(c.offset_bytes + 4 * c.elements <= len(data) for c in model.constants)


@given(st.binary(max_size=400))
def test_bytes_behind_the_identifier_never_crash(content: bytes) -> None:
    with pytest.raises(ModelError):
        parse_tflite(content[:4].ljust(4, b"\0") + b"TFL3" + content[4:], where="model")
