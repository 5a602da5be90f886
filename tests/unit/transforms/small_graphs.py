"""Small GraphDefs for the tests, built with TensorFlow 1's API and seeded numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from harness.errors import ModelError
from harness.transforms.compare_graphs import compare_graphs, verify_unchanged
from harness.transforms.fold_batch_norms import FoldResult, fold_batch_norms

v1 = tf.compat.v1


def built(build: Callable[[], object]) -> Any:
    """The GraphDef of what ``build`` adds to a fresh graph."""
    with tf.Graph().as_default() as graph:
        build()
    return graph.as_graph_def()


def numbers(*shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> Any:
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape).astype(np.float32)


def image(channels: int = 3, side: int = 8) -> Any:
    return v1.placeholder(tf.float32, [None, side, side, channels], name="x")


def conv(x: Any, out: int = 4, *, seed: int = 1, name: str = "conv") -> Any:
    weights = tf.constant(numbers(3, 3, int(x.shape[-1]), out, seed=seed), name=f"{name}_weights")
    return tf.nn.conv2d(x, weights, strides=1, padding="SAME", name=name)


def statistics(channels: int, seed: int = 2) -> dict[str, Any]:
    """gamma, beta, mean and variance of a batch norm."""
    return {
        "gamma": numbers(channels, seed=seed, low=0.5, high=1.5),
        "beta": numbers(channels, seed=seed + 1),
        "mean": numbers(channels, seed=seed + 2),
        "variance": numbers(channels, seed=seed + 3, low=0.5, high=2.0),
    }


def fused(x: Any, *, name: str = "bn", seed: int = 2, data_format: str = "NHWC", op: str = "V3") -> Any:
    """A FusedBatchNorm of the version ``op`` ("", "V2" or "V3"); all of its outputs."""
    channels = int(x.shape[1 if data_format == "NCHW" else -1])
    own = statistics(channels, seed)
    kernel = {
        "": tf.raw_ops.FusedBatchNorm,
        "V2": tf.raw_ops.FusedBatchNormV2,
        "V3": tf.raw_ops.FusedBatchNormV3,
    }[op]
    return kernel(
        x=x,
        scale=tf.constant(own["gamma"], name=f"{name}_gamma"),
        offset=tf.constant(own["beta"], name=f"{name}_beta"),
        mean=tf.constant(own["mean"], name=f"{name}_mean"),
        variance=tf.constant(own["variance"], name=f"{name}_variance"),
        epsilon=0.01,
        is_training=False,
        data_format=data_format,
        name=name,
    )


def decomposed(x: Any, *, scale: bool = True, centre: bool = True, name: str = "bn", seed: int = 2) -> Any:
    """``tf.nn.batch_normalization``: Mul and AddV2."""
    own = statistics(int(x.shape[-1]), seed)
    return tf.nn.batch_normalization(
        x,
        tf.constant(own["mean"]),
        tf.constant(own["variance"]),
        tf.constant(own["beta"]) if centre else None,
        tf.constant(own["gamma"]) if scale else None,
        0.01,
        name=name,
    )


def ops(graph: Any) -> list[str]:
    return sorted(node.op for node in graph.node if node.op not in ("Const", "Placeholder"))


def named(graph: Any, name: str) -> Any:
    (found,) = [node for node in graph.node if node.name == name]
    return found


def with_op(graph: Any, old: str, new: str) -> Any:
    """``graph`` with every op ``old`` called ``new``."""
    for node in graph.node:
        if node.op == old:
            node.op = new
    return graph


def folded(graph: Any, outputs: Sequence[str], inputs: Sequence[str] = ("x",)) -> FoldResult:
    """``graph`` folded, after checking that it computes the same and kept its versions."""
    result = fold_batch_norms(graph, outputs=outputs)
    verify_unchanged(graph, result.graph, step="fold", inputs=inputs, outputs=outputs)
    assert result.graph.versions == graph.versions
    assert result.graph.library == graph.library
    return result


def copied(graph: Any) -> Any:
    """For TensorFlow's own library, which writes into the graph it is given."""
    copy = type(graph)()
    copy.CopyFrom(graph)
    return copy


def same_outputs(first: Any, second: Any) -> bool:
    """Whether both run and agree on ``out``."""
    try:
        return difference(first, second, ["out"]) < 0.01
    except ModelError:
        return False


def difference(
    first: Any, second: Any, outputs: Sequence[str], feed: Mapping[str, Any] | None = None
) -> float:
    feeds = None if feed is None else [feed]
    found = compare_graphs(first, second, inputs=("x",), outputs=outputs, feeds=feeds)
    return max(one.largest_difference for one in found)
