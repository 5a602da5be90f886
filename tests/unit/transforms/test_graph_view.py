from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import built, conv, image, named, numbers

from harness.errors import ModelError
from harness.transforms.constants import Constants
from harness.transforms.graph import GraphView, TensorRef, Use, const_value, parse_ref


@pytest.mark.parametrize(
    ("text", "ref", "canonical"),
    [
        ("a/b", TensorRef("a/b", 0), "a/b"),
        ("a:0", TensorRef("a", 0), "a"),
        ("a:12", TensorRef("a", 12), "a:12"),
        ("^a", TensorRef("a", -1), "^a"),
        ("a:b", TensorRef("a:b", 0), "a:b"),
    ],
)
def test_a_tensor_has_one_name(text: str, ref: TensorRef, canonical: str) -> None:
    assert parse_ref(text) == ref
    assert str(ref) == canonical


def test_uses_count_every_edge_with_its_port() -> None:
    def build() -> None:
        first, second = tf.split(image(4), 2, axis=-1, name="split")
        tf.add(first, first, name="sum")
        tf.identity(second)

    graph = built(build)
    named(graph, "sum").input.append("^split")
    view = GraphView(graph)
    assert sorted(view.uses("split")) == [
        Use("Identity", 1),
        Use("sum", -1),
        Use("sum", 0),
        Use("sum", 0),
    ]
    assert view.uses("sum") == ()


def test_an_unknown_name_is_answered_with_names_like_it() -> None:
    view = GraphView(built(lambda: tf.nn.softmax(conv(image()), name="head/softmax")))
    with pytest.raises(ModelError) as caught:
        view.node("softmax")
    assert caught.value.next_step == "Did you mean 'head/softmax'?"
    with pytest.raises(ModelError) as caught:
        view.node("nothing_like_it")
    assert "The graph has 4 nodes, among them 'conv'" in caught.value.next_step


def test_a_missing_input_is_named_with_the_node_that_wants_it() -> None:
    graph = built(lambda: conv(image()))
    graph.node.remove(named(graph, "conv_weights"))
    with pytest.raises(ModelError, match="'conv' takes 'conv_weights', and the graph has no node"):
        GraphView(graph)


def test_a_renamed_node_is_found_by_its_new_name() -> None:
    graph = built(lambda: conv(image()))
    named(graph, "conv_weights").name = "conv_weights_1"
    with pytest.raises(ModelError) as caught:
        GraphView(graph)
    assert "Did you mean 'conv_weights_1'" in caught.value.next_step


def test_two_nodes_of_one_name_are_refused() -> None:
    graph = built(lambda: conv(image()))
    graph.node.add().CopyFrom(named(graph, "conv"))
    with pytest.raises(ModelError, match="two nodes are named 'conv'"):
        GraphView(graph)


def test_a_cycle_is_shown() -> None:
    graph = built(lambda: tf.nn.relu(tf.nn.relu(conv(image()), name="first"), name="second"))
    named(graph, "first").input[0] = "second"
    with pytest.raises(ModelError, match=r"cycle: (first → second → first|second → first → second)"):
        GraphView(graph)


def test_a_cycle_of_control_edges_is_one_too() -> None:
    graph = built(lambda: tf.nn.relu(conv(image()), name="relu"))
    named(graph, "conv_weights").input.append("^relu")
    with pytest.raises(ModelError, match="cycle"):
        GraphView(graph)


def test_a_while_loop_is_no_cycle() -> None:
    def build() -> None:
        tf.compat.v1.disable_control_flow_v2()
        tf.compat.v1.while_loop(lambda x: tf.reduce_sum(x) < 3, lambda x: x + 1, [image()])

    graph = built(build)
    view = GraphView(graph)
    assert "NextIteration" in {node.op for node in graph.node}
    assert set(view.order) == {node.name for node in graph.node}


def test_a_deep_graph_is_no_problem() -> None:
    graph = built(lambda: tf.identity(image(), name="n0"))
    for number in range(1, 5000):
        node = graph.node.add()
        node.CopyFrom(named(graph, "n0")) if number == 1 else node.CopyFrom(graph.node[-2])
        node.name = f"n{number}"
        node.input[:] = [f"n{number - 1}"]
    assert GraphView(graph).order[-1] == "n4999"


def test_a_value_that_does_not_fit_its_shape_is_refused() -> None:
    graph = built(lambda: tf.constant(numbers(3, 3), name="w"))
    named(graph, "w").attr["value"].tensor.tensor_shape.dim[0].size = 4
    with pytest.raises(ModelError, match="'w' does not fit its shape"):
        const_value(named(graph, "w"))


def evaluated(build: Any) -> Any:
    view = GraphView(built(lambda: tf.identity(build(), name="value")))
    return Constants(view).value(TensorRef("value", 0))


def test_constant_expressions_are_evaluated_as_tensorflow_does() -> None:
    a, b = numbers(3, 4, low=0.5, high=2), numbers(4, seed=1, low=0.5, high=2)

    def build() -> Any:
        x = tf.math.rsqrt(tf.constant(a)) * b - tf.sqrt(tf.constant(b)) / tf.square(tf.constant(a))
        x = tf.squeeze(tf.expand_dims(tf.reshape(-x, [4, 3]), 0), 0)
        return x + tf.math.reciprocal(tf.constant(numbers(3, seed=2)))

    expected = (-(b / np.sqrt(a) - np.sqrt(b) / a**2)).reshape(4, 3) + 1 / numbers(3, seed=2)
    np.testing.assert_allclose(evaluated(build), expected, rtol=1e-5)


def test_what_depends_on_an_input_or_waits_for_something_is_not_constant() -> None:
    assert evaluated(lambda: image() * 2.0) is None

    def waiting() -> Any:
        x = image()
        with tf.control_dependencies([x]):
            return tf.constant([1.0, 2.0])

    assert evaluated(waiting) is None
