"""Several phones at once, and the time until the first sample."""

from __future__ import annotations

import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.pairs import spread
from benchmarks.processes import timed
from benchmarks.result import Part, Result
from benchmarks.virtual_phones import open_phone, run_phone_jobs, write_phone_jobs
from benchmarks.workspace import TINY_MODEL, Workspace
from harness.core.events import JobStarted, Samples, Stage
from harness.errors import RunError
from harness.store import list_runs
from harness.wire.event_log import read_events
from harness.wire.job_folder import job_folder

FLEET_GOAL = 0.28
FIRST_SAMPLE_GOAL_S = 3.0
_PHONES = 4
_ROUNDS = 2
SLOW_LINK = "slow-link:latency-ms=60,mib-per-s=35"
_RUNS_OF_FIRST_SAMPLE = 5
_SUITE = """version = 1
name = "first-sample"
[model]
path = "{model}"
[workload]
task = "tensors"
inputs = "inputs.npy"
[variants]
recipes = ["float32"]
[run]
target = "virtual:{ios}"
rounds = 1
warmup = {{ min_runs = 1 }}
steady = {{ min_runs = 100 }}
[policy]
"""


def phone_fleet(workspace: Workspace) -> list[Result]:
    """Four phones on slow links, so that the work is waiting: at once, over one after another."""
    phones = [open_phone(workspace, "16.7", index, (SLOW_LINK,)) for index in range(1, _PHONES + 1)]
    ratios, parts = [], []
    try:
        for number in range(_ROUNDS + 1):
            serial = _jobs(workspace, f"serial-{number}")
            at_once = _jobs(workspace, f"at-once-{number}")
            started_ns = time.monotonic_ns()
            for phone, (root, names) in zip(phones, serial, strict=True):
                run_phone_jobs(phone, root, names)
            serial_ns = time.monotonic_ns() - started_ns
            started_ns = time.monotonic_ns()
            with ThreadPoolExecutor(_PHONES) as pool:
                list(
                    pool.map(
                        lambda pair: run_phone_jobs(pair[0], *pair[1]), zip(phones, at_once, strict=True)
                    )
                )
            at_once_ns = time.monotonic_ns() - started_ns
            if number:
                # The first round installs the runner and opens the connections.
                ratios.append(at_once_ns / serial_ns)
                parts = [("one after another", serial_ns / 1e9), ("at once", at_once_ns / 1e9)]
    finally:
        for phone in phones:
            phone.close()
    return [
        Result(
            name="phone_fleet",
            figure=statistics.median(ratios),
            unit="×",
            goal=FLEET_GOAL,
            spread=spread(ratios, "rounds"),
            compared=f"the same jobs on {_PHONES} virtual iPhones at once, over one after another, on links that "
            "answer after 60 ms, so that the work is waiting",
            parts=tuple(Part(name=name, figure=figure, unit="s") for name, figure in parts),
        )
    ]


def _jobs(workspace: Workspace, name: str) -> list[tuple[Path, list[str]]]:
    roots = [workspace.work / f"{name}-{index}" for index in range(_PHONES)]
    return [(root, write_phone_jobs(root, 1, inputs=20, runs=20)) for root in roots]


def phone_first_sample(workspace: Workspace) -> list[Result]:
    """From the command to the first steady sample of a cached suite on a virtual iPhone; a small push is in it."""
    import numpy as np

    folder = workspace.work / "first-sample"
    folder.mkdir()
    np.save(folder / "inputs.npy", np.random.default_rng(0).uniform(-1, 1, (12, 8, 8, 3)).astype(np.float32))
    results = []
    for ios in ("16.7", "18.5"):
        suite = folder / f"suite-{ios}.toml"
        suite.write_text(_SUITE.format(model=TINY_MODEL, ios=ios))
        command: list[str | Path] = [
            workspace.harness,
            "run",
            suite,
            "--runs",
            folder / ios,
            "--cache",
            folder / "cache",
        ]
        timed(command, statuses=(0, 1, 3))
        seconds = [_first_sample_s(command, folder / ios) for _ in range(_RUNS_OF_FIRST_SAMPLE)]
        results.append(
            Result(
                name=f"phone_first_sample_ios_{ios.partition('.')[0]}",
                figure=statistics.median(seconds),
                unit="s",
                goal=FIRST_SAMPLE_GOAL_S,
                spread=spread(seconds, "runs"),
                compared=f"`harness run` of a cached suite on a virtual iPhone with iOS {ios}: from the command to the "
                "first steady sample, starting the phone and installing the runner included",
            )
        )
    return results


def _first_sample_s(command: list[str | Path], runs: Path) -> float:
    started_ns = time.time_ns()
    subprocess.run(command, capture_output=True, check=False, timeout=300)
    run = list_runs(runs)[-1]
    events = read_events(job_folder(run.path, run.schedule()[0].job_id) / "events.jsonl")
    began = next((event for event in events if isinstance(event, JobStarted)), None)
    first = next(
        (event for event in events if isinstance(event, Samples) and event.phase is Stage.STEADY), None
    )
    if began is None or first is None:
        raise RunError("took no sample", where=str(run.path), next_step="See its events.jsonl.")
    return (began.unix_ns + first.t_ns - started_ns) / 1e9
