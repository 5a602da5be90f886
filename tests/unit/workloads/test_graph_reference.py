"""Reference outputs of graphs, checkpoints and SavedModels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fixtures import tiny_graphs
from harness.core.jobs import Blob, DType, PixelEncoding, TensorEncoding
from harness.core.model_io import ModelIO
from harness.core.workload import Task, Workload, WorkloadInput
from harness.errors import InputError, ModelError, WorkloadError
from harness.models.source import SourceFormat
from harness.shards.request import BATCH, InputTensor, ReferenceEngine, SourceFile, SourceFiles
from harness.wire.blobs import BlobStore
from harness.workloads.reference import compute_reference, outputs_of_files
from harness.workloads.reference_graph import open_graph, open_graph_of_files

v1 = tf.compat.v1
ENDS = ModelIO(input=tiny_graphs.INPUT, output=tiny_graphs.OUTPUT)
IMAGES = tiny_graphs.numbers(BATCH + 3, 1, 8, 8, 3, seed=4)


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    path = tmp_path / "frozen.pb"
    path.write_bytes(tiny_graphs.frozen_graph().SerializeToString())
    return path


def graph_file(tmp_path: Path, build: Callable[[], object]) -> Path:
    with tf.Graph().as_default() as graph:
        build()
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def engine(
    io: ModelIO, *inputs: InputTensor, source_format: SourceFormat = SourceFormat.GRAPHDEF
) -> ReferenceEngine:
    # What is opened here is a path; the blobs are for those who have none.
    file = SourceFile(name="model", content=Blob(sha256="0" * 64, bytes=0))
    return ReferenceEngine(source=SourceFiles(format=source_format, files=(file,)), io=io, inputs=inputs)


def batches(
    source: Path,
    records: np.ndarray,
    io: ModelIO | None = None,
    source_format: SourceFormat = SourceFormat.GRAPHDEF,
    **names: str,
) -> Iterator[np.ndarray]:
    encoding = TensorEncoding(dtype=DType(records.dtype.name), shape=records.shape[1:])
    given = InputTensor(tensor=names.get("tensor", ""), encoding=encoding)
    rows = open_graph(str(source), engine(io or ModelIO(), given, source_format=source_format))
    return rows([records], 0)


def refused(kind: type[InputError], *arguments: Any, **options: Any) -> InputError:
    with pytest.raises(kind) as caught:
        list(batches(*arguments, **options))
    assert caught.value.next_step
    return caught.value


def test_every_form_gives_the_networks_scores(frozen: Path, tmp_path: Path) -> None:
    expected = tiny_graphs.scores(IMAGES[:, 0])
    for source_format, path, io in (
        (SourceFormat.GRAPHDEF, frozen, ENDS),
        (SourceFormat.CHECKPOINT, tiny_graphs.write_checkpoint(tmp_path / "c", resource=False), ENDS),
        (SourceFormat.SAVED_MODEL, tiny_graphs.write_saved_model_v1(tmp_path / "s"), ModelIO()),
    ):
        rows = list(batches(path, IMAGES, io, source_format))
        # At Mul the graph holds one image.
        assert {len(batch) for batch in rows} == {1}
        np.testing.assert_allclose(np.concatenate(rows), expected, atol=1e-6)


def test_a_saved_model_of_tensorflow_2_in_batches(tmp_path: Path) -> None:
    folder = tiny_graphs.write_saved_model_v2(tmp_path / "s")
    rows = list(batches(folder, IMAGES, ModelIO(output="extra"), SourceFormat.SAVED_MODEL, tensor="image"))
    assert [len(batch) for batch in rows] == [BATCH, 3]
    expected = IMAGES.reshape(len(IMAGES), -1) @ tiny_graphs.numbers(192, 3, seed=2)
    np.testing.assert_allclose(np.concatenate(rows), expected, atol=1e-4)


def test_a_saved_model_that_counts_its_calls(tmp_path: Path) -> None:
    class Counting(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = tf.Variable(0.0)

        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, name="x")])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            self.calls.assign_add(1.0)
            return {"y": x + self.calls}

    module = Counting()
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    records = tiny_graphs.numbers(3, 1, 4)
    rows = list(batches(tmp_path, records, ModelIO(), SourceFormat.SAVED_MODEL))
    np.testing.assert_array_equal(np.concatenate(rows), records[:, 0] + 1)


def test_a_free_batch_that_the_graph_does_not_keep(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.nn.softmax(tf.reshape(x, [1, 4]), name="y")

    records = tiny_graphs.numbers(5, 1, 4)
    rows = list(batches(graph_file(tmp_path, build), records))
    assert [len(batch) for batch in rows] == [1] * 5
    np.testing.assert_allclose(np.concatenate(rows), tf.nn.softmax(records[:, 0]), atol=1e-6)


def test_a_placeholder_without_a_shape_takes_what_is_given(tmp_path: Path) -> None:
    path = graph_file(tmp_path, lambda: tf.multiply(v1.placeholder(tf.float32, None, "x"), 2.0, name="y"))
    records = tiny_graphs.numbers(2, 1, 4)
    np.testing.assert_array_equal(np.concatenate(list(batches(path, records))), records[:, 0] * 2)


def test_whole_numbers_and_pixels(tmp_path: Path) -> None:
    path = graph_file(
        tmp_path, lambda: tf.gather(tf.range(10.0), v1.placeholder(tf.int32, [None, 3], "x"), name="y")
    )
    records = np.array([[[1, 2, 3]], [[9, 0, 4]]], np.int32)
    np.testing.assert_array_equal(np.concatenate(list(batches(path, records))), records[:, 0])
    path = graph_file(
        tmp_path,
        lambda: tf.reduce_mean(v1.placeholder(tf.float32, [None, 2, 2, 1], "x"), [1, 2], name="y"),
    )
    encoding = PixelEncoding(shape=(2, 2, 1), mean=(10.0,), scale=(2.0,))
    rows = open_graph(str(path), engine(ModelIO(), InputTensor(tensor="x:0", encoding=encoding)))
    (row,) = rows([np.full((1, 2, 2, 1), 14, np.uint8)], 0)
    assert row.tolist() == [[2.0]]


def test_records_of_another_shape_or_type(frozen: Path) -> None:
    error = refused(WorkloadError, frozen, tiny_graphs.numbers(1, 1, 9, 9, 3), ENDS)
    assert "takes [1, 8, 8, 3], the workload gives [1, 9, 9, 3]" in error.problem
    refused(InputError, frozen, np.zeros((1, 1, 8, 8, 3), np.int32), ENDS)
    assert "no input tensor 'other'" in refused(WorkloadError, frozen, IMAGES, ENDS, tensor="other").problem


def test_an_output_that_is_no_vector_of_scores(frozen: Path) -> None:
    error = refused(ModelError, frozen, IMAGES, ModelIO(input="Mul", output="conv"))
    assert "not one vector of scores" in error.problem


def test_a_graph_that_fails_on_an_input(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.debugging.check_numerics(x, "not finite", name="check")
        tf.identity(tf.debugging.check_numerics(x, "the input is not finite"), name="y")

    records = tiny_graphs.numbers(3, 1, 4)
    records[1] = np.inf
    error = refused(ModelError, graph_file(tmp_path, build), records, ModelIO(input="x", output="y"))
    assert "run the graph on the inputs from 1 on" in error.problem
    assert "the input is not finite" in error.problem


def test_an_input_that_takes_image_files(frozen: Path) -> None:
    error = refused(ModelError, frozen, IMAGES, ModelIO(output=tiny_graphs.OUTPUT))
    assert "bytes of image files" in error.problem
    assert error.where == str(frozen)


def test_files_are_fed_as_they_are(frozen: Path, tmp_path: Path) -> None:
    from PIL import Image

    photos = []
    for index, colour in enumerate([(250, 10, 10), (10, 10, 250)]):
        photos.append(tmp_path / f"{index}.jpg")
        Image.new("RGB", (8, 8), colour).save(photos[-1], quality=95)
    io = ModelIO(input=tiny_graphs.JPEG_INPUT, output=tiny_graphs.OUTPUT)
    rows = open_graph_of_files(str(frozen), engine(io))
    names = [photo.name for photo in photos]

    def outputs() -> np.ndarray:
        return np.concatenate(list(rows([memoryview(photo.read_bytes()) for photo in photos], names)))

    pixels = np.stack([np.asarray(Image.open(photo)) for photo in photos]).astype(np.float32)
    expected = tiny_graphs.scores((pixels - np.float32(127.5)) * np.float32(1 / 127.5))
    np.testing.assert_allclose(outputs(), expected, atol=1e-5)

    photos[1].write_bytes(b"no photo")
    with pytest.raises(ModelError, match=r"run the graph on 1\.jpg"):
        outputs()
    with pytest.raises(ModelError, match="does not take image files"):
        open_graph_of_files(str(frozen), engine(ENDS))


@pytest.mark.slow
def test_outputs_are_remembered_by_input_and_output(frozen: Path, tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "store")
    workload = Workload(
        task=Task.TENSORS,
        inputs=(WorkloadInput(name="one", group="one"),),
        records=store.put_bytes(IMAGES[0].tobytes()),
        encoding=TensorEncoding(dtype=DType.FLOAT32, shape=(1, 8, 8, 3)),
    )
    reference = compute_reference(frozen, "graphdef", workload, store, tmp_path, io=ENDS)
    assert reference.engine == f"tensorflow {tf.__version__}"
    assert reference.classes == tiny_graphs.CLASSES
    assert compute_reference(frozen, "graphdef", workload, store, tmp_path, io=ENDS) == reference
    with pytest.raises(ModelError, match="no node 'other'"):
        compute_reference(
            frozen, "graphdef", workload, store, tmp_path, io=ModelIO(input="Mul", output="other")
        )
    with pytest.raises(ModelError, match="cannot be read"):
        outputs_of_files(tmp_path / "none.pb", "graphdef", [frozen])
    # A name that is no text, as file systems allow.
    odd = tmp_path / os.fsdecode(b"\xff.jpg")
    odd.write_bytes(b"no photo")
    io = ModelIO(input=tiny_graphs.JPEG_INPUT, output=tiny_graphs.OUTPUT)
    with pytest.raises(ModelError, match=r"run the graph on .\.jpg"):
        outputs_of_files(frozen, "graphdef", [odd], io=io)
