"""Every tensor of a variant against the same tensor of the float model, computed in a process of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from harness.core.jobs import Count, PositiveCount
from harness.core.layer_blame import OperationError
from harness.core.value import Value
from harness.core.workload import Workload
from harness.wire.blobs import BlobStore
from harness.workloads.decoding import Progress
from harness.workloads.model_worker import run_model_worker
from harness.workloads.reference import RequestInput, request_inputs

_OPERATIONS: Final = TypeAdapter(tuple[OperationError, ...])


class LayersRequest(Value):
    """What the worker is told. ``positions``: the inputs to compare on, as indices of the records."""

    base: str
    variant: str
    inputs: tuple[RequestInput, ...]
    input_count: PositiveCount
    positions: tuple[Count, ...]
    threads: PositiveCount


def compare_layers(
    base: Path,
    variant: Path,
    workload: Workload,
    store: BlobStore,
    positions: Sequence[int],
    on_progress: Progress | None = None,
) -> tuple[OperationError, ...]:
    """The error of each operation of the .tflite ``base`` in the .tflite ``variant``, in the order they run.

    Tensors are matched by name; an operation whose output has no match (it was fused away) is left out, and so are
    constants, which share names with what is made of them.

    Raises:
        ModelError: one of the two cannot be run.
        WorkloadError, WireError: the records do not fit, or are not in ``store``.
    """
    with tempfile.TemporaryDirectory(prefix="harness-layers-") as folder:
        request = LayersRequest(
            base=str(base.absolute()),
            variant=str(variant.absolute()),
            inputs=request_inputs(workload, store),
            input_count=len(workload.inputs),
            positions=tuple(positions),
            threads=os.cpu_count() or 1,
        )
        answer = run_model_worker(
            "harness.workloads.layers_worker",
            Path(folder),
            request,
            model=request.variant,
            engine=f"LiteRT {version('ai-edge-litert')}",
            total=len(request.positions),
            answers="operations",
            on_progress=on_progress,
        )
    return _OPERATIONS.validate_json(answer)
