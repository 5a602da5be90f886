"""The runner's p50 over that of the Python interpreter's bare invoke loop: what the runner adds to an inference."""

from __future__ import annotations

import json
import statistics
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.pairs import interleaved, median_ratio
from benchmarks.processes import timed
from benchmarks.result import Part, Result
from benchmarks.runner_job import run_again, write_runner_job
from benchmarks.workspace import ROOT, Workspace
from harness.core.events import ModelDescribed, Samples, Stage, TensorInfo
from harness.core.jobs import PixelEncoding
from harness.wire.encoding import to_elements

GOAL = 1.01
VARIANTS = ("float32", "int8")
_ROUNDS = 12
_INPUTS = 50
_WARMUP_RUNS = 30
_RUNS = 200
_THREADS = 1


def runner_latency(workspace: Workspace) -> list[Result]:
    """One result for each variant: the median over the rounds of p50 / p50."""
    return [_of_variant(workspace, variant) for variant in VARIANTS]


def _of_variant(workspace: Workspace, variant: str) -> Result:
    root = workspace.work / f"latency-{variant}"
    model = workspace.model(variant)
    encoding = workspace.workload.encoding
    assert isinstance(encoding, PixelEncoding)
    with workspace.cache.path(workspace.workload.records).open("rb") as file:
        records = file.read(_INPUTS * encoding.record_bytes)
    job = write_runner_job(root, model, records, encoding, threads=_THREADS, warmup=_WARMUP_RUNS, runs=_RUNS)
    repetitions = count()

    def runner_p50_ms() -> float:
        events = run_again(workspace, root, job, next(repetitions))
        latencies = [
            latency
            for event in events
            if isinstance(event, Samples) and event.phase is Stage.STEADY
            for latency in event.latency_ns
        ]
        return statistics.median(latencies) / 1e6

    # Also the round that is not counted: it brings the files into the page cache.
    described = next(
        event
        for event in run_again(workspace, root, job, next(repetitions))
        if isinstance(event, ModelDescribed)
    )
    elements = root / "elements.npy"
    _write_elements(elements, records, encoding, described.inputs[0])

    def interpreter_p50_ms() -> float:
        command: list[str | Path] = [workspace.python, "-m", "benchmarks.interpreter_loop", model, elements]
        numbers = [str(number) for number in (_THREADS, _WARMUP_RUNS, _RUNS)]
        latencies: list[int] = json.loads(timed([*command, *numbers], folder=ROOT).output)
        return statistics.median(latencies) / 1e6

    interpreter_p50_ms()
    pairs = interleaved(runner_p50_ms, interpreter_p50_ms, _ROUNDS)
    figure, spread = median_ratio(pairs)
    return Result(
        name=f"runner_latency {variant}",
        figure=figure,
        unit="×",
        goal=GOAL,
        spread=spread,
        compared=f"p50 of {_RUNS} invocations in the runner over p50 of as many in LiteRT's Python interpreter: "
        f"EfficientNet-Lite0 {variant}, {_THREADS} thread, the same inputs, a process each",
        parts=(
            Part(name="runner p50", figure=statistics.median(pair.measured for pair in pairs), unit="ms"),
            Part(name="interpreter p50", figure=statistics.median(pair.base for pair in pairs), unit="ms"),
        ),
    )


def _write_elements(path: Path, records: bytes, encoding: PixelEncoding, tensor: TensorInfo) -> None:
    """The same elements that the runner makes of ``records``, by docs/wire-format.md."""
    pixels = np.frombuffer(records, np.uint8).reshape(-1, *encoding.shape)
    quantization = tensor.quantization
    elements = to_elements(
        pixels,
        encoding,
        tensor.dtype,
        quantization.scale if quantization else None,
        quantization.zero_point if quantization else 0,
    )
    np.save(path, elements.reshape(len(pixels), *tensor.shape), allow_pickle=False)
