from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_graphs import built, conv, image, named, numbers, v1

from harness.errors import UsageError
from harness.transforms.compare_graphs import compare_graphs
from harness.transforms.graph import const_value
from harness.transforms.round_weights import bucket_values, round_to, round_weights

finite = st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False)


def rounded(value: Any, levels: int, *, keep_zero: bool = False) -> Any:
    values = bucket_values(np.asarray(value, np.float32), levels, keep_zero=keep_zero)
    assert values is not None
    return round_to(np.asarray(value, np.float32), values)


def test_a_weight_becomes_the_centre_of_its_bucket() -> None:
    assert rounded([0.0, 0.2, 0.3, 0.6, 1.0], 4).tolist() == [0.125, 0.125, 0.375, 0.625, 0.875]
    assert rounded([3.0, 3.0], 4).tolist() == [3.0, 3.0]
    assert 0.0 not in rounded([-1.0, 0.0, 1.0], 256).tolist()


def test_zero_is_kept_where_that_is_asked() -> None:
    found = rounded([-1.0, -0.3, 0.0, 0.4, 2.0], 4, keep_zero=True)
    assert found.tolist() == [-1.0, 0.0, 0.0, 0.0, 2.0]
    assert 0.0 in rounded(np.append(numbers(500), np.float32(0)), 256, keep_zero=True).tolist()


@given(arrays(np.float32, st.integers(1, 400), elements=finite), st.integers(2, 300), st.booleans())
def test_rounding_keeps_its_bound_and_number_of_values(value: Any, levels: int, keep_zero: bool) -> None:
    found = rounded(value, levels, keep_zero=keep_zero)
    low, high = float(value.min()), float(value.max())
    width = (high - low) / levels
    if keep_zero and low != high:
        width = (max(high, 0.0) - min(low, 0.0)) / (levels - 1)
    slack = 4 * float(np.spacing(np.abs(value).max())) + 1e-6 * width
    bound = width if keep_zero else width / 2
    assert len(np.unique(found)) <= levels
    assert float(np.max(np.abs(found.astype(float) - value))) <= bound + slack


def test_the_values_are_those_of_the_2016_tool() -> None:
    """Its arithmetic was float32: floor((w - min) / width) picks the bucket, min + width * (n + 0.5) is it."""
    weights = numbers(50, 50)
    width = (weights.max() - weights.min()) / 256
    index = np.minimum(np.floor((weights - weights.min()) / width), 255)
    theirs = weights.min() + width * (index + 0.5)
    ours = rounded(weights, 256)
    same = np.isclose(ours, theirs, rtol=0, atol=1e-6)
    # Where float32 and float64 put a weight on the edge of two buckets in different ones.
    assert same.mean() > 0.999
    assert np.abs(ours - theirs).max() < 1.01 * width


def network() -> Any:
    def build() -> None:
        layer = tf.nn.relu(conv(image(), 32))
        flat = tf.reshape(layer, [-1, 8 * 8 * 32], name="flat")
        logits = tf.matmul(flat, tf.constant(numbers(2048, 10, low=-0.1, high=0.1), name="dense"))
        tf.nn.softmax(logits * tf.constant(numbers(10), name="few"), name="out")
        tf.constant(numbers(32, 32), name="wide")
        tf.constant(numbers(2048), name="bias")
        tf.constant(np.arange(100), name="indices")
        tf.constant(numbers(20).astype(np.float64), name="doubles")

    return built(build)


def test_only_float_constants_that_matter_are_rounded_and_the_file_compresses() -> None:
    graph = network()
    result = round_weights(graph)
    assert [const.node for const in result.rounded] == ["dense", "wide"]
    assert result.rounded[0].elements == 20480
    spread = np.ptp(const_value(named(graph, "dense")))
    assert 0 < result.rounded[0].largest_change <= spread / 512 * 1.001
    assert len(np.unique(const_value(named(result.graph, "dense")))) == 256
    for name in ("flat/shape", "few", "indices", "doubles", "conv_weights", "bias"):
        assert named(result.graph, name) == named(graph, name)
    before, after = graph.SerializeToString(), result.graph.SerializeToString()
    assert len(after) == len(before)
    assert len(zlib.compress(after)) < 0.6 * len(zlib.compress(before))
    assert (result.graph.versions, result.graph.library) == (graph.versions, graph.library)
    (found,) = compare_graphs(graph, result.graph, inputs=["x"], outputs=["out"])
    assert 0 < found.largest_difference < 0.05


def test_every_constant_is_rounded_when_asked_as_the_2016_tool_did() -> None:
    names = [const.node for const in round_weights(network(), min_elements=1, levels=4).rounded]
    assert {"few", "bias", "conv_weights"} <= set(names)


def test_weights_that_are_not_finite_are_left_alone_and_named() -> None:
    weights = numbers(20)
    weights[3] = np.nan
    graph = built(
        lambda: (tf.constant(weights, name="broken"), tf.constant(numbers(20, seed=1), name="whole"))
    )
    result = round_weights(graph, min_elements=1)
    assert result.not_finite == ("broken",)
    assert named(result.graph, "broken") == named(graph, "broken")
    assert [const.node for const in result.rounded] == ["whole"]


def test_control_inputs_and_devices_stay() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [1], name="x")
        with tf.device("/cpu:0"), tf.control_dependencies([x]):
            tf.constant(numbers(20), name="w")

    node = named(round_weights(built(build), min_elements=1).graph, "w")
    assert (list(node.input), node.device) == (["^x"], "/device:CPU:0")


@pytest.mark.parametrize("levels", [0, 1, 70000])
def test_levels_out_of_range_are_refused(levels: int) -> None:
    with pytest.raises(UsageError, match=f"levels is {levels}"):
        round_weights(network(), levels=levels)
