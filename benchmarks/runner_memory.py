"""The runner's own memory: its peak minus that of a bare program that runs the same model by the same API calls."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.pairs import Pair, interleaved, median_difference
from benchmarks.processes import timed
from benchmarks.result import NotMeasured, Part, Result
from benchmarks.runner_job import run_again, write_runner_job
from benchmarks.workspace import ROOT, TINY_MODEL, Workspace
from harness.core.events import Event, StageFinished
from harness.core.jobs import PixelEncoding

GOAL_MB = 10.0
_NAME = "runner_memory"
_PAIRS = 7
_RUNS = 200
_WARMUP_RUNS = 3
_BARE_SOURCE = Path(__file__).with_name("bare_session.cc")
_DEMO_INPUTS = 50
_TINY_PIXELS = PixelEncoding(shape=(8, 8, 3), mean=(127.0,) * 3, scale=(128.0,) * 3)


def runner_memory(workspace: Workspace) -> list[Result | NotMeasured]:
    """The tiny model's difference is the result; the demo's float32 variant, with a real shard, explains it."""
    compiler = _compiler()
    if compiler is None:
        return [
            NotMeasured(name=_NAME, reason="the bare program needs a C++ compiler (c++ on the PATH, or CXX)")
        ]
    bare = workspace.work / "bare_session"
    headers = ROOT / "ios_runner" / "core" / "src"
    # Without a C++ library of its own, so that the runner's counts as the runner's where the runtime needs none.
    command: list[str | Path] = [
        compiler,
        "-std=c++17",
        "-O2",
        "-fno-exceptions",
        f"-I{headers}",
        _BARE_SOURCE,
    ]
    linking = ["-ldl", "-Wl,--as-needed"] if platform.system() == "Linux" else []
    timed([*command, *linking, "-o", bare])
    records = np.random.default_rng(1).integers(0, 256, (64, *_TINY_PIXELS.shape), dtype=np.uint8).tobytes()
    tiny = _pairs(workspace, bare, TINY_MODEL, records, _TINY_PIXELS)
    encoding = workspace.workload.encoding
    assert isinstance(encoding, PixelEncoding)
    with workspace.cache.path(workspace.workload.records).open("rb") as file:
        shard = file.read(_DEMO_INPUTS * encoding.record_bytes)
    demo = _pairs(workspace, bare, workspace.model("float32"), shard, encoding)
    figure, spread = median_difference(tiny)
    return [
        Result(
            name=_NAME,
            figure=figure,
            unit="MB",
            goal=GOAL_MB,
            spread=spread,
            compared="peak memory (Linux: VmHWM; Darwin: peak footprint) of `harness-runner run` on a 8 kB model minus "
            "that of benchmarks/bare_session.cc, which loads the same LiteRT and makes the same calls; "
            f"{_RUNS} invocations, 1 thread, model mapped",
            parts=(
                Part(
                    name="runner, tiny model", figure=statistics.median(p.measured for p in tiny), unit="MB"
                ),
                Part(
                    name="bare program, tiny model", figure=statistics.median(p.base for p in tiny), unit="MB"
                ),
                Part(
                    name="runner, float32 demo", figure=statistics.median(p.measured for p in demo), unit="MB"
                ),
                Part(
                    name="bare program, float32 demo",
                    figure=statistics.median(p.base for p in demo),
                    unit="MB",
                ),
                Part(name="difference, float32 demo", figure=median_difference(demo)[0], unit="MB"),
            ),
        )
    ]


def _compiler() -> str | None:
    return shutil.which(os.environ.get("CXX") or "c++")


def _pairs(
    workspace: Workspace, bare: Path, model: Path, records: bytes, encoding: PixelEncoding
) -> list[Pair]:
    root = workspace.work / f"memory-{model.stem[:16]}"
    job = write_runner_job(root, model, records, encoding, threads=1, warmup=_WARMUP_RUNS, runs=_RUNS)
    repetitions = count()

    def runner_mb() -> float:
        return _peak_bytes(run_again(workspace, root, job, next(repetitions))) / 1e6

    def bare_mb() -> float:
        return int(timed([bare, workspace.runtime.path, model, str(_RUNS)]).output) / 1e6

    # The first of the runner's runs also hashes the blobs, as the first job of every model and shard does.
    return interleaved(runner_mb, bare_mb, _PAIRS)


def _peak_bytes(events: tuple[Event, ...]) -> int:
    """The peak after the steady phase, in the runner's own words."""
    memory = [event.memory for event in events if isinstance(event, StageFinished)][-1]
    peak = memory.peak_footprint_bytes or memory.peak_resident_bytes
    assert peak is not None
    return peak
