"""The report of a million samples as a page, with all of them in a CSV beside it: its time, and its memory beside that
of the report of ten thousand. The samples are real ones, of a model so small that a million take half a minute.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.pairs import spread
from benchmarks.processes import timed
from benchmarks.result import Part, Result
from benchmarks.workspace import ROOT, Workspace
from harness.errors import RunError
from harness.store import list_runs

GOAL_S = 5.0
GOAL_MEMORY = 1.25
"""Each sample is kept as twelve bytes, and of one variant at a time there are sorted copies."""
_SAMPLES = {"many": 1_000_000, "few": 10_000}
_VARIANTS = ("float32", "float16")
_ROUNDS = 5
_REPETITIONS = 5


class _Call(NamedTuple):
    seconds: float
    cpu_s: float
    peak_bytes: int


def report_samples(workspace: Workspace) -> list[Result]:
    """Both runs are measured first, then their reports are written in turn."""
    folders = {name: _run(workspace, name, samples) for name, samples in _SAMPLES.items()}
    page = workspace.work / "samples" / "report.html"
    calls: dict[str, list[_Call]] = {name: [] for name in folders}
    for _ in range(_REPETITIONS):
        for name, folder in folders.items():
            calls[name].append(_called([workspace.harness, "report", folder, "--html", page]))
    times = [call.seconds for call in calls["many"]]
    ratios = [many.peak_bytes / few.peak_bytes for many, few in zip(calls["many"], calls["few"], strict=True)]
    return [
        Result(
            name="report_samples",
            figure=statistics.median(times),
            unit="s",
            goal=GOAL_S,
            spread=spread(times, "calls"),
            compared="`harness report --html` of a run of 1,000,000 samples, CSV of all of them included, wall time",
            parts=(
                Part(
                    name="processor time", figure=statistics.median(c.cpu_s for c in calls["many"]), unit="s"
                ),
                Part(
                    name="of 10,000 samples",
                    figure=statistics.median(c.seconds for c in calls["few"]),
                    unit="s",
                ),
            ),
        ),
        Result(
            name="report_samples_memory",
            figure=statistics.median(ratios),
            unit="×",
            goal=GOAL_MEMORY,
            spread=spread(ratios, "pairs"),
            compared="peak memory of the report of 1,000,000 samples over that of 10,000",
            parts=tuple(
                Part(
                    name=f"of {_SAMPLES[name]:,} samples",
                    figure=statistics.median(call.peak_bytes for call in of_name) / 1e6,
                    unit="MB",
                )
                for name, of_name in calls.items()
            ),
        ),
    ]


def _run(workspace: Workspace, name: str, samples: int) -> Path:
    folder = workspace.work / "samples" / name
    folder.mkdir(parents=True)
    np.save(folder / "inputs.npy", np.random.default_rng(0).uniform(-1, 1, (200, 8, 8, 3)).astype(np.float32))
    (folder / "suite.toml").write_text(
        f'version = 1\nname = "{name}"\n'
        f'[model]\npath = "{ROOT / "fixtures" / "tiny" / "image_float32.tflite"}"\n'
        '[workload]\ntask = "tensors"\ninputs = "inputs.npy"\n'
        f"[variants]\nrecipes = {list(_VARIANTS)}\n"
        f"[run]\nrounds = {_ROUNDS}\nwarmup = {{min_runs = 1}}\n"
        f"steady = {{min_runs = {samples // len(_VARIANTS)}}}\n"
        '[policy]\n[[policy.rules]]\nmetric = "p90_latency"\nmax_factor = 2\nrelative_to = "float32"\n',
        encoding="utf-8",
    )
    runs = folder / "runs"
    cache = folder / "cache"
    timed(
        [workspace.harness, "run", folder / "suite.toml", "--runs", runs, "--cache", cache],
        statuses=(0, 1, 3),
    )
    return list_runs(runs)[-1].path


def _called(command: list[str | Path]) -> _Call:
    """Run to its end, with what the system counted for it.

    Raises:
        RunError: it failed.
    """
    before_s = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - before_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RunError(
            f"ended with status {process.returncode}",
            where=" ".join(str(word) for word in command[:3]),
            next_step="Run that command by itself.",
        )
    # Darwin counts bytes, Linux kibibytes.
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return _Call(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit_bytes)
