"""The process that runs the source model: ``python -m harness.workloads.reference_worker request.json``.

It prints one JSON object a line: ``{"done": inputs}`` as it goes, at the end ``{"classes": n}`` or
``{"error": {kind, problem, where, next_step}}``. The outputs go to the file that the request names.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError
from harness.models.source import SourceFormat
from harness.wire.encoding import record_layout
from harness.workloads.reference import ReferenceRequest, RequestInput


def main(arguments: list[str]) -> int:
    """Exit status 0 with the outputs written, 1 with an error told."""
    # Engines print to standard output as they please; from here on that is standard error.
    messages = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = ReferenceRequest.model_validate_json(Path(arguments[0]).read_bytes())
    try:
        classes = _write_outputs(request, messages)
    except InputError as error:
        told = {
            "kind": type(error).__name__,
            "problem": error.problem,
            "where": error.where or request.source,
            "next_step": error.next_step,
        }
        _tell(messages, {"error": told})
        return 1
    _tell(messages, {"classes": classes})
    return 0


def open_records(request_input: RequestInput, count: int) -> NDArray[Any]:
    """``[count, *record]``, mapped."""
    dtype, shape = record_layout(request_input.encoding)
    return np.memmap(request_input.records, dtype, mode="r", shape=(count, *shape))


def _write_outputs(request: ReferenceRequest, messages: TextIO) -> int:
    records = [open_records(item, request.input_count) for item in request.inputs]
    classes = 0
    done = 0
    with Path(request.outputs_path).open("wb") as out:
        for rows in _outputs(request, records):
            out.write(rows.astype("<f4", copy=False).tobytes())
            done += len(rows)
            classes = rows.shape[1]
            _tell(messages, {"done": done})
    return classes


def _outputs(request: ReferenceRequest, records: list[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
    if request.source_format is SourceFormat.TFLITE:
        from harness.workloads.reference_litert import litert_outputs

        return litert_outputs(request, records)
    if request.source_format.is_graph:
        from harness.workloads.reference_graph import file_outputs, graph_outputs

        return file_outputs(request) if request.files else graph_outputs(request, records)
    from harness.workloads.reference_keras import keras_outputs

    return keras_outputs(request, records)


def _tell(messages: TextIO, message: dict[str, object]) -> None:
    print(json.dumps(message), file=messages, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
