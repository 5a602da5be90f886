"""Graphs, checkpoints and SavedModels to float32 .tflite; Keras outputs keep their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fixtures import tiny_graphs
from harness.core.model_io import ModelIO
from harness.core.variants import FailedBuild, Form, Recipe, Variant, VariantSpec
from harness.errors import BuildError, ModelError
from harness.models.source import SourceFormat, open_source
from harness.models.tflite import parse_tflite
from harness.variants.builder import build_variants
from harness.variants.cache import VariantCache, cache_key
from harness.variants.convert import to_float32
from harness.variants.convert_graph import fixed_shape, graph_to_float32

v1 = tf.compat.v1
ENDS = ModelIO(input=tiny_graphs.INPUT, output=tiny_graphs.OUTPUT)
FLOAT32 = [VariantSpec("float32", Recipe.FLOAT32)]


def run(model: bytes, images: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    rows = []
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.concatenate(rows)


def graph_file(tmp_path: Path, build: Callable[[], object]) -> Path:
    with tf.Graph().as_default() as graph:
        build()
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def convert(path: Path, io: ModelIO | None = None, shape: tuple[int, ...] | None = None) -> bytes:
    return graph_to_float32(SourceFormat.GRAPHDEF, path, io or ModelIO(), shape)


def test_every_form_converts_to_the_same_network(tmp_path: Path) -> None:
    images = tiny_graphs.numbers(3, 8, 8, 3, seed=9)
    frozen = tmp_path / "frozen.pb"
    frozen.write_bytes(tiny_graphs.frozen_graph().SerializeToString())
    for source_format, path, io in (
        (SourceFormat.GRAPHDEF, frozen, ENDS),
        (SourceFormat.CHECKPOINT, tiny_graphs.write_checkpoint(tmp_path / "c", resource=True), ENDS),
        (SourceFormat.SAVED_MODEL, tiny_graphs.write_saved_model_v1(tmp_path / "s"), ModelIO()),
    ):
        model = to_float32(source_format, path, io, (1, 8, 8, 3))
        described = parse_tflite(model, where="model")
        assert described.inputs[0].shape == (1, 8, 8, 3)
        assert [tensor.name for tensor in described.outputs] == [tiny_graphs.OUTPUT]
        np.testing.assert_allclose(run(model, images), tiny_graphs.scores(images), atol=1e-6)


def test_a_saved_model_of_tensorflow_2_gets_a_batch_of_one_and_the_named_output(tmp_path: Path) -> None:
    folder = tiny_graphs.write_saved_model_v2(tmp_path / "s")
    model = to_float32(SourceFormat.SAVED_MODEL, folder, ModelIO(output="extra"))
    described = parse_tflite(model, where="model")
    assert [(tensor.name, tensor.shape) for tensor in described.inputs] == [("image", (1, 8, 8, 3))]
    assert [(tensor.name, tensor.shape) for tensor in described.outputs] == [("extra", (1, 3))]
    images = tiny_graphs.numbers(2, 8, 8, 3)
    expected = images.reshape(2, -1) @ tiny_graphs.numbers(192, 3, seed=2)
    np.testing.assert_allclose(run(model, images), expected, atol=1e-4)


def test_ops_without_a_builtin_operator_are_named(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.multiply(
            tf.math.betainc(x, x, x),
            tf.cast(tf.strings.length(tf.strings.as_string(x)), tf.float32),
            name="y",
        )

    with pytest.raises(BuildError) as caught:
        convert(graph_file(tmp_path, build))
    for op in ("AsString", "StringLength"):
        assert op in caught.value.problem
    assert "harness check" in caught.value.next_step


@pytest.mark.slow
def test_a_recurrent_layer_with_an_open_batch_is_named(tmp_path: Path) -> None:
    import keras

    layers = [keras.Input((3, 2)), keras.layers.LSTM(4), keras.layers.Dense(2)]
    keras.Sequential(layers).export(tmp_path / "s", verbose=False)
    with pytest.raises(BuildError, match="a recurrent layer that was exported with an open batch") as caught:
        to_float32(SourceFormat.SAVED_MODEL, tmp_path / "s")
    assert "Keras file" in caught.value.next_step


def test_an_input_for_image_files_is_refused(tmp_path: Path) -> None:
    frozen = tmp_path / "frozen.pb"
    frozen.write_bytes(tiny_graphs.frozen_graph().SerializeToString())
    with pytest.raises(ModelError, match="bytes of image files"):
        convert(frozen, ModelIO(output=tiny_graphs.OUTPUT))


def test_an_input_without_a_shape_takes_the_workloads(tmp_path: Path) -> None:
    path = graph_file(tmp_path, lambda: tf.nn.softmax(v1.placeholder(tf.float32, None, "x"), name="y"))
    described = parse_tflite(convert(path, shape=(1, 7)), where="model")
    assert described.inputs[0].shape == (1, 7)
    with pytest.raises(BuildError, match=r"the shape of input 'x' is open: \[unknown\]"):
        convert(path)


@pytest.mark.parametrize(
    ("dims", "given", "fixed"),
    [
        ([None, 8, 8, 3], None, (1, 8, 8, 3)),
        ([None, 8, 8, 3], (1, 9, 9, 3), (1, 8, 8, 3)),
        ([8, 3], (1, 8, 3), (8, 3)),
        ([None, None, None, 3], (1, 9, 9, 3), (1, 9, 9, 3)),
        (None, (1, 4), (1, 4)),
        ([], None, ()),
    ],
)
def test_the_shape_that_is_converted(
    dims: list[int | None] | None, given: tuple[int, ...] | None, fixed: tuple[int, ...]
) -> None:
    assert fixed_shape("x", dims, given) == fixed


@pytest.mark.parametrize("given", [None, (1, 9, 9, 4), (1, 9, 3), (2, 9, 9, 4)])
def test_a_shape_that_stays_open(given: tuple[int, ...] | None) -> None:
    with pytest.raises(BuildError, match="any, any, any, 3") as caught:
        fixed_shape("x", [None, None, None, 3], given)
    assert "workload.preprocess" in caught.value.next_step


def test_input_output_and_shape_are_part_of_the_key() -> None:
    def key(**more: Any) -> str:
        return cache_key(
            source_sha256="0", form=Form(recipe=Recipe.FLOAT32), calibration_sha256=None, tools={}, **more
        )

    keys = {
        key(),
        key(io=ENDS),
        key(io=ENDS, input_shape=(1, 8, 8, 3)),
        key(io=ENDS, input_shape=(1, 9, 9, 3)),
        key(io=ModelIO(input="other", output=tiny_graphs.OUTPUT)),
        key(io=ModelIO(signature="other")),
    }
    assert len(keys) == 6
    # A source that tells both itself is not built anew for another workload.
    assert key() == key(input_shape=(1, 8, 8, 3))


@pytest.mark.slow
def test_a_graph_is_built_in_a_process_and_remembered(tmp_path: Path, cache: VariantCache) -> None:
    path = tmp_path / "frozen.pb"
    path.write_bytes(tiny_graphs.frozen_graph().SerializeToString())
    source = open_source(path)
    (built,) = build_variants(source, FLOAT32, None, cache, io=ENDS, input_shape=(1, 8, 8, 3))
    assert isinstance(built, Variant)
    assert built.build.tools.keys() == {"ai-edge-litert", "tensorflow"}
    (again,) = build_variants(source, FLOAT32, None, cache, io=ENDS, input_shape=(1, 8, 8, 3))
    assert isinstance(again, Variant) and again.build.cached
    (failed,) = build_variants(source, FLOAT32, None, cache, input_shape=(1, 8, 8, 3))
    assert isinstance(failed, FailedBuild)
    assert "nodes that may be its output" in failed.problem


@pytest.mark.slow
def test_several_outputs_of_a_keras_model_keep_their_names(tmp_path: Path) -> None:
    import keras

    given = keras.Input((4,), name="given")
    outputs = [keras.layers.Dense(2, name="zulu")(given), keras.layers.Dense(3, name="alpha")(given)]
    model = keras.Model(given, outputs)
    path = tmp_path / "model.keras"
    model.save(path)
    described = parse_tflite(to_float32(SourceFormat.KERAS, path), where="model")
    assert {tensor.name: tensor.shape for tensor in described.outputs} == {"zulu": (1, 2), "alpha": (1, 3)}


@pytest.mark.slow
def test_a_keras_h5_file_converts_and_is_its_own_reference(tmp_path: Path) -> None:
    import keras

    from harness.core.jobs import Blob, DType, TensorEncoding
    from harness.shards.request import InputTensor, ReferenceEngine, SourceFile, SourceFiles
    from harness.workloads.reference_keras import open_keras

    given = keras.Input((4,), name="given")
    model = keras.Model(given, keras.layers.Dense(3, name="scores")(given))
    path = tmp_path / "model.h5"
    model.save(path)
    records = tiny_graphs.numbers(2, 1, 4)
    converted = to_float32(SourceFormat.KERAS_H5, path)
    np.testing.assert_allclose(run(converted, records[:, 0]), model(records[:, 0]), atol=1e-6)
    encoding = TensorEncoding(dtype=DType.FLOAT32, shape=(1, 4))
    file = SourceFile(name="model.h5", content=Blob(sha256="0" * 64, bytes=0))
    engine = ReferenceEngine(
        source=SourceFiles(format=SourceFormat.KERAS_H5, files=(file,)),
        inputs=(InputTensor(tensor="given", encoding=encoding),),
    )
    (rows,) = open_keras(str(path), engine)([records], 0)
    np.testing.assert_allclose(rows, model(records[:, 0]), atol=1e-6)
