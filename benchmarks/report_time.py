"""How long it takes to show and to judge a stored run; for information."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable

from rich.console import Console

from benchmarks.pairs import interleaved, spread
from benchmarks.processes import timed
from benchmarks.result import Part, Result
from benchmarks.workspace import Workspace
from harness.pipeline.evaluate import evaluate, read_logs
from harness.render.terminal import terminal_report
from harness.store import RunFolder

_REPETITIONS = 7


def report_time(workspace: Workspace) -> list[Result]:
    folder = workspace.demo_run

    def report_s() -> float:
        return timed([workspace.harness, "report", folder.path]).wall_ns / 1e9

    def gate_s() -> float:
        return timed([workspace.harness, "gate", folder.path], statuses=(0, 1, 3)).wall_ns / 1e9

    report_s()
    pairs = interleaved(report_s, gate_s, _REPETITIONS)
    report = evaluate(folder)
    console = Console(file=io.StringIO(), width=110)
    times = [pair.measured for pair in pairs]
    return [
        Result(
            name="report_time",
            figure=statistics.median(times),
            unit="s",
            spread=spread(times, "calls"),
            compared=f"`harness report` of a run of the demo ({report.jobs_done} jobs, {_sample_count(folder)} "
            "samples), wall time",
            parts=(
                Part(name="harness gate", figure=statistics.median(p.base for p in pairs), unit="s"),
                Part(name="of it: evaluate", figure=_median_s(lambda: evaluate(folder)), unit="s"),
                Part(
                    name="of it: render",
                    figure=_median_s(lambda: console.print(terminal_report(report))),
                    unit="s",
                ),
            ),
        )
    ]


def _sample_count(folder: RunFolder) -> int:
    return sum(len(log.blocks.latencies_ns) for log in read_logs(folder))


def _median_s(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        before_ns = time.monotonic_ns()
        work()
        times.append((time.monotonic_ns() - before_ns) / 1e9)
    return statistics.median(times)
