"""The process that ``graph_passes`` times: ``python -m benchmarks.graph_worker make|ours|tensorflow GRAPH.pb``."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

_LAYERS = 31
_CHANNELS = 296
_INPUT, _OUTPUT = "input", "output"


def make(path: Path) -> None:
    """A chain of 3 x 3 convolutions, each with a fused batch norm and a relu: about 98 MB of weights."""
    import tensorflow as tf

    generator = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return (generator.standard_normal(shape) * 0.02).astype(np.float32)

    with tf.Graph().as_default() as graph:
        value = tf.compat.v1.placeholder(tf.float32, [1, 4, 4, _CHANNELS], name=_INPUT)
        for layer in range(_LAYERS):
            weights = tf.constant(normal(3, 3, _CHANNELS, _CHANNELS), name=f"weights{layer}")
            value = tf.nn.conv2d(value, weights, 1, "SAME")
            scale, offset, mean = (tf.constant(normal(_CHANNELS) + shift) for shift in (1, 0, 0))
            variance = tf.constant(np.abs(normal(_CHANNELS)) + 1)
            value, _, _ = tf.compat.v1.nn.fused_batch_norm(
                value, scale, offset, mean, variance, is_training=False
            )
            value = tf.nn.relu(value)
        tf.identity(value, name=_OUTPUT)
    path.write_bytes(graph.as_graph_def().SerializeToString())


def ours(path: Path) -> None:
    from harness.transforms.fold_batch_norms import fold_batch_norms
    from harness.transforms.graphdef_file import read_graphdef, write_graphdef
    from harness.transforms.round_weights import round_weights
    from harness.transforms.strip import strip

    graph = strip(read_graphdef(path), inputs=[_INPUT], outputs=[_OUTPUT])
    graph = fold_batch_norms(graph, outputs=[_OUTPUT]).graph
    graph = round_weights(graph).graph
    write_graphdef(path.with_suffix(".ours.pb"), graph)


def tensorflows(path: Path) -> None:
    import tensorflow as tf
    from tensorflow.python.tools import optimize_for_inference_lib

    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    optimized = optimize_for_inference_lib.optimize_for_inference(
        graph, [_INPUT], [_OUTPUT], tf.float32.as_datatype_enum
    )
    path.with_suffix(".theirs.pb").write_bytes(optimized.SerializeToString())


def _measured(work: Callable[[Path], None], path: Path) -> dict[str, float]:
    import tensorflow  # noqa: F401 - its import is not what is measured

    before_bytes = _peak_bytes()
    started_s = time.monotonic()
    work(path)
    return {"wall_s": time.monotonic() - started_s, "memory_bytes": _peak_bytes() - before_bytes}


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(arguments: list[str]) -> None:
    kind, path = arguments[0], Path(arguments[1])
    if kind == "make":
        make(path)
    else:
        print(json.dumps(_measured({"ours": ours, "tensorflow": tensorflows}[kind], path)))


if __name__ == "__main__":
    main(sys.argv[1:])
