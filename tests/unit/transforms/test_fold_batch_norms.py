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
    with_op,
)
from tensorflow.python.tools import optimize_for_inference_lib

from harness.transforms.fold_batch_norms import fold_batch_norms
from harness.transforms.graph import const_value


def old_batch_norm_graph(*, scale_after: bool) -> Any:
    """conv, bias and the op of 2015. Today's TensorFlow builds it only in graphs of an old producer."""

    def build() -> None:
        biased = tf.nn.bias_add(conv(image()), tf.constant(numbers(4, seed=9)), name="biased")
        own = statistics(4)
        for name in ("mean", "variance", "beta", "gamma"):
            tf.constant(own[name], name=name)
        tf.identity(biased, name="bn")

    graph = built(build)
    node = named(graph, "bn")
    node.op = "BatchNormWithGlobalNormalization"
    node.input.extend(["mean", "variance", "beta", "gamma"])
    node.attr["variance_epsilon"].f = 0.01
    node.attr["scale_after_normalization"].b = scale_after
    graph.versions.producer = 8
    return graph


@pytest.mark.parametrize("op", ["", "V2", "V3"])
def test_a_fused_batch_norm_becomes_weights_and_a_bias(op: str) -> None:
    result = folded(built(lambda: fused(conv(image()), op=op)), ["bn"])
    assert result.folded == ("bn",)
    assert result.left_alone == ()
    assert ops(result.graph) == ["BiasAdd", "Conv2D"]
    own = statistics(4)
    scale = own["gamma"] / np.sqrt(own["variance"] + 0.01)
    weights = const_value(named(result.graph, "conv_weights"))
    np.testing.assert_allclose(weights, numbers(3, 3, 3, 4, seed=1) * scale, rtol=1e-6)
    bias = const_value(named(result.graph, named(result.graph, "bn").input[1]))
    np.testing.assert_allclose(bias, own["beta"] - own["mean"] * scale, rtol=1e-5)


@pytest.mark.parametrize("scale_after", [True, False])
def test_the_batch_norm_op_of_2015_is_folded(scale_after: bool) -> None:
    graph = old_batch_norm_graph(scale_after=scale_after)
    result = folded(graph, ["bn"])
    assert ops(result.graph) == ["BiasAdd", "Conv2D"]
    assert result.graph.versions.producer == 8
    # Without gamma the result differs, so that the attribute is indeed read.
    other = old_batch_norm_graph(scale_after=not scale_after)
    assert difference(graph, other, ["bn"]) > 0.01


@pytest.mark.parametrize("add", ["Add", "AddV2"])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("centre", [True, False])
def test_every_spelling_of_the_decomposed_form_is_folded(add: str, scale: bool, centre: bool) -> None:
    graph = built(lambda: decomposed(conv(image()), scale=scale, centre=centre))
    result = folded(with_op(graph, "AddV2", add), ["bn/add_1"])
    assert ops(result.graph) == ["BiasAdd", "Conv2D"]
    assert len(result.graph.node) == 5  # x, conv, its weights, the bias and its Const


def test_a_batch_norm_written_by_hand_is_folded() -> None:
    def build() -> None:
        own = statistics(4)
        centred = conv(image()) - own["mean"]
        tf.identity(tf.sqrt(own["variance"] + 0.01) * 0 + own["beta"], name="unrelated")
        tf.add(own["beta"], own["gamma"] / tf.sqrt(own["variance"] + 0.01) * centred, name="out")

    result = folded(built(build), ["out"])
    assert ops(result.graph).count("Conv2D") == 1
    assert "Mul" not in [node.op for node in result.graph.node if node.name.startswith("mul_1")]
    assert named(result.graph, "out").op == "BiasAdd"


def test_a_factor_alone_needs_no_bias() -> None:
    graph = built(lambda: tf.multiply(conv(image()), numbers(4, seed=5), name="out"))
    result = folded(graph, ["out"])
    assert ops(result.graph) == ["Conv2D"]
    assert named(result.graph, "out").op == "Conv2D"


def test_a_dense_layer_is_folded_as_it_is_and_transposed() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        first = tf.matmul(x, tf.constant(numbers(6, 5)), name="dense")
        second = tf.matmul(decomposed(first, name="bn"), tf.constant(numbers(3, 5)), transpose_b=True)
        tf.identity(decomposed(second, name="bn2", seed=8), name="out")

    result = folded(built(build), ["out"])
    assert result.folded == ("bn/mul_1", "bn2/mul_1")
    assert ops(result.graph) == ["BiasAdd", "BiasAdd", "Identity", "MatMul", "MatMul"]


def test_a_depthwise_convolution_is_folded_channel_by_channel() -> None:
    def build() -> None:
        weights = tf.constant(numbers(3, 3, 3, 2))
        layer = tf.nn.depthwise_conv2d(image(), weights, [1, 2, 2, 1], "SAME", name="depthwise")
        fused(layer)

    assert ops(folded(built(build), ["bn"]).graph) == ["BiasAdd", "DepthwiseConv2dNative"]


def test_a_transposed_convolution_is_folded() -> None:
    def build() -> None:
        weights = tf.constant(numbers(3, 3, 5, 3))
        fused(tf.nn.conv2d_transpose(image(), weights, [2, 16, 16, 5], 2, name="up"))

    assert ops(folded(built(build), ["bn"]).graph) == ["BiasAdd", "Conv2DBackpropInput"]


def test_channels_first_is_folded_along_its_own_axis() -> None:
    """TensorFlow's CPU kernels refuse NCHW, so both graphs are compared after moving the channels last."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4, 8, 8], name="x")
        weights = tf.constant(numbers(3, 3, 4, 8), name="weights")
        layer = tf.nn.conv2d(x, weights, strides=1, padding="SAME", data_format="NCHW", name="conv")
        biased = tf.nn.bias_add(layer, numbers(8, seed=3), data_format="NCHW", name="biased")
        fused(biased, data_format="NCHW")
        factor = tf.constant(numbers(8, 1, 1, seed=6))
        second = tf.nn.conv2d(layer * 1.0, weights[:, :, :, :], 1, "SAME", "NCHW", name="other")
        tf.identity(second * factor)

    graph = built(build)
    result = fold_batch_norms(graph, outputs=["bn"])
    assert "bn" not in result.folded  # the convolution has two consumers
    alone = v1.graph_util.extract_sub_graph(graph, ["bn"])
    result = fold_batch_norms(alone, outputs=["bn"])
    assert result.folded == ("bn",)
    assert named(result.graph, "bn").attr["data_format"].s == b"NCHW"

    def last(source: Any) -> Any:
        moved = type(source)()
        moved.CopyFrom(source)
        for node in moved.node:
            if "data_format" in node.attr:
                node.attr["data_format"].s = b"NHWC"
        named(moved, "x").attr["shape"].Clear()
        return moved

    feed = {"x:0": numbers(2, 8, 8, 4)}
    assert difference(last(alone), last(result.graph), ["bn"], feed) < 1e-5


def test_a_vector_along_the_width_of_channels_first_is_no_batch_norm() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4, 8, 8], name="x")
        layer = tf.nn.conv2d(x, tf.constant(numbers(1, 1, 4, 8)), 1, "SAME", "NCHW")
        tf.multiply(layer, numbers(8, seed=6), name="out")

    assert fold_batch_norms(built(build), outputs=["out"]).folded == ()


def test_identities_and_shared_statistics_are_looked_through() -> None:
    def build() -> None:
        own = statistics(4)
        gamma = tf.identity(tf.constant(own["gamma"]))
        mean = tf.identity(tf.identity(tf.constant(own["mean"])))
        weights = tf.identity(tf.constant(numbers(3, 3, 3, 4), name="frozen"), name="read")
        layer = tf.identity(tf.nn.conv2d(image(), weights, 1, "SAME", name="conv"), name="between")
        first = tf.raw_ops.FusedBatchNormV3(
            x=layer, scale=gamma, offset=own["beta"], mean=mean, variance=own["variance"], is_training=False
        )[0]
        second = tf.raw_ops.FusedBatchNormV3(
            x=conv(first, 4, name="conv2"), scale=gamma, offset=own["beta"], mean=mean,
            variance=own["variance"], is_training=False,
        )[0]  # fmt: skip
        tf.nn.relu(second, name="out")

    result = folded(built(build), ["out"])
    assert ops(result.graph) == ["BiasAdd", "BiasAdd", "Conv2D", "Conv2D", "Relu"]
    assert named(result.graph, "conv").input[1] == "frozen"


def test_two_batch_norms_after_one_another_are_both_folded() -> None:
    graph = built(lambda: fused(fused(conv(image()), name="first")[0], name="second", seed=8))
    result = folded(graph, ["second"])
    assert result.folded == ("first", "second")
    assert ops(result.graph) == ["BiasAdd", "Conv2D"]


def test_a_dilated_convolution_keeps_its_rearrangement() -> None:
    def build() -> None:
        padded = tf.pad(image(), [[0, 0], [3, 3], [3, 3], [0, 0]], mode="REFLECT")
        space = tf.space_to_batch_nd(padded, [2, 2], [[0, 0], [0, 0]])
        back = tf.batch_to_space(conv(space), [2, 2], [[0, 1], [1, 0]], name="back")
        fused(back)

    result = folded(built(build), ["bn"])
    assert ops(result.graph) == ["BatchToSpaceND", "BiasAdd", "Conv2D", "MirrorPad", "SpaceToBatchND"]
    assert named(result.graph, "bn").op == "BatchToSpaceND"


def test_a_network_of_keras_3_is_folded_whole() -> None:
    import keras
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from harness.transforms.strip import strip

    layers = keras.layers
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 3), batch_size=1)
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    x = layers.BatchNormalization(center=False, scale=False)(layers.DepthwiseConv2D(3)(x))
    x = layers.ReLU()(layers.BatchNormalization(center=False)(layers.SeparableConv2D(5, 2)(x)))
    x = layers.BatchNormalization(scale=False)(layers.Dense(4, use_bias=False)(layers.Flatten()(x)))
    model = keras.Model(inputs, x)
    for number, layer in enumerate(model.layers):
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(numbers(*layer.moving_mean.shape, seed=number))
            layer.moving_variance.assign(numbers(*layer.moving_mean.shape, seed=number, low=0.5, high=2))
    function = tf.function(lambda x: model(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, 8, 8, 3), tf.float32, name="x"))
    graph = convert_variables_to_constants_v2(concrete).graph.as_graph_def()
    result = folded(strip(graph, inputs=["x"], outputs=["Identity"]), ["Identity"])
    assert len(result.folded) == 4
    assert result.left_alone == ()
    assert not {"Mul", "Rsqrt", "Sub", "AddV2", "Neg"} & set(ops(result.graph))


@pytest.mark.parametrize("op", ["", "V3"])
def test_the_result_is_that_of_tensorflows_own_library(op: str) -> None:
    def build() -> None:
        first = tf.nn.relu(fused(conv(image()), op=op)[0])
        second = tf.nn.depthwise_conv2d(first, tf.constant(numbers(3, 3, 4, 2)), [1, 1, 1, 1], "SAME")
        fused(tf.nn.bias_add(second, numbers(8)), op=op, name="out")

    graph = built(build)
    theirs = optimize_for_inference_lib.fold_batch_norms(copied(graph))
    ours = folded(graph, ["out"]).graph
    assert ops(theirs) == ops(ours)
    assert difference(theirs, ours, ["out"]) < 1e-5


def test_the_old_ops_result_is_that_of_tensorflows_own_library() -> None:
    graph = old_batch_norm_graph(scale_after=True)
    theirs = optimize_for_inference_lib.fold_batch_norms(copied(graph))
    assert difference(theirs, folded(graph, ["bn"]).graph, ["bn"]) < 1e-5
