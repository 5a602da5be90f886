from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.inspection import Inspection
from harness.errors import ModelError
from harness.models.inspect_tflite import inspect_tflite, operator_uses

TINY = Path(__file__).parents[3] / "fixtures" / "tiny"
SHA256 = "0" * 64


def inspected(path: Path) -> Inspection:
    return inspect_tflite(path, size_bytes=path.stat().st_size, sha256=SHA256)


def test_a_float_model() -> None:
    found = inspected(TINY / "image_float32.tflite")
    assert [(t.name, t.dtype, t.shape) for t in found.inputs] == [
        ("serving_default_image:0", "float32", (1, 8, 8, 3))
    ]
    assert [(s.key, s.inputs[0].name, s.outputs[0].name) for s in found.signatures] == [
        ("serving_default", "image", "probabilities")
    ]
    # kernel 3·3·3·8, bias 8, dense 128·10, its bias 10; the shape of the Reshape does not count.
    assert found.parameters == 216 + 8 + 1280 + 10
    assert found.largest_weights[0].bytes == 128 * 10 * 4
    assert {op.op: op.count for op in found.ops} == {
        "CONV_2D": 1,
        "RESHAPE": 1,
        "FULLY_CONNECTED": 1,
        "SOFTMAX": 1,
    }
    assert found.nodes == 4
    assert found.metadata is None


def test_a_quantized_model_has_scales_and_as_many_parameters() -> None:
    found = inspected(TINY / "image_int8.tflite")
    quantization = found.outputs[0].quantization
    assert quantization is not None
    assert (quantization.scale, quantization.zero_point) == (1 / 256, -128)
    assert found.parameters == 216 + 8 + 1280 + 10


def test_open_dimensions_are_minus_one() -> None:
    found = inspected(TINY / "two_in_two_out.tflite")
    assert [tensor.shape for tensor in found.inputs] == [(-1, 4), (-1, 6)]


def test_a_flex_operator_is_named_with_its_index_and_tensor() -> None:
    uses, count = operator_uses(TINY / "flex_erf.tflite")
    flex = next(use for use in uses if use.is_custom)
    assert (flex.op, flex.count, flex.where) == ("FlexErf", 1, ("#1 Erf",))
    assert count == 3


def packed(tmp_path: Path, files: dict[str, bytes], **options: Any) -> Path:
    path = tmp_path / "packed.tflite"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", **options) as out:
        for name, data in files.items():
            out.writestr(name, data)
    path.write_bytes((TINY / "image_float32.tflite").read_bytes() + archive.getvalue())
    return path


def test_packed_labels_are_read(tmp_path: Path) -> None:
    path = packed(tmp_path, {"labels.txt": "Katze\nHund\nBär\n".encode(), "vocabulary.bin": b"abc"})
    found = inspected(path)
    assert found.metadata is not None
    labels, other = found.metadata.files
    assert (labels.name, labels.label_count, labels.labels) == ("labels.txt", 3, ("Katze", "Hund", "Bär"))
    assert (other.name, other.bytes, other.label_count) == ("vocabulary.bin", 3, None)
    assert found.parameters == inspected(TINY / "image_float32.tflite").parameters


def test_a_bomb_among_the_packed_files_is_not_unpacked(tmp_path: Path) -> None:
    path = packed(tmp_path, {"labels.txt": b"\n" * (64 * 2**20)}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    metadata = inspected(path).metadata
    assert metadata is not None
    assert (metadata.files[0].bytes, metadata.files[0].labels) == (64 * 2**20, ())


def test_many_packed_files_are_not_all_listed(tmp_path: Path) -> None:
    metadata = inspected(packed(tmp_path, {f"{index}.bin": b"" for index in range(60)})).metadata
    assert metadata is not None
    assert len(metadata.files) == 50
    assert metadata.problem == "10 more packed files are not listed"


def test_a_damaged_archive_is_a_remark_not_an_error(tmp_path: Path) -> None:
    path = packed(tmp_path, {"labels.txt": b"a\nb\n"})
    data = bytearray(path.read_bytes())
    start = data.rindex(b"a\nb\n")
    data[start] ^= 0xFF
    path.write_bytes(data)
    metadata = inspected(path).metadata
    assert metadata is not None and metadata.problem is not None
    assert "damaged" in metadata.problem


def with_metadata(tmp_path: Path, buffer: bytes) -> Path:
    """The tiny model with a buffer named TFLITE_METADATA, rebuilt by the runtime's own schema."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((TINY / "image_float32.tflite").read_bytes(), 0))
    held = schema.BufferT()
    held.data = list(buffer)
    model.buffers.append(held)
    entry = schema.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers) - 1
    model.metadata = [entry]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "metadata.tflite"
    path.write_bytes(bytes(builder.Output()))
    return path


def metadata_bytes() -> bytes:
    """A ModelMetadata by hand: name, description, author, one input with a normalization, one label file."""
    import flatbuffers

    builder = flatbuffers.Builder(256)

    def table(*fields: tuple[int, str, Any]) -> int:
        builder.StartObject(8)
        for slot, kind, value in fields:
            if kind == "offset":
                builder.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                builder.PrependUint8Slot(slot, value, 0)
        return int(builder.EndObject())

    def vector(items: list[int]) -> int:
        builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            builder.PrependUOffsetTRelative(item)
        return int(builder.EndVector())

    def floats(*values: float) -> int:
        builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            builder.PrependFloat32(value)
        return int(builder.EndVector())

    name, author = builder.CreateString("Blumen"), builder.CreateString("A. Gärtner")
    image, file_name = builder.CreateString("image"), builder.CreateString("classes.csv")
    mean, deviation = floats(127.5), floats(64.0)
    options = table((0, "offset", mean), (1, "offset", deviation))
    unit = table((0, "byte", 1), (1, "offset", options))
    units = vector([unit])
    inputs = vector([table((0, "offset", image), (4, "offset", units))])
    files = vector([table((0, "offset", file_name), (2, "byte", 2))])
    outputs = vector([table((6, "offset", files))])
    graphs = vector([table((2, "offset", inputs), (3, "offset", outputs))])
    root = table((0, "offset", name), (3, "offset", graphs), (4, "offset", author))
    builder.Finish(root, b"M001")
    return bytes(builder.Output())


def test_metadata_is_read_and_names_the_label_file(tmp_path: Path) -> None:
    path = with_metadata(tmp_path, metadata_bytes())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("classes.csv", "rose\ntulip\n")
    path.write_bytes(path.read_bytes() + archive.getvalue())
    metadata = inspected(path).metadata
    assert metadata is not None and metadata.problem is None
    assert metadata.entries == (
        ("name", "Blumen"),
        ("author", "A. Gärtner"),
        ("input 0", "image"),
        ("input 0 normalization", "(x - 127.5) / 64"),
    )
    assert metadata.files[0].labels == ("rose", "tulip")


@pytest.mark.parametrize("buffer", [b"", b"nonsense", metadata_bytes()[:40]])
def test_damaged_metadata_is_a_remark_not_an_error(tmp_path: Path, buffer: bytes) -> None:
    metadata = inspected(with_metadata(tmp_path, buffer)).metadata
    assert metadata is not None and metadata.problem is not None
    assert "metadata is damaged" in metadata.problem


@pytest.mark.parametrize("kept", [0, 4, 8, 100, 1000, 5000])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes((TINY / "image_float32.tflite").read_bytes()[:kept])
    with pytest.raises(ModelError) as caught:
        inspected(path)
    assert caught.value.where == str(path)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(place=st.integers(0, 1283), value=st.integers(0, 2**32 - 1))
def test_no_change_of_four_bytes_does_more_than_raise(tmp_path: Path, place: int, value: int) -> None:
    data = bytearray((TINY / "flex_erf.tflite").read_bytes())
    struct.pack_into("<I", data, min(place, len(data) - 4), value)
    path = tmp_path / "changed.tflite"
    path.write_bytes(data)
    try:
        inspected(path)
    except ModelError as error:
        assert error.next_step
