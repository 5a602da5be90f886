"""Strip, fold and round a large graph, over TensorFlow's own tools stripping and folding the same graph."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from benchmarks.pairs import spread
from benchmarks.processes import timed
from benchmarks.result import Part, Result
from benchmarks.workspace import ROOT, Workspace

TIME_GOAL = 1.0
MEMORY_GOAL = 4.0
_RUNS = 3


def graph_passes(workspace: Workspace) -> list[Result]:
    """Each run in a process of its own; TensorFlow's tools once, since they take a minute."""
    graph = workspace.work / "large.pb"

    def worker(kind: str) -> str:
        command: list[str | Path] = [workspace.python, "-m", "benchmarks.graph_worker", kind, graph]
        return timed(command, folder=ROOT).output

    worker("make")
    ours = [json.loads(worker("ours")) for _ in range(_RUNS)]
    theirs = json.loads(worker("tensorflow"))
    file_bytes = graph.stat().st_size
    ratios = [run["wall_s"] / theirs["wall_s"] for run in ours]
    memory = [run["memory_bytes"] / file_bytes for run in ours]
    return [
        Result(
            name="graph_passes",
            figure=statistics.median(ratios),
            unit="×",
            goal=TIME_GOAL,
            spread=spread(ratios, f"{_RUNS} runs over one of TensorFlow's"),
            compared=f"read, strip, fold, round and write a graph of {file_bytes / 1e6:.0f} MB over "
            "optimize_for_inference stripping and folding it, TensorFlow's import left out",
            parts=(
                Part(name="ours", figure=statistics.median(run["wall_s"] for run in ours), unit="s"),
                Part(name="TensorFlow's", figure=theirs["wall_s"], unit="s"),
            ),
        ),
        Result(
            name="graph_passes_memory",
            figure=statistics.median(memory),
            unit="×",
            goal=MEMORY_GOAL,
            spread=spread(memory, f"{_RUNS} runs"),
            compared="peak resident memory above TensorFlow's import, over the file's size",
        ),
    ]
