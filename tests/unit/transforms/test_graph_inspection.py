from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from small_graphs import built, conv, image, numbers, v1

from harness.core.inspection import Inspection
from harness.errors import ModelError
from harness.transforms.graph import GraphView
from harness.transforms.graph_candidates import after_decoding, last_scores, likely_outputs
from harness.transforms.graph_inspection import inspect_graph
from harness.transforms.needed_ops import needed_part, selective_registration_header


def classifier(x: Any) -> Any:
    features = tf.nn.relu(conv(x), name="features")
    pooled = tf.reduce_mean(features, [1, 2], name="pooled")
    logits = tf.matmul(pooled, tf.constant(numbers(4, 3), name="dense"), name="logits")
    return tf.nn.softmax(logits, name="final_result")


def decoding() -> Any:
    """As the image classifiers of 2016: JPEG bytes in, decoded and scaled in the graph."""

    def build() -> None:
        contents = v1.placeholder(tf.string, [], name="DecodeJpeg/contents")
        pixels = tf.raw_ops.DecodeJpeg(contents=contents, channels=3, name="DecodeJpeg")
        batch = tf.expand_dims(tf.cast(pixels, tf.float32, name="Cast"), 0, name="ExpandDims")
        resized = tf.raw_ops.ResizeBilinear(images=batch, size=[8, 8], name="ResizeBilinear")
        classifier(tf.multiply(resized, 1 / 128, name="Mul"))

    return built(build)


def training() -> Any:
    """A frozen network with a loss, its gradient, an accuracy, a summary and a check behind it."""

    def build() -> None:
        x = image()
        truth = v1.placeholder(tf.float32, [None, 3], name="truth")
        scores = classifier(x)
        logits = v1.get_default_graph().get_tensor_by_name("logits:0")
        loss = tf.reduce_mean(
            tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=logits, labels=truth)[0], name="loss"
        )
        tf.raw_ops.ReluGrad(gradients=x, features=x, name="gradient")
        v1.summary.scalar("loss_summary", loss)
        right = tf.equal(tf.argmax(scores, 1), tf.argmax(truth, 1))
        tf.reduce_mean(tf.cast(right, tf.float32), name="accuracy")
        tf.debugging.assert_all_finite(scores, "not finite")

    return built(build)


def inspected(graph: Any) -> Inspection:
    return inspect_graph(
        graph, path="g.pb", source_format="graphdef", size_bytes=graph.ByteSize(), sha256="0" * 64
    )


def test_ops_weights_and_versions_are_told() -> None:
    graph = decoding()
    graph.versions.producer = 21
    found = inspected(graph)
    counts = {op.op: op.count for op in found.ops}
    assert counts["Conv2D"] == counts["Softmax"] == counts["DecodeJpeg"] == 1
    assert found.nodes == len(graph.node) == sum(counts.values())
    # conv 3·3·3·4, dense 4·3, and the factor of the scaling; sizes and axes are int32.
    assert found.parameters == 108 + 12 + 1
    assert found.largest_weights[0].name == "conv_weights"
    assert found.graph is not None
    assert found.graph.producer == 21
    assert found.graph.leftovers == ()


def test_where_a_graph_may_begin_and_end() -> None:
    found = inspected(decoding())
    assert found.graph is not None
    assert [(t.name, t.dtype) for t in found.graph.input_candidates] == [
        ("DecodeJpeg/contents", "string"),
        ("Mul", "float32"),
    ]
    assert [t.name for t in found.graph.output_candidates] == ["final_result"]


def test_what_training_left_behind_is_neither_output_nor_consumer() -> None:
    found = inspected(training())
    assert found.graph is not None
    assert {"ReluGrad", "SoftmaxCrossEntropyWithLogits", "ScalarSummary", "CheckNumerics"} <= {
        op.op for op in found.graph.leftovers
    }
    outputs = [tensor.name for tensor in found.graph.output_candidates]
    assert outputs[0] == "final_result"
    assert "accuracy" in outputs
    assert not {"loss", "gradient", "loss_summary"} & set(outputs)


def test_a_softmax_inside_a_network_is_no_result() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [1, 4, 4], name="x")
        attention = tf.nn.softmax(tf.matmul(x, x, transpose_b=True), name="attention")
        tf.nn.softmax(tf.matmul(attention, x), name="out")

    view = GraphView(built(build))
    assert last_scores(view) == ("out",)
    assert likely_outputs(view) == ("out",)


def test_an_unfrozen_graph_says_so() -> None:
    def build() -> None:
        v1.placeholder(tf.float32, [3], name="x")
        tf.raw_ops.VariableV2(shape=[3], dtype=tf.float32, name="v")

    found = inspected(built(build))
    assert found.graph is not None and found.graph.variables == 1


def test_ops_in_functions_are_counted() -> None:
    @tf.function  # type: ignore[untyped-decorator]
    def twice(x: Any) -> Any:
        return tf.math.erf(x) * 2.0

    def build() -> None:
        twice(v1.placeholder(tf.float32, [3], name="x"))

    found = inspected(built(build))
    erf = next(op for op in found.ops if op.op == "Erf")
    assert erf.where[0].endswith("/Erf") and "twice" in erf.where[0]
    assert found.graph is not None and len(found.graph.functions) == 1


def test_ops_are_needed_only_between_input_and_output() -> None:
    whole = needed_part(decoding(), [], [])
    assert "DecodeJpeg" in {op.op for op in whole.ops}
    assert [tensor.name for tensor in whole.inputs] == ["DecodeJpeg/contents"]
    assert whole.better_input == "Mul" and whole.obstacle is None
    cut = needed_part(decoding(), ["Mul:0"], ["final_result"])
    assert {op.op for op in cut.ops} == {
        "Placeholder",
        "Const",
        "Conv2D",
        "Relu",
        "Mean",
        "MatMul",
        "Softmax",
    }
    assert [(t.name, t.shape) for t in cut.inputs] == [("Mul", (1, 8, 8, 3))]
    assert cut.better_input is None


def test_a_placeholder_with_a_default_is_an_input_only_where_there_is_no_other() -> None:
    def build(first: Any) -> Any:
        bottleneck = v1.placeholder_with_default(tf.nn.relu(first), [None, 4], name="bottleneck")
        tf.nn.softmax(bottleneck, name="out")

    part = needed_part(built(lambda: build(v1.placeholder(tf.float32, [1, 4], name="x"))), [], [])
    assert [tensor.name for tensor in part.inputs] == ["x"]
    assert "Relu" in {op.op for op in part.ops} and part.obstacle is None
    alone = needed_part(built(lambda: build(tf.ones([1, 4]))), [], [])
    assert [tensor.name for tensor in alone.inputs] == ["bottleneck"]


def test_a_graph_that_is_not_frozen_is_listed_and_not_converted() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [3], name="x")
        tf.add(x, tf.raw_ops.VariableV2(shape=[3], dtype=tf.float32, name="v"), name="y")

    part = needed_part(built(build), [], [])
    assert {op.op for op in part.ops} == {"Placeholder", "VariableV2", "AddV2"}
    assert part.obstacle is not None and "not frozen" in part.obstacle


def test_a_graph_that_decodes_a_constant_has_no_input_but_a_better_one() -> None:
    graph = decoding()
    contents = next(node for node in graph.node if node.name == "DecodeJpeg/contents")
    contents.CopyFrom(tf.compat.v1.NodeDef(name=contents.name, op="Const"))
    contents.attr["dtype"].type = 7
    contents.attr["value"].tensor.dtype = 7
    contents.attr["value"].tensor.string_val.append(b"")
    part = needed_part(graph, [], [])
    assert part.inputs == ()
    assert part.better_input == "Mul"
    assert part.obstacle is not None and "--input" in part.obstacle


def test_an_op_that_tensorflow_does_not_know_is_told() -> None:
    graph = built(lambda: tf.nn.relu(image(), name="y"))
    graph.node[-1].op = "MyOwnOp"
    assert needed_part(graph, [], []).unregistered == ("MyOwnOp",)


def test_names_that_are_not_there_are_refused() -> None:
    with pytest.raises(ModelError, match="no node 'Mull'") as caught:
        needed_part(decoding(), ["Mull"], [])
    assert "'Mul'" in caught.value.next_step
    with pytest.raises(ModelError, match="no node 'final'"):
        needed_part(decoding(), [], ["final"])


def test_a_graph_of_many_outputs_asks_for_a_name() -> None:
    def build() -> None:
        x = image()
        for index in range(9):
            tf.nn.relu(x, name=f"head_{index}")

    with pytest.raises(ModelError, match="9 nodes that may be its output, such as 'head_0'"):
        needed_part(built(build), [], [])


def test_a_cycle_is_refused() -> None:
    graph = built(lambda: tf.nn.relu(tf.nn.relu(image(), name="a"), name="b"))
    next(node for node in graph.node if node.name == "a").input[0] = "b"
    with pytest.raises(ModelError, match="cycle"):
        inspected(graph)


def test_a_hundred_thousand_nodes_are_no_trouble() -> None:
    graph = built(lambda: v1.placeholder(tf.float32, [3], name="x"))
    for index in range(100_000):
        node = graph.node.add()
        node.name, node.op = f"n{index}", "Relu"
        node.attr["T"].type = 1
        node.input.append(f"n{index - 1}" if index else "x")
    view = GraphView(graph)
    assert likely_outputs(view) == ("n99999",)
    assert after_decoding(view, set(view.nodes)) is None
    assert inspected(graph).ops[0].count == 100_000


def test_the_header_lists_the_needed_ops_and_their_kernels() -> None:
    part = needed_part(decoding(), ["Mul"], [])
    header = selective_registration_header(part.graph)
    assert 'isequal(op, "Conv2D")' in header and 'isequal(op, "Softmax")' in header
    assert "DecodeJpeg" not in header
    assert '"SoftmaxOp<CPUDevice, float>"' in header
    assert header.startswith("//") and header.endswith("#endif\n")
