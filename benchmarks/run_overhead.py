"""The wall time of a run over the time of its inferences, and where the rest goes.

Everything is cached before: variants, decoded inputs and reference. The run is benchmarks/run_overhead.toml, a minute
of steady inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import timed
from benchmarks.result import Part, Result
from benchmarks.workspace import Workspace
from harness.core.events import JobStarted, Stage, StageFinished
from harness.core.joblog import JobLog, inference_ns
from harness.pipeline.evaluate import read_logs
from harness.pipeline.prepare import open_suite_source, plan_run, prepare
from harness.pipeline.progress import Silent
from harness.store import RunFolder, list_runs
from harness.suite.read import read_suite

GOAL = 1.10
SUITE = Path(__file__).with_name("run_overhead.toml")


def run_overhead(workspace: Workspace) -> list[Result]:
    """One run, so there is no spread; its ten jobs are in the parts."""
    _fill_cache(workspace)
    runs = workspace.work / "overhead-runs"
    command: list[str | Path] = [
        workspace.harness,
        "run",
        SUITE,
        "--runs",
        runs,
        "--cache",
        workspace.cache.root,
        "--json",
    ]
    # Its verdict is no matter here.
    finished = timed(command, statuses=(0, 1, 3))
    logs = read_logs(list_runs(runs)[-1])
    parts = split(logs, finished.started_unix_ns, finished.wall_ns)
    return [
        Result(
            name="run_overhead",
            figure=finished.wall_ns / 1e9 / parts[0].figure,
            unit="×",
            goal=GOAL,
            compared=f"wall time of `harness run` ({finished.wall_ns / 1e9:.0f} s, {len(logs)} jobs, all cached) over "
            "the sum of all its invocations, warm-up and first runs included",
            parts=tuple(parts),
        )
    ]


def _fill_cache(workspace: Workspace) -> None:
    suite, text = read_suite(SUITE)
    source = open_suite_source(suite, SUITE.parent)
    plan = plan_run(suite, SUITE, text, source, suite.run.target)
    folder = RunFolder.create(workspace.work / "overhead-preparation", plan)
    prepare(folder, suite, workspace.cache.root, Silent())


def split(logs: Sequence[JobLog], started_unix_ns: int, wall_ns: int) -> list[Part]:
    """Where the wall time went, in seconds; the parts add up to it. The first one is inference."""
    jobs = [_Job(log) for log in logs]
    first_ns = min(job.started_unix_ns for job in jobs)
    last_ns = max(job.started_unix_ns + job.ended_ns for job in jobs)
    inference_ns = sum(job.inference_ns for job in jobs)
    preparing_ns = sum(job.prepared_ns for job in jobs)
    in_runner_ns = sum(job.ended_ns for job in jobs)
    spans = {
        "inference": inference_ns,
        "host, before the first job": first_ns - started_unix_ns,
        "runner: blobs checked, runtime loaded": sum(job.ready_ns for job in jobs),
        "runner: load and compile": preparing_ns - sum(job.ready_ns for job in jobs),
        "runner: inputs, outputs, log": in_runner_ns - preparing_ns - inference_ns,
        "between jobs: process end and start, job folder": last_ns - first_ns - in_runner_ns,
        "host, after the last job": started_unix_ns + wall_ns - last_ns,
    }
    return [Part(name=name, figure=span_ns / 1e9, unit="s") for name, span_ns in spans.items()]


class _Job:
    """The spans of one job that ran in one attempt; ``_ns`` count from the start of the attempt but for unix time."""

    def __init__(self, log: JobLog) -> None:
        events = log.events
        stages = {event.stage: event for event in events if isinstance(event, StageFinished)}
        started = next(event for event in events if isinstance(event, JobStarted))
        # t_ns counts from the start of the attempt, unix_ns is of the event itself.
        self.started_unix_ns = started.unix_ns - started.t_ns
        self.ready_ns = stages[Stage.START].t_ns
        self.prepared_ns = stages[Stage.COMPILE].t_ns
        self.ended_ns = events[-1].t_ns
        self.inference_ns = inference_ns(log)
