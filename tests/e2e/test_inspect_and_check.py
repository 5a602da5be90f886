"""What a model holds, and whether the phone's runtime has its ops, from the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from desk import TINY, Desk, assert_explained

from harness.core.inspection import Inspection

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def decoding_graph(path: Path, *, op: str = "Relu") -> Path:
    """JPEG bytes to three scores; ``op`` stands before the scores."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        contents = tf.compat.v1.placeholder(tf.string, [], name="contents")
        pixels = tf.raw_ops.DecodeJpeg(contents=contents, channels=3, name="decode")
        batch = tf.expand_dims(tf.cast(pixels, tf.float32), 0)
        scaled = tf.multiply(tf.raw_ops.ResizeBilinear(images=batch, size=[4, 4]), 1 / 128, name="scaled")
        features = tf.nn.conv2d(scaled, tf.ones([3, 3, 3, 3]), 1, "SAME", name="conv")
        named = getattr(tf.raw_ops, op)(name="named", **{"features" if op == "Relu" else "x": features})
        tf.nn.softmax(tf.reduce_mean(named, [1, 2]), name="scores")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_inspect_shows_a_tflite(desk: Desk) -> None:
    answer = desk.harness("inspect", TINY / "image_float32.tflite")
    assert answer.status == 0
    assert "FULLY_CONNECTED" in answer.out and "1,514" in answer.out
    assert "1 × 8 × 8 × 3" in answer.out


def test_inspect_prints_json(desk: Desk) -> None:
    answer = desk.harness("inspect", TINY / "image_int8.tflite", "--json")
    found = Inspection.model_validate_json(answer.out)
    assert (found.format, found.parameters) == ("tflite", 1514)


def test_check_passes_a_model_of_builtin_operators(desk: Desk) -> None:
    answer = desk.harness("check", TINY / "image_int8.tflite")
    assert answer.status == 0
    assert "has all 4 ops" in answer.out and "LiteRT loads it" in answer.out


def test_check_names_a_flex_operator_and_where_it_stands(desk: Desk) -> None:
    answer = desk.harness("check", TINY / "flex_erf.tflite")
    assert answer.status == 1
    assert "FlexErf" in answer.out and "#1 Erf" in answer.out and "LACKS" in answer.out
    document = json.loads(desk.harness("check", TINY / "flex_erf.tflite", "--json").out)
    assert document["answer"] == "fail"
    assert [op["op"] for op in document["routes"][0]["ops"] if op["status"] == "lacks"] == ["FlexErf"]
    sizes = {one["basis"] for one in document["binary_sizes"]}
    assert sizes == {"measured"}


@pytest.mark.parametrize("verb", ["inspect", "check"])
@pytest.mark.parametrize(
    "content", [None, b"", b"hello", b"\x1c\x00\x00\x00TFL3", b"\x1c\x00\x00\x00TFL3" + bytes(200)]
)
def test_what_is_no_model_is_explained(desk: Desk, verb: str, content: bytes | None) -> None:
    path = desk.folder / "model"
    if content is not None:
        path.write_bytes(content)
    answer = desk.harness(verb, path)
    assert answer.status == 2
    assert_explained(answer, 2)


@pytest.mark.parametrize("option", [("--input", "x"), ("--header", "h"), ("--route", "mobile-2016")])
def test_options_of_graphs_are_refused_for_a_tflite(desk: Desk, option: tuple[str, str]) -> None:
    answer = desk.harness("check", TINY / "image_int8.tflite", *option)
    assert answer.status == 2
    assert_explained(answer, 2)


@pytest.mark.slow
def test_a_graph_that_decodes_is_cut_behind_it(desk: Desk) -> None:
    path = decoding_graph(desk.folder / "graph.pb")
    whole = desk.harness("check", path)
    assert whole.status == 1
    assert "DecodeJpeg" in whole.out and "give --input scaled; the app decodes" in whole.out
    header = desk.folder / "ops_to_register.h"
    cut = desk.harness("check", path, "--input", "scaled", "--header", header)
    assert cut.status == 0, cut.out
    assert "TensorFlow converts it" in cut.out and "documented" in cut.out
    assert "DecodeJpeg" not in cut.out + header.read_text()
    assert 'isequal(op, "Conv2D")' in header.read_text()


@pytest.mark.slow
def test_an_op_is_named_with_its_node_and_a_misspelt_name_with_the_right_one(desk: Desk) -> None:
    path = decoding_graph(desk.folder / "graph.pb", op="Erf")
    today = json.loads(desk.harness("check", path, "--input", "scaled", "--json").out)
    lacking = [op for op in today["routes"][0]["ops"] if op["status"] == "lacks"]
    assert [(op["op"], op["where"]) for op in lacking] == [("Erf", ["named"])]
    misspelt = desk.harness("check", path, "--input", "scalled")
    assert misspelt.status == 2 and "'scaled'" in misspelt.err


@pytest.mark.slow
def test_inspect_tells_where_a_graph_may_begin(desk: Desk) -> None:
    answer = desk.harness("inspect", decoding_graph(desk.folder / "graph.pb"))
    assert answer.status == 0
    assert "--input may be   scaled  float32" in answer.out
    assert "--output may be  scores  float32" in answer.out


def saved(folder: Path, *, erf: bool) -> Path:
    import tensorflow as tf

    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.ones([4, 3]), name="kernel")

        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, name="x")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> dict[str, Any]:
            y = tf.matmul(x, self.kernel)
            return {"y": tf.math.erf(y) if erf else tf.nn.relu(y)}

    tf.saved_model.save(Model(), str(folder))
    return folder


@pytest.mark.slow
def test_a_saved_model_is_inspected_and_checked(desk: Desk) -> None:
    folder = saved(desk.folder / "good", erf=False)
    found = Inspection.model_validate_json(desk.harness("inspect", folder, "--json").out)
    assert [(s.key, s.inputs[0].name, s.outputs[0].name) for s in found.signatures] == [
        ("serving_default", "x", "y")
    ]
    assert [(w.name, w.shape) for w in found.largest_weights] == [("kernel", (4, 3))]
    assert "MatMul" in {op.op for op in found.ops}
    assert desk.harness("check", folder).status == 0
    lacking = desk.harness("check", saved(desk.folder / "erf", erf=True))
    assert lacking.status == 1
    assert "lacks 1 of" in lacking.out and "Erf" in lacking.out
    assert desk.harness("check", folder, "--signature", "other").status == 2


@pytest.mark.slow
def test_a_keras_model_is_inspected_and_checked(desk: Desk) -> None:
    import keras

    image = keras.Input((8, 8, 3), name="image")
    features = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(image))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(features)))
    path = desk.folder / "model.keras"
    model.save(path)
    found = Inspection.model_validate_json(desk.harness("inspect", path, "--json").out)
    assert found.parameters == model.count_params()
    assert {op.op: op.count for op in found.ops}["Conv2D"] == 1
    assert found.inputs[0].shape == (-1, 8, 8, 3)
    answer = desk.harness("check", path)
    assert answer.status == 0, answer.out
    assert desk.harness("check", path, "--route", "mobile-2016").status == 1


@pytest.mark.slow
def test_a_checkpoint_is_frozen_before_it_is_checked(desk: Desk) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default():
        x = v1.placeholder(tf.float32, [1, 4], name="x")
        kernel = v1.get_variable("kernel", [4, 3], use_resource=False)
        tf.nn.softmax(tf.matmul(x, kernel), name="scores")
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(desk.folder / "model" / "model.ckpt"))
    found = Inspection.model_validate_json(desk.harness("inspect", desk.folder / "model", "--json").out)
    assert found.graph is not None and found.graph.variables == 1
    assert [(w.name, w.shape) for w in found.largest_weights] == [("kernel", (4, 3))]
    answer = desk.harness("check", desk.folder / "model")
    assert answer.status == 0, answer.out
    assert "VariableV2" not in answer.out
