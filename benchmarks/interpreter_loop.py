"""The bare loop that the runner is compared with: LiteRT's Python interpreter, and nothing but its invocations timed.

``python -m benchmarks.interpreter_loop MODEL ELEMENTS.npy THREADS WARMUP RUNS`` prints the latencies in nanoseconds as
JSON. ``ELEMENTS.npy`` is ``[inputs, *input_shape]`` in the input tensor's type.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np


def main(model: str, elements: str, threads: int, warmup: int, runs: int) -> list[int]:
    """The latency of each of ``runs`` invocations after ``warmup`` others, in nanoseconds."""
    from ai_edge_litert.interpreter import Interpreter

    inputs = np.load(elements, allow_pickle=False)
    interpreter = Interpreter(model_path=model, num_threads=threads)
    interpreter.allocate_tensors()
    tensor = interpreter.get_input_details()[0]["index"]
    latencies_ns = []
    for index in range(warmup + runs):
        interpreter.set_tensor(tensor, inputs[index % len(inputs)])
        before_ns = time.monotonic_ns()
        interpreter.invoke()
        latencies_ns.append(time.monotonic_ns() - before_ns)
    return latencies_ns[warmup:]


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))))
