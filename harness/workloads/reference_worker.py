"""The process that runs the source model: ``python -m harness.workloads.reference_worker request.json``.

It answers with the number of classes; the outputs go to the file that the request names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.models.source import SourceFormat
from harness.wire.encoding import record_layout
from harness.workloads.model_worker import serve
from harness.workloads.reference import ReferenceRequest, RequestInput


def main(arguments: list[str]) -> int:
    """Exit status 0 with the outputs written, 1 with an error told."""
    request = ReferenceRequest.model_validate_json(Path(arguments[0]).read_bytes())
    return serve(request.source, "classes", lambda report: _write_outputs(request, report))


def open_records(request_input: RequestInput, count: int) -> NDArray[Any]:
    """``[count, *record]``, mapped."""
    dtype, shape = record_layout(request_input.encoding)
    return np.memmap(request_input.records, dtype, mode="r", shape=(count, *shape))


def _write_outputs(request: ReferenceRequest, report: Callable[[int], None]) -> int:
    records = [open_records(item, request.input_count) for item in request.inputs]
    classes = 0
    done = 0
    with Path(request.outputs_path).open("wb") as out:
        for rows in _outputs(request, records):
            out.write(rows.astype("<f4", copy=False).tobytes())
            done += len(rows)
            classes = rows.shape[1]
            report(done)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
