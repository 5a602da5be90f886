from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import built, conv, image, named, numbers, v1

from harness.errors import ModelError
from harness.transforms.compare_graphs import compare_graphs, random_feeds, run_graph, verify_unchanged


def scaled(factor: float) -> Any:
    def build() -> None:
        tf.multiply(v1.placeholder(tf.float32, [None, 3], name="x"), factor, name="out")

    return built(build)


FEED = [{"x:0": np.array([[1, 2, 3], [4, 0, -1]], np.float32)}]


def compared(first: Any, second: Any, feeds: Any = FEED) -> Any:
    (found,) = compare_graphs(first, second, inputs=["x"], outputs=["out"], feeds=feeds)
    return found


def test_the_largest_difference_and_the_agreement_of_the_largest_element() -> None:
    found = compared(scaled(2.0), scaled(-2.0))
    assert found.largest_difference == 16.0
    assert found.reference_range == 10.0
    assert found.top1_agreement == 0.0
    assert not found.within_rounding
    same = compared(scaled(2.0), scaled(2.0))
    assert (same.largest_difference, same.top1_agreement, same.within_rounding) == (0.0, 1.0, True)


def test_what_is_allowed_follows_the_range_not_the_size_of_the_values() -> None:
    def shifted(by: float) -> Any:
        return built(lambda: tf.add(v1.placeholder(tf.float32, [None, 3], name="x"), by, name="out"))

    feed = [{"x:0": np.array([[0, 0.001, 0.002]], np.float32)}]
    found = compared(shifted(1.0), shifted(1.00005), feed)
    assert found.allowed_difference == pytest.approx(1e-4 * 0.002 + 2e-6 * 1.002, rel=1e-3)
    assert not found.within_rounding


def test_a_change_of_values_fails_loudly() -> None:
    with pytest.raises(ModelError, match=r"fold changed output 'out' by 0\.04") as caught:
        verify_unchanged(scaled(2), scaled(2.01), step="fold", inputs=["x"], outputs=["out"], feeds=FEED)
    assert "'fold'" in caught.value.next_step


def test_nan_at_the_same_place_agrees_and_elsewhere_does_not() -> None:
    def divided(by: list[float]) -> Any:
        return built(lambda: tf.divide(v1.placeholder(tf.float32, [None, 3], name="x"), by, name="out"))

    zero = [{"x:0": np.array([[0, 1, 2]], np.float32)}]
    assert compared(divided([0, 1, 0]), divided([0, 1, 0]), zero).within_rounding
    found = compared(divided([1, 1, 1]), divided([0, 1, 1]), zero)
    assert found.largest_difference == np.inf
    assert not found.within_rounding


def test_whole_numbers_and_text_are_compared_too() -> None:
    def build(text: str) -> Any:
        def inner() -> None:
            x = v1.placeholder(tf.float32, [None, 3], name="x")
            tf.fill([tf.shape(x)[0]], text, name="out")

        return built(inner)

    assert compared(build("a"), build("a")).within_rounding
    assert not compared(build("a"), build("b")).within_rounding
    assert compared(build("a"), build("a")).top1_agreement is None

    def best(axis: int) -> Any:
        return built(lambda: tf.argmax(v1.placeholder(tf.float32, [None, 3], name="x"), axis, name="out"))

    first, last = best(0), best(-2)
    assert compared(first, last).largest_difference == 0
    ranked = built(lambda: tf.argmin(v1.placeholder(tf.float32, [None, 3], name="x"), 0, name="out"))
    assert compared(first, ranked).largest_difference == 1


def test_another_shape_is_an_error() -> None:
    flat = built(lambda: tf.reshape(v1.placeholder(tf.float32, [None, 3], name="x"), [-1], name="out"))
    with pytest.raises(ModelError, match=r"'out' is float32 \[6\], and was float32 \[2, 3\]"):
        compared(scaled(1.0), flat)


def test_large_weights_count_as_those_in_the_graph() -> None:
    def dense(seed: int) -> Any:
        def build() -> None:
            weights = tf.constant(numbers(3, 5000, seed=seed), name="weights")
            tf.matmul(v1.placeholder(tf.float32, [None, 3], name="x"), weights, name="out")

        return built(build)

    graph = dense(1)
    assert graph.ByteSize() > 60_000
    [[found, weights]] = run_graph(graph, FEED, ["out", "weights"])
    np.testing.assert_array_equal(weights, numbers(3, 5000, seed=1))
    np.testing.assert_allclose(found, FEED[0]["x:0"] @ weights, rtol=1e-5, atol=1e-5)
    assert compared(graph, dense(2)).largest_difference > 1


def test_random_feeds_fit_the_placeholder_and_repeat() -> None:
    def build() -> None:
        v1.placeholder(tf.float32, [None, 2, 5], name="x")
        v1.placeholder(tf.int32, [3], name="ids")
        v1.placeholder(tf.bool, [], name="flag")

    first, second = random_feeds(built(build), ["x", "ids:0", "flag"], seed=4)
    assert first["x:0"].shape == (2, 2, 5)
    assert (first["x:0"].dtype, first["ids:0"].dtype, first["flag:0"].dtype) == tuple(
        map(np.dtype, (np.float32, np.int32, bool))
    )
    assert set(first["ids:0"]) | set(second["ids:0"]) <= {0, 1}
    assert np.abs(first["x:0"]).max() <= 1
    assert not np.array_equal(first["x:0"], second["x:0"])
    again = random_feeds(built(build), ["x"], seed=4)
    np.testing.assert_array_equal(again[0]["x:0"], first["x:0"])


@pytest.mark.parametrize(
    ("dtype", "shape", "shown"),
    [
        (tf.float32, [None, None, 3], r"2x\?x3"),
        (tf.float32, None, "unknown"),
        (tf.string, [None], "string"),
    ],
)
def test_an_input_that_allows_no_random_feed_is_an_error(dtype: Any, shape: Any, shown: str) -> None:
    graph = built(lambda: v1.placeholder(dtype, shape, name="x"))
    with pytest.raises(ModelError, match=shown) as caught:
        random_feeds(graph, ["x"])
    assert "Give its shape" in caught.value.next_step


def broken(change: Any) -> Any:
    graph = built(lambda: tf.nn.relu(conv(image()), name="out"))
    change(graph)
    return graph


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda graph: setattr(named(graph, "out"), "op", "NoSuchOp"), "NoSuchOp"),
        (lambda graph: graph.node.remove(named(graph, "conv")), "conv"),
        (
            lambda graph: named(graph, "conv").attr["padding"].CopyFrom(named(graph, "x").attr["dtype"]),
            "AttrValue",
        ),
        (lambda graph: setattr(graph.versions, "min_consumer", 10**6), "version"),
    ],
)
def test_a_graph_tensorflow_refuses_is_one_clear_error(change: Any, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        run_graph(broken(change), [{"x:0": numbers(1, 8, 8, 3)}], ["out"])


def test_a_feed_of_a_wrong_shape_and_a_missing_output_are_errors() -> None:
    with pytest.raises(ModelError, match="cannot run the graph"):
        run_graph(scaled(1), [{"x:0": numbers(2, 4)}], ["out"])
    with pytest.raises(ModelError, match="nowhere"):
        run_graph(scaled(1), FEED, ["nowhere"])
