"""Every tensor of a variant against the same tensor of the float model, computed in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from harness.core.jobs import Count
from harness.core.layer_blame import OperationError
from harness.core.value import Value
from harness.core.workload import Workload
from harness.models.source import SourceFormat
from harness.shards.engine_process import EngineProcess
from harness.shards.engines import engine_name
from harness.shards.request import InputTensor
from harness.wire.blobs import BlobStore
from harness.workloads.decoding import Progress
from harness.workloads.reference import input_tensors, read_inputs

_OPERATIONS: Final = TypeAdapter(tuple[OperationError, ...])


class LayersOpening(Value):
    """The two .tflite that the worker holds against each other."""

    base: str
    variant: str
    inputs: tuple[InputTensor, ...]


class LayersPart(Value):
    """One more input, by its number in the workload; what is answered is about all that were sent so far."""

    position: Count


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
    for given in workload.tensors:
        store.verify(given.records)
    opening = LayersOpening(
        base=str(base.absolute()), variant=str(variant.absolute()), inputs=input_tensors(workload)
    )
    process = EngineProcess(
        "harness.workloads.layers_worker",
        opening,
        model=opening.variant,
        engine=engine_name(SourceFormat.TFLITE),
    )
    answer = b"[]"
    with closing(process):
        for done, position in enumerate(positions, start=1):
            records = read_inputs(workload, store, slice(position, position + 1))
            answer = process.run(LayersPart(position=position), records)
            if on_progress is not None:
                on_progress(done, len(positions))
    return _OPERATIONS.validate_json(answer)
