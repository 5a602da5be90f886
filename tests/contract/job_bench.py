"""Builds small jobs in a job root and runs them with the real runner."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.core.events import (
    Delegation,
    Event,
    JobFailed,
    JobFinished,
    JobStarted,
    Keystrokes,
    ModelDescribed,
    Profile,
    Samples,
    Stage,
    StageFinished,
)
from harness.core.jobs import (
    Accelerator,
    DType,
    Encoding,
    Job,
    JobInput,
    KeystrokePass,
    Loading,
    PixelEncoding,
    RunSettings,
    StopRule,
    TensorEncoding,
)
from harness.wire.blobs import BlobStore
from harness.wire.event_log import read_events
from harness.wire.job_folder import job_folder, read_output_records, write_job

Records = NDArray[Any]


def tensor_encoding(records: Records) -> TensorEncoding:
    """For ``[count, *shape]`` records of one tensor."""
    return TensorEncoding(dtype=DType(records.dtype.name), shape=records.shape[1:])


def pixel_encoding(records: Records, mean: float, scale: float) -> PixelEncoding:
    """For ``[count, height, width, channels]`` uint8 records."""
    height, width, channels = records.shape[1:]
    return PixelEncoding(shape=(height, width, channels), mean=(mean,) * channels, scale=(scale,) * channels)


@dataclass(frozen=True)
class Bench:
    """One job root with what it takes to run its jobs."""

    root: Path
    executable: Path
    library: Path

    def job(
        self,
        model: Path | bytes,
        inputs: list[tuple[str, Records, Encoding]],
        *,
        threads: int = 1,
        loading: Loading = Loading.MAPPED,
        accelerator: Accelerator = Accelerator.NONE,
        profile: int = 0,
        warmup: StopRule | None = None,
        steady: StopRule | None = None,
        typed: list[str] | None = None,
        job_id: str = "job",
    ) -> Job:
        """Write blobs and ``job.json``; ``inputs`` are (tensor name, records, encoding)."""
        store = BlobStore(self.root)
        content = model if isinstance(model, bytes) else model.read_bytes()
        job = Job(
            job_id=job_id,
            variant="tiny",
            model=store.put_bytes(content),
            inputs=tuple(
                JobInput(tensor=name, blob=store.put_bytes(records.tobytes()), encoding=encoding)
                for name, records, encoding in inputs
            ),
            first_input=0,
            input_count=len(inputs[0][1]),
            settings=RunSettings(
                threads=threads,
                loading=loading,
                accelerator=accelerator,
                profile=profile,
                warmup=warmup or StopRule(min_runs=2, min_duration_ns=0),
                steady=steady or StopRule(min_runs=0, min_duration_ns=0),
            ),
            keystrokes=None
            if typed is None
            else KeystrokePass(texts=store.put_bytes(json.dumps(typed).encode())),
        )
        write_job(self.root, job)
        return job

    def folder(self, job_id: str = "job") -> Path:
        return job_folder(self.root, job_id)

    def command(self, folder: Path, *more: str) -> list[str]:
        return [str(self.executable), "run", str(folder), "--runtime", str(self.library), *more]

    def describe_command(self, model: Path) -> list[str]:
        return [str(self.executable), "describe", str(model), "--runtime", str(self.library)]

    def run(self, job_id: str = "job", *more: str) -> subprocess.CompletedProcess[str]:
        """Run the job to its end; fails where the runner printed to standard output."""
        done = subprocess.run(
            self.command(self.folder(job_id), *more), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout == ""
        return done

    def events(self, job_id: str = "job") -> tuple[Event, ...]:
        return read_events(self.folder(job_id) / "events.jsonl")

    def failure(self, job_id: str = "job") -> JobFailed:
        """Run a job that has to fail, and say how it did."""
        done = self.run(job_id)
        assert done.returncode == 3, done.stderr
        last = self.events(job_id)[-1]
        assert isinstance(last, JobFailed)
        return last

    def outputs(self, job: Job) -> tuple[Records, ...]:
        """Output records of a finished job, one array for each output tensor."""
        described = only(self.events(job.job_id), ModelDescribed)[-1]
        return read_output_records(self.folder(job.job_id) / "outputs.bin", described, job.input_count)


E = TypeVar(
    "E",
    JobStarted,
    ModelDescribed,
    StageFinished,
    Samples,
    Keystrokes,
    Delegation,
    Profile,
    JobFailed,
    JobFinished,
)


def only(events: tuple[Event, ...], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def steady_samples(events: tuple[Event, ...]) -> list[tuple[int, int]]:
    """(input, latency in ns) of every steady sample, over all attempts."""
    return [
        pair
        for block in only(events, Samples)
        if block.phase is Stage.STEADY
        for pair in zip(block.inputs, block.latency_ns, strict=True)
    ]


def interpreter_outputs(
    model: Path, inputs: list[tuple[str, Records]], threads: int = 1
) -> dict[str, Records]:
    """What ai-edge-litert's own interpreter makes of the same records, by the outputs' signature names."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=threads)
    signature = interpreter.get_signature_runner()
    results = [
        signature(**{name: records[index] for name, records in inputs}) for index in range(len(inputs[0][1]))
    ]
    return {name: np.stack([result[name] for result in results]) for name in results[0]}
