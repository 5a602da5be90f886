"""The confirming second run: what two stored runs differ in, measured once more with both sides in the same rounds."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from harness.core.changes import COSTS, Change, cost_change
from harness.core.comparison import Comparison, VariantComparison, round_figures
from harness.core.joblog import JobLog, attempts, job_log
from harness.core.measurements import Measurement, result_name
from harness.core.metrics import latency, memory
from harness.core.runs import JobStatus, ScheduledJob
from harness.errors import RunError, UsageError
from harness.pipeline.compared_sides import ComparedSide
from harness.pipeline.progress import Progress
from harness.store import RunFolder, new_run_id
from harness.targets.base import StagesJobs, Target
from harness.wire.blobs import BlobStore
from harness.wire.event_log import EventLogReader
from harness.wire.job_folder import job_folder, read_job, write_job
from harness.wire.strict_json import write_text


def to_confirm(comparison: Comparison) -> list[VariantComparison]:
    """The variants that differ in latency or memory: files, agreement and accuracy would only repeat themselves."""
    return [
        one
        for one in comparison.variants
        if any(change.figure in COSTS and change.conclusion.is_difference for change in one.changes)
    ]


def confirm(
    comparison: Comparison, a: ComparedSide, b: ComparedSide, runs: Path, target: Target, progress: Progress
) -> Comparison:
    """Run the jobs of every variant that differs again, those of ``a`` and of ``b`` in turn in each round, and say for
    each difference whether it was seen again: the same conclusion, by paired rounds.

    Models and inputs are those stored in the two runs, so neither source is needed. The new jobs and the comparison
    are kept in a folder of their own in ``runs``.

    Raises:
        UsageError: a side is a report without its run.
        RunError: a job did not finish, or another device answered.
        TargetError: the target cannot be used.
    """
    folder_a, folder_b = stored_runs(a, b)
    root = runs / new_run_id(f"confirm-{a.report.plan.suite_name}"[:40], time.time_ns())
    again = to_confirm(comparison)
    pairs = [_Pair(one, root, folder_a, folder_b) for one in again]
    jobs = [job for pair in pairs for job in pair.jobs]
    progress.measuring_started(target.description, jobs, ())
    if isinstance(target, StagesJobs):
        target.stage(root, tuple(job.job_id for job in jobs), lambda job_id: None)
    for round_index in range(max((pair.rounds for pair in pairs), default=0)):
        turn = [job for job in jobs if job.round_index == round_index]
        random.Random(round_index).shuffle(turn)
        for job in turn:
            progress.job_started(job)
            outcome = target.run(root, job.job_id, partial(progress.job_event, job))
            progress.job_ended(job, outcome)
            if outcome.status is not JobStatus.FINISHED:
                raise RunError(
                    f"the confirming job {job.job_id} did not finish: {outcome.problem}",
                    where=str(root),
                    next_step=outcome.next_step or "Compare again.",
                )
    seen = {pair.variant.variant: pair.confirmed(comparison, a) for pair in pairs}
    result = comparison.model_copy(
        update={
            "confirmed_by": root.name,
            "variants": tuple(seen.get(one.variant, one) for one in comparison.variants),
        }
    )
    write_text(root / "comparison.json", result.model_dump_json(indent=1) + "\n")
    return result


def stored_runs(a: ComparedSide, b: ComparedSide) -> tuple[RunFolder, RunFolder]:
    """Both sides' runs.

    Raises:
        UsageError: a side is a report without its run.
    """
    for side in (a, b):
        if side.folder is None:
            raise UsageError(
                "a report without its run cannot be run again",
                where=side.report.plan.run_id,
                next_step="Name the run's folder, or leave --confirm out.",
            )
    assert a.folder is not None and b.folder is not None
    return a.folder, b.folder


class _Pair:
    """One variant of each side, as jobs below ``root``."""

    def __init__(self, variant: VariantComparison, root: Path, a: RunFolder, b: RunFolder) -> None:
        self.variant = variant
        self._root = root
        stored = [_jobs_of(a, variant.variant), _jobs_of(b, variant.variant_b)]
        self.rounds = min(len(jobs) for jobs in stored)
        self._sides = [
            [
                _place(folder, job, root, f"r{index:02d}-{side}-{job.variant}", index)
                for index, job in enumerate(jobs[: self.rounds])
            ]
            for side, folder, jobs in (("a", a, stored[0]), ("b", b, stored[1]))
        ]

    @property
    def jobs(self) -> list[ScheduledJob]:
        return [job for side in self._sides for job in side]

    def confirmed(self, comparison: Comparison, a: ComparedSide) -> VariantComparison:
        """The comparison with ``confirmed`` set on its differences."""
        logs = [[_log(self._root, job) for job in side] for side in self._sides]
        before = next(one for one in a.report.results if result_name(one) == self.variant.variant)
        assert isinstance(before, Measurement)
        _refuse_other_device(before, logs)
        measured = [
            before.model_copy(update={"latency": latency(side), "memory": memory(side)}) for side in logs
        ]
        differing = [
            one for one in self.variant.changes if one.figure in COSTS and one.conclusion.is_difference
        ]
        level = comparison.criterion.level(len(differing))

        def again(change: Change) -> Change:
            if change not in differing:
                return change
            rounds = (round_figures(change.figure, measured[0]), round_figures(change.figure, measured[1]))
            seen = cost_change(
                change.figure,
                rounds,
                paired=True,
                shown=(None, None),
                level=level,
                effect=comparison.criterion.effect,
            )
            return change.model_copy(update={"confirmed": seen.conclusion is change.conclusion})

        return self.variant.model_copy(
            update={"changes": tuple(again(change) for change in self.variant.changes)}
        )


def _jobs_of(folder: RunFolder, variant: str) -> list[ScheduledJob]:
    jobs = [job for job in folder.schedule() if job.variant == variant]
    return sorted(jobs, key=lambda job: job.round_index)


def _place(
    folder: RunFolder, stored: ScheduledJob, root: Path, job_id: str, round_index: int
) -> ScheduledJob:
    # Only the timed pass is run again, not what came after it.
    job = read_job(job_folder(folder.path, stored.job_id)).model_copy(
        update={"job_id": job_id, "keystrokes": None}
    )
    blobs = BlobStore(folder.path)
    for blob in job.blobs:
        blobs.link_into(blob, root)
    write_job(root, job)
    return ScheduledJob(
        job_id=job_id,
        variant=stored.variant,
        round_index=round_index,
        first_input=stored.first_input,
        input_count=stored.input_count,
    )


def _log(root: Path, job: ScheduledJob) -> JobLog:
    return job_log(job, EventLogReader(job_folder(root, job.job_id) / "events.jsonl").new_events())


def _refuse_other_device(before: Measurement, logs: Sequence[Sequence[JobLog]]) -> None:
    for log in (log for side in logs for log in side):
        device = attempts(log)[0].device
        if (device.model, device.cpu) != (before.device.model, before.device.cpu):
            raise RunError(
                f"the confirming run was answered by {device.model} ({device.cpu}), the runs compared are of "
                f"{before.device.model} ({before.device.cpu})",
                where=log.job_id,
                next_step="Connect that device and compare again.",
            )
