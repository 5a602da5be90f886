from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import built, conv, copied, difference, fused, image, named, numbers, ops, same_outputs, v1
from tensorflow.python.framework import graph_util
from tensorflow.python.tools import optimize_for_inference_lib

from harness.errors import ModelError
from harness.transforms.compare_graphs import run_graph, verify_unchanged
from harness.transforms.strip import strip


def stripped(graph: Any, outputs: list[str], inputs: tuple[str, ...] = ("x",), **more: Any) -> Any:
    """``graph`` stripped, after checking that it computes the same and kept its versions."""
    result = strip(graph, inputs=inputs, outputs=outputs, **more)
    verify_unchanged(graph, result, step="strip", inputs=inputs, outputs=outputs)
    assert result.versions == graph.versions
    return result


def classifier_of_2015() -> Any:
    """A JPEG is decoded and resized before the network, as in the Inception graph."""

    def build() -> None:
        contents = v1.placeholder(tf.string, [], name="DecodeJpeg/contents")
        decoded = tf.image.decode_jpeg(contents, channels=3, name="DecodeJpeg")
        batch = tf.expand_dims(tf.cast(decoded, tf.float32), 0)
        resized = v1.image.resize_bilinear(batch, [8, 8], name="ResizeBilinear")
        scaled = tf.multiply(resized - 128.0, 1 / 128.0, name="Mul")
        logits = tf.reduce_mean(conv(scaled), [1, 2], name="logits")
        tf.nn.softmax(tf.identity(logits), name="softmax")
        labels = v1.placeholder(tf.int64, [None], name="labels")
        loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
        tf.identity(loss, name="train")

    return built(build)


def test_image_decoding_and_training_ops_go_and_the_input_becomes_a_placeholder() -> None:
    graph = classifier_of_2015()
    result = stripped(graph, ["softmax"], ("Mul",))
    assert ops(result) == ["Conv2D", "Mean", "Softmax"]
    assert len(result.node) == 6
    placeholder = named(result, "Mul")
    assert placeholder.op == "Placeholder"
    assert placeholder.attr["dtype"].type == 1
    assert [dim.size for dim in placeholder.attr["shape"].shape.dim] == [1, 8, 8, 3]
    jpeg = tf.io.encode_jpeg(np.full((20, 20, 3), 90, np.uint8)).numpy()
    fed = [{"DecodeJpeg/contents:0": np.array(jpeg, object)}]
    [[scaled, expected]] = run_graph(graph, fed, ["Mul", "softmax"])
    [[found]] = run_graph(result, [{"Mul:0": scaled}], ["softmax"])
    np.testing.assert_array_equal(found, expected)


def test_a_given_shape_wins_and_tensor_names_are_taken_too() -> None:
    result = strip(
        classifier_of_2015(), inputs=["Mul:0"], outputs=["softmax:0"], shapes={"Mul:0": (None, 16, 16, 3)}
    )
    assert [dim.size for dim in named(result, "Mul").attr["shape"].shape.dim] == [-1, 16, 16, 3]


def test_shapes_noted_at_export_do_not_hinder_another_shape() -> None:
    graph = classifier_of_2015()
    named(graph, "logits").attr["_output_shapes"].list.shape.add().dim.add().size = 7
    result = strip(graph, inputs=["Mul"], outputs=["softmax"], shapes={"Mul": (2, 16, 16, 3)})
    [[found]] = run_graph(result, [{"Mul:0": numbers(2, 16, 16, 3)}], ["softmax"])
    assert found.shape == (2, 4)


def test_an_integer_input_keeps_its_type() -> None:
    result = strip(classifier_of_2015(), inputs=["DecodeJpeg"], outputs=["softmax"])
    assert named(result, "DecodeJpeg").attr["dtype"].type == tf.uint8.as_datatype_enum
    assert [dim.size for dim in named(result, "DecodeJpeg").attr["shape"].shape.dim] == [-1, -1, 3]


def test_a_placeholder_with_default_becomes_a_placeholder() -> None:
    def build() -> None:
        x = v1.placeholder_with_default(numbers(1, 8, 8, 3), [None, 8, 8, 3], name="x")
        tf.nn.relu(conv(x), name="out")

    result = stripped(built(build), ["out"])
    assert named(result, "x").op == "Placeholder"


def test_identities_that_only_pass_on_go_and_those_that_are_named_stay() -> None:
    def build() -> None:
        x = tf.identity(image(), name="first")
        x = tf.identity(tf.stop_gradient(conv(x)), name="inner")
        tf.identity(tf.identity(x), name="out")

    result = stripped(built(build), ["out"])
    assert [node.name for node in result.node] == ["x", "conv_weights", "conv", "out"]


def test_a_check_of_numbers_as_a_data_edge_goes() -> None:
    def build() -> None:
        x = tf.debugging.check_numerics(image(), "not a number", name="check")
        x = tf.debugging.check_numerics(conv(x), "not a number")
        tf.nn.relu(v1.Print(x, [x], "value"), name="out")

    graph = built(build)
    assert ops(stripped(graph, ["out"])) == ["Conv2D", "Relu"]
    theirs = optimize_for_inference_lib.optimize_for_inference(copied(graph), ["x"], ["out"], 1)
    with pytest.raises(ModelError):  # the bug this test is for
        run_graph(theirs, [{"x:0": numbers(1, 8, 8, 3)}], ["out"])


@pytest.mark.parametrize("control_flow", [v1.disable_control_flow_v2, v1.enable_control_flow_v2])
def test_assertions_that_are_waited_for_go(control_flow: Any) -> None:
    def build() -> None:
        control_flow()
        x = image()
        simple = v1.Assert(tf.reduce_all(x < 9), [x], name="guarded")
        with tf.control_dependencies([simple, v1.assert_greater(x, -9.0), v1.print("seen", x)]):
            y = tf.identity(conv(x), name="waits")
        tf.nn.relu(y, name="out")

    graph = built(build)
    assert {"Assert", "If"} & set(ops(graph))
    result = stripped(graph, ["out"])
    assert ops(result) == ["Conv2D", "Relu"]
    assert len(result.library.function) == 0


def test_what_is_random_is_still_waited_for() -> None:
    def build() -> None:
        x = image()
        draw = v1.random_uniform([], seed=3, name="draw")
        relu = tf.nn.relu(conv(x), name="out")
        assert relu is not None
        tf.identity(draw)

    graph = built(build)
    named(graph, "out").input.append("^Identity")
    assert "RandomUniform" in ops(strip(graph, inputs=["x"], outputs=["out"]))


def test_the_branches_of_tensorflow_1_stay_as_they_are() -> None:
    def build() -> None:
        v1.disable_control_flow_v2()
        x = image()
        y = v1.cond(tf.reduce_sum(x) > 0, lambda: tf.constant(1.0), lambda: tf.identity(conv(x)[0, 0, 0, 0]))
        _, z = v1.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * tf.identity(y)), (0, x))
        tf.identity(z, name="out")

    graph = built(build)
    result = stripped(graph, ["out"])
    needed = graph_util.extract_sub_graph(graph, ["out"])
    flow = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"}
    assert flow <= set(ops(result))
    assert [op for op in ops(result) if op in flow] == [op for op in ops(needed) if op in flow]
    beside = [node.name for node in needed.node if node.op == "Identity" and "Switch" in node.input[0]]
    assert len(beside) > 3
    assert set(beside) <= {node.name for node in result.node}
    feeds = [{"x:0": sign * numbers(1, 8, 8, 3, low=0.0)} for sign in (1, -1)]
    verify_unchanged(graph, result, step="strip", inputs=["x"], outputs=["out"], feeds=feeds)


def test_functions_that_are_called_stay_and_others_go() -> None:
    @tf.function  # type: ignore[untyped-decorator]
    def inner(x: Any) -> Any:
        return x + 1.0

    @tf.function  # type: ignore[untyped-decorator]
    def used(x: Any) -> Any:
        return inner(x) * 2.0

    @tf.function  # type: ignore[untyped-decorator]
    def unused(x: Any) -> Any:
        return x - 5.0

    def build() -> None:
        x = image()
        unused(x)
        tf.identity(used(x), name="out")

    names = [function.signature.name for function in stripped(built(build), ["out"]).library.function]
    assert len(names) == 2
    assert any("inner" in name for name in names)
    assert any("used" in name and "unused" not in name for name in names)


def test_the_functions_of_a_branch_stay() -> None:
    def build() -> None:
        v1.enable_control_flow_v2()
        x = image()
        y = v1.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: x)
        tf.identity(y, name="out")
        v1.disable_control_flow_v2()

    graph = built(build)
    assert len(graph.library.function) == 2
    assert len(stripped(graph, ["out"]).library.function) == 2


def test_a_resize_with_half_pixel_centres_before_a_convolution_keeps_its_meaning() -> None:
    def build() -> None:
        resized = tf.raw_ops.ResizeBilinear(images=image(), size=[13, 13], half_pixel_centers=True)
        tf.nn.relu(conv(resized), name="out")

    graph = built(build)
    assert "ResizeBilinear" in ops(stripped(graph, ["out"]))
    theirs = optimize_for_inference_lib.optimize_for_inference(copied(graph), ["x"], ["out"], 1)
    assert difference(graph, theirs, ["out"]) > 0.01  # the bug this test is for


def test_a_dilated_convolution_after_a_mirror_pad_still_runs() -> None:
    def build() -> None:
        padded = tf.pad(image(), [[0, 0], [2, 2], [2, 2], [0, 0]], mode="REFLECT")
        weights = tf.constant(numbers(3, 3, 3, 4))
        dilated = tf.nn.conv2d(padded, weights, 1, "VALID", dilations=2)
        fused(dilated, name="out")

    graph = built(build)
    result = stripped(graph, ["out"])
    assert {"MirrorPad", "Conv2D"} <= set(ops(result))
    theirs = optimize_for_inference_lib.optimize_for_inference(copied(graph), ["x"], ["out"], 1)
    # The bug this test is for: its fused op knows no dilation.
    assert not same_outputs(graph, theirs)


def test_a_wish_to_stand_beside_a_node_that_went_is_forgotten() -> None:
    def build() -> None:
        x = tf.identity(image(), name="gone")
        with v1.colocate_with(x.op):
            y = conv(x)
        y = tf.nn.relu(y, name="relu")
        with v1.colocate_with(tf.nn.tanh(y, name="stays").op):
            tf.add(y, y.graph.get_tensor_by_name("stays:0"), name="out")

    graph = built(build)
    assert list(named(graph, "conv").attr["_class"].list.s) == [b"loc:@gone"]
    result = stripped(graph, ["out"])
    assert "_class" not in named(result, "conv").attr
    assert list(named(result, "out").attr["_class"].list.s) == [b"loc:@stays"]


def test_an_op_tensorflow_does_not_know_is_kept_as_it_is() -> None:
    def build() -> None:
        x = tf.identity(image(), name="mystery")
        tf.nn.relu(conv(x), name="out")

    graph = built(build)
    named(graph, "mystery").op = "SomebodysOp"
    result = strip(graph, inputs=["x"], outputs=["out"])
    assert named(result, "mystery") == named(graph, "mystery")
    cut = strip(graph, inputs=["mystery"], outputs=["out"])
    assert named(cut, "mystery").op == "Placeholder"
    assert named(cut, "mystery").attr["dtype"].type == 1
    del named(graph, "mystery").attr["T"]
    with pytest.raises(ModelError, match="type of input 'mystery'"):
        strip(graph, inputs=["mystery"], outputs=["out"])
    with pytest.raises(ModelError, match="SomebodysOp") as caught:
        verify_unchanged(graph, result, step="strip", inputs=["x"], outputs=["out"])
    assert "lacks an op" in caught.value.next_step


@pytest.mark.parametrize(
    ("inputs", "outputs", "problem", "step"),
    [
        (["Mull"], ["softmax"], "no node 'Mull'", "Did you mean 'Mul'"),
        (["Mul"], ["softmx"], "no node 'softmx'", "Did you mean 'softmax'"),
        (["Mul"], ["train"], "placeholder 'labels'", "Name it as an input too"),
        (["labels"], ["softmax"], "no output depends on input 'labels'", "Leave it out"),
        (["Mul", "labels"], ["softmax"], "no output depends on input 'labels'", "softmax"),
        (["Mul"], ["softmax", "ExpandDims/dim"], "'ExpandDims/dim' does not depend", "Check the names"),
        (["Mul:1"], ["softmax"], "not a node's first output", "Name a node with one output"),
        ([], ["softmax"], "no input", "Name the node"),
        (["Mul"], [], "no output", "Name the node"),
        (
            ["ResizeBilinear"],
            ["logits", "Cast"],
            "placeholder 'DecodeJpeg/contents'",
            "closer to the outputs",
        ),
    ],
)
def test_wrong_names_are_answered_with_what_to_do(
    inputs: list[str], outputs: list[str], problem: str, step: str
) -> None:
    with pytest.raises(ModelError, match=problem) as caught:
        strip(classifier_of_2015(), inputs=inputs, outputs=outputs)
    assert step in caught.value.next_step


def test_an_input_needed_for_two_outputs_is_refused() -> None:
    def build() -> None:
        first, second = tf.split(image(4), 2, axis=-1, name="split")
        tf.add(first, second, name="out")

    with pytest.raises(ModelError, match="more than its first output"):
        strip(built(build), inputs=["split"], outputs=["out"])


def test_a_graph_with_variables_is_refused() -> None:
    def build() -> None:
        weights = v1.get_variable("w", initializer=numbers(3, 3, 3, 4), use_resource=False)
        tf.nn.conv2d(image(), weights, 1, "SAME", name="out")

    with pytest.raises(ModelError, match="not frozen: it reads 1 variables, such as 'w'"):
        strip(built(build), inputs=["x"], outputs=["out"])


def test_the_result_is_that_of_tensorflows_own_library() -> None:
    def build() -> None:
        x = tf.identity(fused(conv(tf.identity(image())))[0])
        tf.nn.relu(tf.identity(x), name="out")
        tf.nn.softmax(x, name="unused")

    graph = built(build)
    with v1.Session(graph=tf.Graph()):
        theirs = graph_util.remove_training_nodes(
            graph_util.extract_sub_graph(copied(graph), ["out"]), ["out"]
        )
    ours = stripped(graph, ["out"])
    assert {node.name: node for node in ours.node} == {node.name: node for node in theirs.node}
