"""``harness --help`` over a Python that does nothing: what starting the command line costs."""

from __future__ import annotations

import statistics

from benchmarks.pairs import interleaved, median_ratio
from benchmarks.processes import timed
from benchmarks.result import Part, Result
from benchmarks.workspace import Workspace

GOAL = 8.0
_PAIRS = 20


def help_startup(workspace: Workspace) -> list[Result]:
    def help_ms() -> float:
        return timed([workspace.harness, "--help"]).wall_ns / 1e6

    def python_ms() -> float:
        return timed([workspace.python, "-c", "pass"]).wall_ns / 1e6

    help_ms()
    python_ms()
    pairs = interleaved(help_ms, python_ms, _PAIRS)
    figure, spread = median_ratio(pairs)
    return [
        Result(
            name="help_startup",
            figure=figure,
            unit="×",
            goal=GOAL,
            spread=spread,
            compared="`harness --help` over `python -c pass`, wall time, compiled modules there",
            parts=(
                Part(name="harness --help", figure=statistics.median(p.measured for p in pairs), unit="ms"),
                Part(name="python -c pass", figure=statistics.median(p.base for p in pairs), unit="ms"),
            ),
        )
    ]
