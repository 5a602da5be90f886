"""What must not be folded. Half of these are graphs that TensorFlow's own library breaks or gets wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import (
    built,
    conv,
    copied,
    decomposed,
    difference,
    folded,
    fused,
    image,
    named,
    numbers,
    ops,
    statistics,
    v1,
)
from tensorflow.python.tools import optimize_for_inference_lib

from harness.transforms.fold_batch_norms import FoldResult, fold_batch_norms
from harness.transforms.graph import const_value


def reason(result: FoldResult) -> str:
    assert result.folded == ()
    (left,) = result.left_alone
    return left.reason


def test_a_convolution_read_by_its_batch_norm_and_by_another_op_stays() -> None:
    def build() -> None:
        layer = conv(image())
        tf.add(fused(layer)[0], tf.nn.relu(layer), name="out")

    graph = built(build)
    assert "'Relu' and 'bn'" in reason(folded(graph, ["out"]))
    theirs = optimize_for_inference_lib.fold_batch_norms(copied(graph))
    assert difference(graph, theirs, ["out"]) > 0.1  # the bug this test is for


def test_a_convolution_that_is_itself_an_output_stays() -> None:
    graph = built(lambda: fused(conv(image())))
    assert "output of the graph" in reason(folded(graph, ["bn", "conv"]))


def test_a_convolution_something_waits_for_stays() -> None:
    def build() -> None:
        layer = conv(image())
        norm = fused(layer)[0]
        with tf.control_dependencies([layer]):
            tf.nn.relu(norm, name="out")

    assert "'conv' is used by 'bn' and 'out'" in reason(folded(built(build), ["out"]))


def test_one_convolution_into_two_batch_norms_stays() -> None:
    def build() -> None:
        layer = conv(image())
        tf.add(fused(layer)[0], fused(layer, name="bn2", seed=7)[0], name="out")

    result = folded(built(build), ["out"])
    assert result.folded == ()
    assert [left.node for left in result.left_alone] == ["bn", "bn2"]


def test_shared_weights_are_copied_for_the_layer_that_is_folded() -> None:
    def build() -> None:
        weights = tf.constant(numbers(3, 3, 3, 3), name="shared")
        first = tf.nn.conv2d(image(), weights, 1, "SAME", name="conv")
        second = tf.nn.conv2d(fused(first)[0], weights, 1, "SAME", name="conv2")
        tf.identity(second, name="out")

    result = folded(built(build), ["out"])
    assert result.folded == ("bn",)
    np.testing.assert_array_equal(const_value(named(result.graph, "shared")), numbers(3, 3, 3, 3))
    assert named(result.graph, "conv").input[1] == "conv/folded_weights"


def test_weights_shared_by_two_folded_layers_leave_no_third_copy() -> None:
    def build() -> None:
        weights = tf.constant(numbers(3, 3, 3, 3), name="shared")
        first = fused(tf.nn.conv2d(image(), weights, 1, "SAME", name="conv"))[0]
        second = fused(tf.nn.conv2d(first, weights, 1, "SAME", name="conv2"), name="bn2", seed=7)[0]
        tf.identity(second, name="out")

    result = folded(built(build), ["out"])
    assert result.folded == ("bn", "bn2")
    assert "shared" not in [node.name for node in result.graph.node]


def test_a_bias_of_the_whole_output_stays() -> None:
    def build() -> None:
        biased = tf.add(conv(image()), tf.constant(numbers(8, 8, 4, seed=5)), name="biased")
        fused(biased)

    assert "'biased' (8x8x4) is not one figure" in reason(folded(built(build), ["bn"]))


@pytest.mark.parametrize("shape", [(8, 1, 1), (1, 8, 1), (1, 1, 1, 1, 8), ()])
def test_a_factor_for_each_row_or_column_is_none_for_each_channel(shape: tuple[int, ...]) -> None:
    graph = built(lambda: tf.multiply(conv(image(), 8), numbers(*shape, seed=5), name="out"))
    assert folded(graph, ["out"]).graph == graph


def test_a_bias_read_twice_stays() -> None:
    def build() -> None:
        biased = tf.nn.bias_add(conv(image()), numbers(4), name="biased")
        tf.add(fused(biased)[0], biased, name="out")

    assert "'bn' and 'out'" in reason(folded(built(build), ["out"]))


@pytest.mark.parametrize("op", ["", "V3"])
def test_a_batch_norm_whose_statistics_are_read_stays(op: str) -> None:
    def build() -> None:
        norm = fused(conv(image()), op=op)
        tf.identity(norm[0], name="out")
        tf.identity(norm[1], name="statistics")

    assert "further outputs" in reason(folded(built(build), ["out", "statistics"]))


def test_the_function_library_and_versions_stay() -> None:
    @tf.function  # type: ignore[untyped-decorator]
    def double(x: Any) -> Any:
        return x * 2.0

    graph = built(lambda: tf.identity(double(fused(conv(image()))[0]), name="out"))
    assert len(graph.library.function) > 0
    assert graph.versions.producer > 0
    result = folded(graph, ["out"])  # compares library, versions and outputs
    assert result.folded == ("bn",)
    theirs = optimize_for_inference_lib.optimize_for_inference(copied(graph), ["x"], ["out"], 1)
    assert (theirs.versions.producer, len(theirs.library.function)) == (0, 0)  # the bug this test is for


def test_a_batch_norm_in_training_mode_stays() -> None:
    graph = built(lambda: fused(conv(image())))
    named(graph, "bn").attr["is_training"].b = True
    assert "training mode" in reason(fold_batch_norms(graph, outputs=["bn"]))
    del named(graph, "bn").attr["is_training"]  # absent means true
    assert "training mode" in reason(fold_batch_norms(graph, outputs=["bn"]))


def test_a_batch_norm_with_computed_statistics_stays() -> None:
    def build() -> None:
        layer = conv(image())
        own = statistics(4)
        mean = tf.reduce_mean(v1.placeholder(tf.float32, [5, 4], name="y"), 0, name="mean")
        tf.raw_ops.FusedBatchNormV3(
            x=layer, scale=own["gamma"], offset=own["beta"], mean=mean, variance=own["variance"],
            is_training=False, name="bn",
        )  # fmt: skip

    assert "its mean ('mean') is not a constant" in reason(folded(built(build), ["bn"], ["x", "y"]))


def test_a_layer_norm_is_not_mistaken_for_a_batch_norm() -> None:
    def build() -> None:
        x = conv(image())
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        tf.nn.batch_normalization(x, mean, variance, numbers(4), numbers(4, seed=3), 0.01, name="norm")

    graph = built(build)
    result = folded(graph, ["norm/add_1"])
    assert result.folded == ()
    assert result.graph == graph


def test_a_batch_norm_after_no_layer_stays_with_the_reason() -> None:
    graph = built(lambda: decomposed(tf.nn.relu(conv(image()))))
    assert "'Relu' is a Relu, not a convolution" in reason(folded(graph, ["bn/add_1"]))


def test_weights_that_are_no_constant_stay() -> None:
    def build() -> None:
        weights = v1.placeholder(tf.float32, [3, 3, 3, 4], name="w")
        fused(tf.nn.conv2d(image(), weights, 1, "SAME", name="conv"))

    assert "weights of 'conv' are not a constant" in reason(folded(built(build), ["bn"], ["x", "w"]))


def test_a_variance_of_zero_without_epsilon_stays() -> None:
    graph = built(lambda: fused(conv(image())))
    variance = named(graph, "bn_variance").attr["value"].tensor
    variance.tensor_content = np.array([0, 1, 1, 1], np.float32).tobytes()
    named(graph, "bn").attr["epsilon"].f = 0
    assert "not above zero" in reason(fold_batch_norms(graph, outputs=["bn"]))


def test_weights_that_would_overflow_stay() -> None:
    graph = built(lambda: fused(conv(image())))
    gamma = named(graph, "bn_gamma").attr["value"].tensor
    gamma.tensor_content = np.full(4, 3e38, np.float32).tobytes()
    weights = named(graph, "conv_weights").attr["value"].tensor
    weights.tensor_content = np.full((3, 3, 3, 4), 3e38, np.float32).tobytes()
    assert "not finite" in reason(fold_batch_norms(graph, outputs=["bn"]))


def test_statistics_of_another_length_stay() -> None:
    graph = built(lambda: fused(conv(image())))
    mean = named(graph, "bn_mean").attr["value"].tensor
    mean.tensor_shape.dim[0].size = 2
    mean.tensor_content = mean.tensor_content[:8]
    assert "its mean has shape [2], and 'conv' has 4 channels" in reason(fold_batch_norms(graph))


def test_half_precision_stays() -> None:
    graph = built(lambda: tf.cast(conv(image()), tf.float16, name="half"))
    graph = built(
        lambda: fused(
            tf.nn.conv2d(
                v1.placeholder(tf.float16, [1, 8, 8, 3]), numbers(3, 3, 3, 4).astype(np.float16), 1, "SAME"
            )
        )
    )
    assert "float32" in reason(fold_batch_norms(graph, outputs=["bn"]))


@pytest.mark.parametrize("control_flow", ["cond", "while"])
def test_branches_and_loops_of_tensorflow_1_stay_and_compute_the_same(control_flow: str) -> None:
    def build() -> None:
        v1.disable_control_flow_v2()
        x = image()
        if control_flow == "cond":
            y = v1.cond(tf.reduce_sum(x) > 0, lambda: fused(conv(x))[0], lambda: conv(x, name="other"))
        else:
            weights = tf.constant(numbers(3, 3, 3, 3, low=-0.1, high=0.1))

            def body(step: Any, y: Any) -> Any:
                return step + 1, fused(tf.nn.conv2d(y, weights, 1, "SAME"))[0]

            y = v1.while_loop(lambda step, y: step < 3, body, (0, x))[1]
        tf.identity(fused(conv(y, name="last"), name="last_bn")[0], name="out")

    graph = built(build)
    assert {"Switch", "Merge"} <= set(ops(graph))
    result = folded(graph, ["out"])
    assert result.folded == ("last_bn",)
    assert len(result.left_alone) == 1


def test_control_inputs_of_what_is_folded_are_carried_over() -> None:
    def build() -> None:
        x = image()
        tf.reduce_sum(x, name="first")
        fused(tf.nn.bias_add(conv(x), numbers(4), name="biased"))

    graph = built(build)
    named(graph, "bn").input.append("^first")
    named(graph, "biased").input.append("^first")
    result = folded(graph, ["bn"])
    assert result.folded == ("bn",)
    assert list(named(result.graph, "bn").input) == ["conv", "conv/folded_bias", "^first"]


def test_quantized_graphs_of_2017_stay_as_they_are() -> None:
    def build() -> None:
        x = image()
        low, high = tf.constant(-1.0), tf.constant(1.0)
        quantized = tf.quantization.quantize(x, low, high, tf.quint8)
        weights = tf.quantization.quantize(numbers(3, 3, 3, 4), low, high, tf.quint8)
        product = tf.raw_ops.QuantizedConv2D(
            input=quantized[0], filter=weights[0], min_input=quantized[1], max_input=quantized[2],
            min_filter=weights[1], max_filter=weights[2], strides=[1, 1, 1, 1], padding="SAME",
        )  # fmt: skip
        tf.identity(tf.quantization.dequantize(*product), name="out")

    graph = built(build)
    result = fold_batch_norms(graph, outputs=["out"])
    assert result.graph == graph
    assert (result.folded, result.left_alone) == ((), ())


def test_an_unknown_op_does_not_hinder_the_rest() -> None:
    graph = built(lambda: tf.identity(fused(conv(image()))[0], name="out"))
    named(graph, "out").op = "SomebodysCustomOp"
    assert fold_batch_norms(graph, outputs=["out"]).folded == ("bn",)
