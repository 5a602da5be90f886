"""A user's desk: a folder with tiny inputs and suites, and the command line, called as a user calls it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.cli.main import run_cli
from harness.core.joblog import JobLog
from harness.core.jobs import Job
from harness.core.measurements import Measurement, NotMeasured, Result
from harness.core.report import RunReport
from harness.pipeline.evaluate import read_logs
from harness.store import RunFolder, list_runs, read_report
from harness.wire.job_folder import job_folder, read_job

TINY = Path(__file__).parents[2] / "fixtures" / "tiny"
CLASSES = 10
SIDE = 8
PATIENCE_S = 60.0

PREPROCESS = "[workload.preprocess]\nsize = [8, 8]\nmean = 127.5\nscale = 127.5\n"
AGREES = '[[policy.rules]]\nmetric = "top1_agreement"\nmin = 0.5\n'


@dataclass(frozen=True)
class Answer:
    """What one call of the command line gave."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Desk:
    """``folder`` is the current folder, ``folder/reports`` holds the runs; the cache is shared by all desks."""

    folder: Path
    cache: Path
    capture: pytest.CaptureFixture[str]

    @property
    def runs(self) -> Path:
        return self.folder / "reports"

    def harness(self, *arguments: str | Path) -> Answer:
        """Call the command line in this process."""
        self.capture.readouterr()
        status = run_cli([str(argument) for argument in arguments])
        captured = self.capture.readouterr()
        return Answer(status, captured.out, captured.err)

    def start(
        self, *arguments: str | Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start the command line as a process, in a process group of its own, as a shell does."""
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *(str(argument) for argument in arguments)],
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def tensors(self, name: str = "inputs.npy", count: int = 12, seed: int = 0) -> Path:
        values = np.random.default_rng(seed).uniform(-1, 1, (count, SIDE, SIDE, 3)).astype(np.float32)
        path = self.folder / name
        np.save(path, values, allow_pickle=False)
        return path

    def photos(self, count: int = 12, folder: str = "photos") -> list[Path]:
        """Noise, each photo other noise."""
        from PIL import Image

        (self.folder / folder).mkdir(exist_ok=True)
        paths = []
        for index in range(count):
            noise = np.random.default_rng(index).integers(0, 256, (12, 12, 3), np.uint8)
            paths.append(self.folder / folder / f"photo{index:02}.png")
            Image.fromarray(noise).save(paths[-1])
        return paths

    def suite(
        self,
        *,
        name: str = "suite.toml",
        model: str | Path = TINY / "image_float32.tflite",
        workload: str = 'task = "tensors"\ninputs = "inputs.npy"\n',
        recipes: tuple[str, ...] = ("float32", "float16"),
        rounds: int = 2,
        min_runs: int = 16,
        run: str = "",
        policy: str = AGREES,
    ) -> Path:
        """Write a suite with short runs; ``min_runs`` counts over all rounds."""
        text = (
            'version = 1\nname = "tiny"\n'
            f'[model]\npath = "{model}"\n'
            f"[workload]\n{workload}"
            f"[variants]\nrecipes = {list(recipes)}\n"
            f"[run]\nrounds = {rounds}\n{run}"
            f"warmup = {{min_runs = 1}}\nsteady = {{min_runs = {min_runs}}}\n"
            f"{policy}"
        )
        return self.write(name, text)

    def image_suite(self, *, more: str = "", calibration: str = "", **rest: object) -> Path:
        workload = (
            f'task = "image-classification"\ninputs = "photos"\n{more}{PREPROCESS}'
            f"{'[workload.calibration]' if calibration else ''}\n{calibration}\n"
        )
        return self.suite(workload=workload, **rest)  # type: ignore[arg-type]

    def newest(self) -> RunFolder:
        return list_runs(self.runs)[-1]

    def report(self) -> RunReport:
        """The stored report of the newest run."""
        return read_report(self.newest().path)


def measured(report: RunReport, variant: str) -> Measurement:
    found = result(report, variant)
    assert isinstance(found, Measurement), found
    return found


def not_measured(report: RunReport, variant: str) -> NotMeasured:
    found = result(report, variant)
    assert isinstance(found, NotMeasured), found
    return found


def result(report: RunReport, variant: str) -> Result:
    (found,) = [
        one
        for one in report.results
        if (one.variant.name if isinstance(one, Measurement) else one.name) == variant
    ]
    return found


def assert_explained(answer: Answer, status: int, *names: str) -> None:
    """One ``error:`` line with every one of ``names``, a ``next:`` line, no traceback."""
    assert answer.status == status, answer
    errors = [line for line in answer.err.splitlines() if line.startswith("error:")]
    steps = [line for line in answer.err.splitlines() if line.startswith("next:")]
    assert len(errors) == 1, answer.err
    assert len(steps) == 1 and len(steps[0]) > len("next:  "), answer.err
    for name in names:
        assert name in errors[0], (name, errors[0])
    assert "Traceback" not in answer.err + answer.out


def jobs(folder: RunFolder) -> list[tuple[Job, JobLog]]:
    """Every job of a run with its log, as they are on disk."""
    return [(read_job(job_folder(folder.path, log.job_id)), log) for log in read_logs(folder)]


def wait_until_measuring(desk: Desk, process: subprocess.Popen[str], job_index: int) -> RunFolder:
    """Until job ``job_index`` of the newest run has steady samples."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        assert process.poll() is None, process.communicate()
        runs = list_runs(desk.runs)
        if runs and runs[-1].has_schedule() and len(runs[-1].schedule()) > job_index:
            log = job_folder(runs[-1].path, runs[-1].schedule()[job_index].job_id) / "events.jsonl"
            if log.is_file() and b'"steady"' in log.read_bytes():
                return runs[-1]
        time.sleep(0.02)
    raise AssertionError("the run never began to measure")


def runner_processes(folder: RunFolder) -> list[int]:
    """The runners at work on jobs of the run ``folder``."""
    table = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [
        int(line.split(maxsplit=1)[0])
        for line in table.splitlines()
        if folder.path.name in line and "harness-runner" in line
    ]


def end(process: subprocess.Popen[str]) -> None:
    """Whatever a failed test left running."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
