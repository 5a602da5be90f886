"""Jobs for the runner executable, written and run without the pipeline."""

from __future__ import annotations

from pathlib import Path

from benchmarks.processes import timed
from benchmarks.workspace import Workspace
from harness.core.events import Event
from harness.core.jobs import Encoding, Job, JobInput, RunSettings, StopRule
from harness.wire.blobs import BlobStore
from harness.wire.event_log import read_events
from harness.wire.job_folder import write_job


def write_runner_job(
    root: Path, model: Path, records: bytes, encoding: Encoding, *, threads: int, warmup: int, runs: int
) -> Job:
    """A job for one model below ``root``, as a template for ``run_again``."""
    blobs = BlobStore(root)
    return Job(
        job_id="job",
        variant="model",
        model=blobs.put_file(model),
        inputs=(JobInput(blob=blobs.put_bytes(records), encoding=encoding),),
        first_input=0,
        input_count=len(records) // encoding.record_bytes,
        settings=RunSettings(
            threads=threads,
            warmup=StopRule(min_runs=warmup, min_duration_ns=0),
            steady=StopRule(min_runs=runs, min_duration_ns=0),
        ),
    )


def run_again(workspace: Workspace, root: Path, job: Job, repetition: int) -> tuple[Event, ...]:
    """Run a copy of ``job`` in a process of its own, and return its events.

    Raises:
        RunError: the runner did not finish it.
    """
    folder = write_job(root, job.model_copy(update={"job_id": f"{job.job_id}-{repetition}"}))
    timed(
        [
            workspace.runner,
            "run",
            folder,
            "--runtime",
            workspace.runtime.path,
            "--runtime-version",
            workspace.runtime.version,
        ]
    )
    return read_events(folder / "events.jsonl")
