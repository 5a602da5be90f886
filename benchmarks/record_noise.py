"""``python -m benchmarks.record_noise NAME``: latencies of many processes of the real runner, one after another.

benchmarks/statistics.py draws its noise from such a recording: what one machine really does between processes and
within them. Every process runs the same model on the same inputs, so nothing but the machine makes them differ.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import describe_machine, other_cpu_fraction, this_moment
from benchmarks.runner_job import run_again, write_runner_job
from benchmarks.workspace import Workspace
from harness.core.events import Samples, Stage
from harness.core.jobs import Job
from harness.wire.strict_json import write_text

FOLDER = Path(__file__).parent / "data"
PROCESSES = 160
SAMPLES = 30
_WARMUP_RUNS = 5
_INPUTS = 10


@dataclass(frozen=True)
class Recording:
    """``latencies_ns`` is ``[processes, samples]`` in the order of time; ``about`` says where they come from."""

    name: str
    about: str
    latencies_ns: NDArray[np.int64]


def read_recording(name: str) -> Recording:
    """One of benchmarks/data: a line about it, then a line for each process."""
    path = FOLDER / f"latencies-{name}.csv"
    with path.open(encoding="ascii") as file:
        about = file.readline().lstrip("# ").strip()
        rows = np.loadtxt(file, delimiter=",", dtype=np.int64, ndmin=2)
    return Recording(name, about, rows)


def recordings() -> list[Recording]:
    """All of benchmarks/data, by name."""
    names = sorted(path.stem.removeprefix("latencies-") for path in FOLDER.glob("latencies-*.csv"))
    return [read_recording(name) for name in names]


def record(name: str, circumstances: str) -> Path:
    """Run the processes and write the recording called ``name``."""
    with tempfile.TemporaryDirectory(prefix="harness-noise-") as work:
        workspace = Workspace(Path(work))
        encoding = workspace.workload.encoding
        with workspace.cache.path(workspace.workload.records).open("rb") as file:
            records = file.read(_INPUTS * encoding.record_bytes)
        job = write_runner_job(
            Path(work),
            workspace.model("float32"),
            records,
            encoding,
            threads=1,
            warmup=_WARMUP_RUNS,
            runs=SAMPLES,
        )
        run_again(workspace, Path(work), job, 0)
        before = this_moment()
        rows = [_latencies(workspace, Path(work), job, index + 1) for index in range(PROCESSES)]
        others = other_cpu_fraction(before, this_moment())
    machine = describe_machine(os.getloadavg()[0], others)
    about = (
        f"EfficientNet-Lite0 float32, 1 thread, {PROCESSES} processes of {SAMPLES} runs, ns; {machine.cpu}, "
        f"{machine.logical_cores} cores, {machine.system}; others used {(others or 0) * 100:.0f} % of it; "
        f"{circumstances}"
    )
    path = FOLDER / f"latencies-{name}.csv"
    lines = [f"# {about}", *(",".join(str(one) for one in row) for row in rows)]
    write_text(path, "\n".join(lines) + "\n")
    return path


def _latencies(workspace: Workspace, root: Path, job: Job, repetition: int) -> list[int]:
    events = run_again(workspace, root, job, repetition)
    return [
        latency
        for event in events
        if isinstance(event, Samples) and event.phase is Stage.STEADY
        for latency in event.latency_ns
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record_noise", description=__doc__)
    parser.add_argument("name", help="of the recording")
    parser.add_argument("--circumstances", default="nothing else was asked of the machine")
    arguments = parser.parse_args()
    print(record(arguments.name, arguments.circumstances))
    return 0


if __name__ == "__main__":
    sys.exit(main())
