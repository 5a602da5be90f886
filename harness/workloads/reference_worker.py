"""The process that runs the source model: ``python -m harness.workloads.reference_worker``, an engine of shards."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from harness.models.source import SourceFormat
from harness.shards.engine_server import Payload, serve
from harness.shards.request import ReferenceEngine, records_of
from harness.shards.worker import EngineOpening, ShardPart
from harness.workloads.fitting import Rows


def open_reference(opening: EngineOpening) -> Callable[[ShardPart, Payload], bytes]:
    """What computes the outputs ``[count, classes]`` of a shard, as little-endian float32."""
    engine = opening.engine
    assert isinstance(engine, ReferenceEngine)
    if not engine.inputs:
        from harness.workloads.reference_graph import open_graph_of_files

        of_files = open_graph_of_files(opening.source, engine)
        return lambda part, payload: _joined(of_files(payload, part.names))
    rows = _open(opening.source, engine)

    def compute(part: ShardPart, payload: Payload) -> bytes:
        records = [
            records_of(item.encoding, buffer) for item, buffer in zip(engine.inputs, payload, strict=True)
        ]
        return _joined(rows(records, part.first))

    return compute


def _joined(rows: Iterator[NDArray[np.float32]]) -> bytes:
    return b"".join(some.astype("<f4", copy=False).tobytes() for some in rows)


def _open(source: str, engine: ReferenceEngine) -> Rows:
    if engine.source.format is SourceFormat.TFLITE:
        from harness.workloads.reference_litert import open_litert

        return open_litert(source, engine)
    if engine.source.format.is_graph:
        from harness.workloads.reference_graph import open_graph

        return open_graph(source, engine)
    from harness.workloads.reference_keras import open_keras

    return open_keras(source, engine)


if __name__ == "__main__":
    sys.exit(serve(EngineOpening, ShardPart, open_reference))
