"""``python -m harness.emoji.check_worker``: a .tflite against the trained network; the request is on standard input.

All texts go through one interpreter one after another, as on a phone: a network that remembers the text before shows
it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from harness.core.emoji_export import Agreement
from harness.emoji.export_requests import CheckRequest


def main() -> int:
    request = CheckRequest.model_validate_json(sys.stdin.buffer.read())
    try:
        print(json.dumps({"agreement": _compare(request).model_dump()}))
    except (RuntimeError, ValueError) as error:
        problem = f"LiteRT cannot run it: {' '.join(str(error).split())[:300]}"
        print(json.dumps({"problem": problem, "next_step": "Leave out this variant."}))
    return 0


def _compare(request: CheckRequest) -> Agreement:
    inputs, reference, truth = (
        np.load(path, allow_pickle=False) for path in (request.inputs, request.reference, request.truth)
    )
    interpreter = Interpreter(request.model, num_threads=request.threads)
    interpreter.allocate_tensors()
    remembers = any(
        "VAR" in op["op_name"] or "SEQUENCE_LSTM" in op["op_name"] for op in _operators(interpreter)
    )
    answers, times_ms = _answers(interpreter, inputs, reset=remembers)
    first, expected = answers.argmax(axis=1), reference.argmax(axis=1)
    kept = _answers(interpreter, inputs, reset=False)[0].argmax(axis=1) if remembers else None
    if not np.isfinite(answers).all():
        raise ValueError("its answers are not all finite")
    return Agreement(
        texts=len(inputs),
        largest_difference=float(np.abs(answers - reference).max()),
        top_1=float((first == expected).mean()),
        right=float((first == truth).mean()),
        without_reset=None if kept is None else float((kept == expected).mean()),
        median_ms=float(np.median(times_ms)),
    )


def _operators(interpreter: Any) -> list[dict[str, Any]]:
    operators: list[dict[str, Any]] = interpreter._get_ops_details()
    return operators


def _answers(
    interpreter: Any, inputs: NDArray[np.int32], *, reset: bool
) -> tuple[NDArray[np.float32], list[float]]:
    """``[n, labels]``, and the milliseconds of each invocation."""
    given, asked = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    answers, times_ms = [], []
    for characters in inputs:
        if reset:
            interpreter.reset_all_variables()
        interpreter.set_tensor(given["index"], characters[np.newaxis].astype(given["dtype"]))
        started = time.perf_counter_ns()
        interpreter.invoke()
        times_ms.append((time.perf_counter_ns() - started) / 1e6)
        answers.append(_real(interpreter.get_tensor(asked["index"])[0], asked))
    return np.stack(answers), times_ms


def _real(values: NDArray[Any], tensor: dict[str, Any]) -> NDArray[np.float32]:
    scale, zero_point = tensor["quantization"]
    floats: NDArray[np.float32] = values.astype(np.float32)
    return floats if values.dtype.kind == "f" or not scale else (floats - zero_point) * np.float32(scale)


if __name__ == "__main__":
    sys.exit(main())
