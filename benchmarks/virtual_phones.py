"""Virtual iPhones for the benchmarks, and jobs to run on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.runner_job import write_runner_job
from benchmarks.workspace import TINY_MODEL, Workspace
from harness.core.jobs import Job, PixelEncoding
from harness.errors import RunError
from harness.pipeline.virtual_phone import VirtualPhoneTarget
from harness.targets.base import Unwatched
from harness.wire.job_folder import write_job

_IDLE_LIMIT_S = 60.0


def open_phone(
    workspace: Workspace, ios: str, index: int = 1, faults: Sequence[str] = ()
) -> VirtualPhoneTarget:
    """A phone with its worker, both started when this returns; to be closed."""
    phone = VirtualPhoneTarget(
        ios, index, Unwatched(), runner=workspace.runner, idle_limit_s=_IDLE_LIMIT_S, faults=faults
    )
    assert phone.iphone.udid
    return phone


def write_phone_jobs(root: Path, count: int, *, inputs: int, runs: int) -> list[str]:
    """Jobs of the tiny image model below ``root``, each with inputs of its own; their ids."""
    encoding = PixelEncoding(shape=(8, 8, 3), mean=(127.5,) * 3, scale=(127.5,) * 3)
    names = []
    for number in range(count):
        records = np.random.default_rng(number).integers(0, 256, (inputs, 8, 8, 3)).astype(np.uint8)
        job: Job = write_runner_job(
            root, TINY_MODEL, records.tobytes(), encoding, threads=1, warmup=1, runs=runs
        ).model_copy(update={"job_id": f"job-{number}"})
        write_job(root, job)
        names.append(job.job_id)
    return names


def run_phone_jobs(phone: VirtualPhoneTarget, root: Path, names: Sequence[str]) -> None:
    """Run them all.

    Raises:
        RunError: one did not finish.
    """
    phone.stage(root, names, lambda name: None)
    for name in names:
        outcome = phone.run(root, name, lambda event: None)
        if outcome.status != "finished":
            raise RunError(outcome.problem, where=str(root), next_step=outcome.next_step)
    phone.iphone.release()
