"""Run the jobs of a run on a target, one after another, and write down after each how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from harness.core.jobs import Blob, Encoding, Job, JobInput, KeystrokePass, RunSettings
from harness.core.runs import JobOutcome, JobStatus, ScheduledJob, SetAside
from harness.core.variants import Variant, VariantSpec
from harness.core.workload import Workload
from harness.pipeline.progress import Progress
from harness.store import RunFolder
from harness.targets.base import KeepsCopies, StagesJobs, Target
from harness.wire.blobs import BlobStore
from harness.wire.job_folder import job_folder, write_job

MOST_FAILURES = 3
"""So often in a row may a device be in the way of a job before it is set aside."""


def measure(
    folder: RunFolder,
    specs: Sequence[VariantSpec],
    variants: Mapping[str, Variant],
    cache: BlobStore,
    target: Target,
    progress: Progress,
    *,
    announce: bool = True,
) -> None:
    """Run every job of the schedule that has no outcome yet; ``announce`` tells ``progress`` that measuring starts.

    A round's inputs are removed from a target that keeps copies once no later job needs them.

    A variant whose job failed is not tried again in later rounds: its further jobs are skipped. A job that was cut off
    goes on from its event log.

    A job that the device got in the way of (the cable, the locked screen) is left for ``--resume``; the others go on,
    until ``MOST_FAILURES`` in a row failed like that: then the device is set aside, with the reason.

    Raises:
        TargetError: the target cannot be used; the run can be resumed.
    """
    jobs = folder.schedule()
    outcomes = {
        job.job_id: outcome
        for job in jobs
        if (outcome := folder.outcome(job.job_id)) and not outcome.status.is_interrupted
    }
    workload = folder.workload()
    settings = {spec.name: spec.settings(folder.plan().settings) for spec in specs}
    broken = {
        job.variant
        for job in jobs
        if (outcome := outcomes.get(job.job_id)) and outcome.status is not JobStatus.FINISHED
    }
    in_a_row = 0
    folder.take_back()
    writer = _JobWriter(folder, workload, settings, cache)
    if announce:
        progress.measuring_started(target.description, jobs, tuple(outcomes.values()))
    if isinstance(target, StagesJobs):
        left = {job.job_id: job for job in jobs if job.job_id not in outcomes and job.variant not in broken}
        if left:
            target.stage(
                folder.path,
                tuple(left),
                lambda job_id: writer.place(left[job_id], variants[left[job_id].variant]),
            )
    for job in jobs:
        if job.job_id in outcomes:
            continue
        progress.job_started(job)
        if job.variant in broken:
            outcome = _skipped(job)
        else:
            writer.place(job, variants[job.variant])
            outcome = target.run(folder.path, job.job_id, partial(progress.job_event, job))
        if outcome.status is not JobStatus.FINISHED and not outcome.status.is_interrupted:
            broken.add(job.variant)
        folder.write_outcome(outcome)
        progress.job_ended(job, outcome)
        in_a_row = in_a_row + 1 if outcome.status.is_interrupted else 0
        if in_a_row == MOST_FAILURES:
            folder.write_set_aside(
                SetAside(failures=in_a_row, problem=outcome.problem, next_step=outcome.next_step)
            )
            return
        if isinstance(target, KeepsCopies) and not _is_needed_again(job, jobs):
            target.forget(folder.path, writer.shard_of(job))


def _is_needed_again(job: ScheduledJob, jobs: Sequence[ScheduledJob]) -> bool:
    """Whether a later job of the schedule runs the same inputs."""
    later = jobs[jobs.index(job) + 1 :]
    return any((one.first_input, one.input_count) == (job.first_input, job.input_count) for one in later)


def _skipped(job: ScheduledJob) -> JobOutcome:
    return JobOutcome(
        job_id=job.job_id,
        status=JobStatus.SKIPPED,
        code="skipped",
        problem="an earlier job of this variant failed",
    )


class _JobWriter:
    """Writes job folders with their blobs below the run; a shard's bytes are stored once for all variants."""

    def __init__(
        self, folder: RunFolder, workload: Workload, settings: Mapping[str, RunSettings], cache: BlobStore
    ) -> None:
        self._folder = folder
        self._workload = workload
        self._settings = settings
        self._cache = cache
        self._order = folder.input_order()
        self._shards: dict[tuple[str, int, int], Blob] = {}

    def place(self, scheduled: ScheduledJob, variant: Variant) -> None:
        """Write the job folder, unless it is there already."""
        if (job_folder(self._folder.path, scheduled.job_id) / "job.json").is_file():
            return
        self._cache.link_into(variant.model, self._folder.path)
        write_job(
            self._folder.path,
            Job(
                job_id=scheduled.job_id,
                variant=variant.name,
                model=variant.model,
                inputs=self._inputs(scheduled.first_input, scheduled.input_count),
                first_input=scheduled.first_input,
                input_count=scheduled.input_count,
                settings=self._settings[variant.name],
                keystrokes=self._keystrokes(scheduled.round_index),
            ),
        )

    def _keystrokes(self, round_index: int) -> KeystrokePass | None:
        """The round's part of the texts that are typed: the same for every variant."""
        typed, rounds = self._workload.typed, self._folder.plan().rounds
        if not typed:
            return None
        part = typed[round_index % rounds :: rounds] if len(typed) >= rounds else typed
        texts = self._folder.blobs.put_bytes(json.dumps(part, ensure_ascii=False).encode())
        return KeystrokePass(texts=texts, pause_ns=self._workload.typing_pause_ns)

    def shard_of(self, scheduled: ScheduledJob) -> tuple[Blob, ...]:
        """The input bytes that the job was placed with, as far as this process placed them."""
        keys = [
            (given.records.sha256, scheduled.first_input, scheduled.input_count)
            for given in self._workload.tensors
        ]
        return tuple(self._shards[key] for key in keys if key in self._shards)

    def _inputs(self, first_input: int, input_count: int) -> tuple[JobInput, ...]:
        return tuple(
            JobInput(
                tensor=given.tensor,
                blob=self._shard(given.records, given.encoding, first_input, input_count),
                encoding=given.encoding,
            )
            for given in self._workload.tensors
        )

    def _shard(self, records: Blob, encoding: Encoding, first_input: int, input_count: int) -> Blob:
        key = (records.sha256, first_input, input_count)
        if key not in self._shards:
            self._shards[key] = self._folder.blobs.put_chunks(
                self._records(records, encoding, slice(first_input, first_input + input_count))
            )
        return self._shards[key]

    def _records(
        self, records: Blob, encoding: Encoding, positions: slice
    ) -> Iterator[bytes | bytearray | memoryview]:
        """The bytes of a shard, a record at a time where sampling has an order of its own; the file is mapped."""
        whole = np.memmap(self._cache.path(records), dtype=np.uint8, mode="r").reshape(
            -1, encoding.record_bytes
        )
        if self._order is None:
            yield np.ascontiguousarray(whole[positions]).data.cast("B")
            return
        for index in self._order[positions].tolist():
            yield np.ascontiguousarray(whole[index]).data
