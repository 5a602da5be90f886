"""The reference by all cores over one naive loop, for a source that takes batches and for one that does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.pairs import interleaved, median_ratio
from benchmarks.processes import timed
from benchmarks.result import NotMeasured, Part, Result
from benchmarks.workspace import DEMO_SUITE, ROOT, Workspace
from harness.core.workload import Workload, WorkloadInput
from harness.errors import RunError
from harness.pipeline.prepare import open_suite_source
from harness.suite.read import read_suite
from harness.wire.blobs import BlobStore
from harness.wire.strict_json import write_value

GOAL = 1 / 1.8
KERAS_INPUTS = 1024
_TFLITE_INPUTS = 4000
_PAIRS = 3
_LARGEST_DIFFERENCE = 1e-4


def reference_cores(workspace: Workspace) -> list[Result | NotMeasured]:
    """Wall time of whole processes: interpreters, libraries and models loaded on both sides."""
    cores = os.cpu_count() or 1
    if cores < 2:
        return [NotMeasured(name="reference_cores", reason="one core: there is nothing to share")]
    suite, _ = read_suite(DEMO_SUITE)
    source = open_suite_source(suite, DEMO_SUITE.parent)
    return [
        _compared(workspace, "reference_cores keras", source.path, "keras", KERAS_INPUTS, cores),
        _compared(
            workspace, "reference_cores tflite", workspace.model("float32"), "tflite", _TFLITE_INPUTS, cores
        ),
    ]


def _compared(
    workspace: Workspace, name: str, model: Path, source_format: str, count: int, cores: int
) -> Result:
    store = BlobStore(workspace.work / "reference-cores")
    workload = store.root / f"{source_format}.json"
    write_value(workload, _repeated(workspace.workload, workspace.cache, store, count))

    def seconds(side: str) -> float:
        arguments = (side, model, source_format, store.root, workload, _outputs(store, side))
        return (
            timed([workspace.python, "-m", "benchmarks.reference_sides", *arguments], folder=ROOT).wall_ns
            / 1e9
        )

    pairs = interleaved(lambda: seconds("shards"), lambda: seconds("loop"), _PAIRS)
    one, other = (np.load(_outputs(store, side)) for side in ("shards", "loop"))
    difference = float(np.abs(one - other).max())
    if not difference < _LARGEST_DIFFERENCE:
        raise RunError(
            f"the two sides differ by {difference:g}",
            where=name,
            next_step="Compare benchmarks/reference_sides.py.",
        )
    ratio, spread = median_ratio(pairs)
    typical = sorted(pairs, key=lambda pair: pair.ratio)[len(pairs) // 2]
    return Result(
        name=name,
        figure=ratio,
        unit="×",
        goal=GOAL,
        spread=spread,
        compared=f"wall time of the reference of EfficientNet-Lite0 ({source_format}) for {count} inputs by {cores} "
        "engine processes of one thread, behind a cluster of this machine, over that of one loop, an input at a time "
        "and threads by default; whole processes, libraries and model loaded",
        parts=(
            Part(name="harness", figure=typical.measured, unit="s"),
            Part(name="loop", figure=typical.base, unit="s"),
            Part(name="loop over harness", figure=1 / ratio, unit="×"),
        ),
    )


def _outputs(store: BlobStore, side: str) -> Path:
    return store.root / f"{side}.npy"


def _repeated(given: Workload, cache: BlobStore, store: BlobStore, count: int) -> Workload:
    """The demo's inputs over and over until there are ``count``."""
    size = given.encoding.record_bytes

    def records() -> Iterator[bytes]:
        for index in range(count):
            with cache.path(given.records).open("rb") as stream:
                stream.seek(index % len(given.inputs) * size)
                yield stream.read(size)

    return given.model_copy(
        update={
            "inputs": tuple(WorkloadInput(name=str(index), group=str(index)) for index in range(count)),
            "records": store.put_chunks(records()),
        }
    )
