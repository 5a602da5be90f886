"""Run folders: one immutable folder for each run, written piece by piece, read back strictly.

<runs>/<run_id>/
  plan.json          what was going to be done, with the suite's text
  workload.json      inputs, labels, encoding
  skipped.json       inputs that could not be read
  reference.json     the source model's outputs (bytes in blobs/)
  variants/NAME.json each built variant, or why it was not built
  explanations/NAME.json  why a variant's labels differ from the reference's, once `harness explain` was asked
  baseline.json      the report that its suite's policy compares with, as it was then
  chain.json         the steps of preparation, where the suite asks for them
  schedule.json      the jobs in order; grows where sampling goes on until decided
  sampling_end.json  why that stopped
  set_aside.json     why its device was given up, until it is tried again
  blobs/, jobs/      a job root (docs/wire-format.md)
  jobs/ID/outcome.json  how the host saw the job end
  report.json        measurements, findings and verdict, once complete
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import model_validator

from harness.core.chain import Chain
from harness.core.explanation import Explanation
from harness.core.jobs import Count
from harness.core.report import RunReport
from harness.core.runs import RUN_VERSION, JobOutcome, Plan, SamplingEnd, ScheduledJob, SetAside, SkippedInput
from harness.core.value import Value
from harness.core.variants import FailedBuild, Variant
from harness.core.workload import Reference, Workload
from harness.errors import RunError, WireError
from harness.wire.blobs import BlobStore
from harness.wire.job_folder import job_folder
from harness.wire.strict_json import parse_object, read_value, version_problem, write_text, write_value

_DAMAGED = "The run folder is damaged: run the suite again."


class Schedule(Value):
    """``schedule.json``. ``order``: how the shards count the workload's inputs; absent: as they are."""

    jobs: tuple[ScheduledJob, ...]
    order: tuple[Count, ...] | None = None


class Skipped(Value):
    """``skipped.json``."""

    inputs: tuple[SkippedInput, ...]


class _VariantFile(Value):
    """``variants/NAME.json``: exactly one of the two."""

    built: Variant | None = None
    failed: FailedBuild | None = None

    @model_validator(mode="after")
    def _one_of_the_two(self) -> _VariantFile:
        if (self.built is None) == (self.failed is None):
            raise ValueError("a variant was either built or not")
        return self


class RunFolder:
    """Reads and writes one run's folder. Every write is whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blobs = BlobStore(path)

    @classmethod
    def create(cls, runs: Path, plan: Plan) -> RunFolder:
        """A new folder for ``plan``, in ``runs``."""
        folder = cls(runs / plan.run_id)
        try:
            folder.path.mkdir(parents=True, exist_ok=False)
        except OSError as problem:
            raise RunError(
                f"the run folder cannot be made: {problem.strerror}",
                where=str(folder.path),
                next_step="Use --runs with a folder that you may write to.",
            ) from None
        write_value(folder.path / "plan.json", plan)
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The run in ``path``.

        Raises:
            RunError: there is no run there, or a newer harness wrote it.
        """
        folder = cls(path)
        plan = path / "plan.json"
        if not plan.is_file():
            raise RunError(
                "is not a run folder (no plan.json)",
                where=str(path),
                next_step="Name a folder that 'harness run' made, such as those in reports/.",
            )
        try:
            newer = version_problem(parse_object(plan.read_bytes()), "run_version", RUN_VERSION)
        except ValueError:
            newer = None
        if newer:
            raise RunError(newer, where=str(plan), next_step="Update the harness to read this run.")
        folder.plan()
        return folder

    def plan(self) -> Plan:
        return read_value(self.path / "plan.json", Plan, next_step=_DAMAGED)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing.

        Raises:
            RunError: another harness is working on it.
        """
        lock = FileLock(self.path / ".lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise RunError(
                "another harness is working on this run",
                where=str(self.path),
                next_step="Wait for it, or end it, and try again.",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def write_workload(self, workload: Workload, skipped: tuple[SkippedInput, ...]) -> None:
        write_value(self.path / "skipped.json", Skipped(inputs=skipped))
        write_value(self.path / "workload.json", workload)

    def has_workload(self) -> bool:
        return (self.path / "workload.json").is_file()

    def workload(self) -> Workload:
        return read_value(self.path / "workload.json", Workload, next_step=_DAMAGED)

    def skipped(self) -> tuple[SkippedInput, ...]:
        return read_value(self.path / "skipped.json", Skipped, next_step=_DAMAGED).inputs

    def write_reference(self, reference: Reference) -> None:
        write_value(self.path / "reference.json", reference)

    def has_reference(self) -> bool:
        return (self.path / "reference.json").is_file()

    def reference(self) -> Reference:
        return read_value(self.path / "reference.json", Reference, next_step=_DAMAGED)

    def write_variant(self, result: Variant | FailedBuild) -> None:
        record = _VariantFile(built=result) if isinstance(result, Variant) else _VariantFile(failed=result)
        write_value(self.path / "variants" / f"{result.name}.json", record)

    def variant(self, name: str) -> Variant | FailedBuild | None:
        """The variant as it was built or failed; ``None`` while neither is known."""
        path = self.path / "variants" / f"{name}.json"
        if not path.is_file():
            return None
        record = read_value(path, _VariantFile, next_step=_DAMAGED)
        return record.built or record.failed

    def write_chain(self, chain: Chain) -> None:
        write_value(self.path / "chain.json", chain)

    def chain(self) -> Chain | None:
        """The steps of preparation; ``None`` where none were asked for or they are still to come."""
        path = self.path / "chain.json"
        return read_value(path, Chain, next_step=_DAMAGED) if path.is_file() else None

    def write_explanation(self, found: Explanation) -> None:
        path = self.path / "explanations" / f"{found.variant}.json"
        write_text(path, found.model_dump_json(indent=1) + "\n")

    def explanation(self, variant: str) -> Explanation | None:
        """Why the variant's labels differ from the reference's; ``None`` where nobody asked."""
        path = self.path / "explanations" / f"{variant}.json"
        return read_value(path, Explanation, next_step=_DAMAGED) if path.is_file() else None

    def write_baseline(self, report: RunReport) -> None:
        write_text(self.path / "baseline.json", report.model_dump_json() + "\n")

    def baseline(self) -> RunReport | None:
        """What the suite's policy compared with when the run was planned; ``None`` where it names no baseline."""
        path = self.path / "baseline.json"
        return read_report(path) if path.is_file() else None

    def write_schedule(self, jobs: tuple[ScheduledJob, ...], order: tuple[int, ...] | None = None) -> None:
        write_value(self.path / "schedule.json", Schedule(jobs=jobs, order=order))

    def has_schedule(self) -> bool:
        return (self.path / "schedule.json").is_file()

    def schedule(self) -> tuple[ScheduledJob, ...]:
        return self._schedule().jobs

    def input_order(self) -> NDArray[np.int64] | None:
        """Indices in the workload, in the order of sampling; ``None``: as they are.

        Raises:
            WireError: the schedule is damaged.
        """
        schedule = self._schedule()
        if schedule.order is None:
            return None
        if any(job.first_input + job.input_count > len(schedule.order) for job in schedule.jobs):
            raise WireError(
                "a job has inputs past the end of the order of sampling",
                where=str(self.path / "schedule.json"),
                next_step=_DAMAGED,
            )
        return np.array(schedule.order, dtype=np.int64)

    def _schedule(self) -> Schedule:
        return read_value(self.path / "schedule.json", Schedule, next_step=_DAMAGED)

    def write_sampling_end(self, end: SamplingEnd) -> None:
        write_value(self.path / "sampling_end.json", end)

    def sampling_end(self) -> SamplingEnd | None:
        """Why sampling until decided stopped; ``None`` while it goes on, or where a run has a fixed size."""
        path = self.path / "sampling_end.json"
        return read_value(path, SamplingEnd, next_step=_DAMAGED) if path.is_file() else None

    def write_outcome(self, outcome: JobOutcome) -> None:
        write_value(job_folder(self.path, outcome.job_id) / "outcome.json", outcome)

    def outcome(self, job_id: str) -> JobOutcome | None:
        """How the job ended; ``None`` while it has not."""
        path = job_folder(self.path, job_id) / "outcome.json"
        return read_value(path, JobOutcome, next_step=_DAMAGED) if path.is_file() else None

    def write_set_aside(self, why: SetAside) -> None:
        write_value(self.path / "set_aside.json", why)

    def set_aside(self) -> SetAside | None:
        """Why the run went on without its device; ``None`` where it did not, or has since gone on with it."""
        path = self.path / "set_aside.json"
        return read_value(path, SetAside, next_step=_DAMAGED) if path.is_file() else None

    def take_back(self) -> None:
        """The device is tried again."""
        (self.path / "set_aside.json").unlink(missing_ok=True)

    def write_report(self, report: RunReport) -> None:
        write_text(self.path / "report.json", report.model_dump_json(indent=1) + "\n")

    def discard(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path)

    @property
    def has_begun(self) -> bool:
        """Whether a job was given to the device."""
        return any(self.path.glob("jobs/*/events.jsonl")) or any(self.path.glob("jobs/*/outcome.json"))

    @property
    def is_complete(self) -> bool:
        """Whether every job of the schedule has ended, and none will be added.

        One that the device got in the way of has not ended.
        """
        return (
            self.has_schedule()
            and all(
                (outcome := self.outcome(job.job_id)) is not None and not outcome.status.is_interrupted
                for job in self.schedule()
            )
            and (self.plan().until_decided is None or self.sampling_end() is not None)
        )


def new_run_id(suite_name: str, unix_ns: int) -> str:
    """A name that sorts by time: ``20261123-201754-123-demo`` (UTC, milliseconds)."""
    seconds, rest_ns = divmod(unix_ns, 1_000_000_000)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(seconds))
    return f"{stamp}-{rest_ns // 1_000_000:03d}-{suite_name}"


def list_runs(runs: Path) -> list[RunFolder]:
    """The run folders in ``runs``, the oldest first."""
    return [RunFolder(plan.parent) for plan in sorted(runs.glob("*/plan.json"))]


def find_folder(named: Path, runs: Path) -> Path:
    """The folder ``named``, or the one of that name in ``runs``, which may be a device's in a group."""
    of_device = runs / named.stem / "devices" / named
    for inside in (runs / named, of_device):
        if not named.exists() and inside.exists():
            return inside
    return named


def find_run(named: Path, runs: Path) -> RunFolder:
    """The run in the folder ``named``, or the one of that name in ``runs``.

    Raises:
        RunError: see ``RunFolder.open``.
    """
    return RunFolder.open(find_folder(named, runs))


def read_report(path: Path) -> RunReport:
    """A stored report: ``report.json`` of a run folder, or a file that ``harness report --json`` printed.

    Raises:
        WireError: missing, incomplete or damaged.
    """
    file = path / "report.json" if path.is_dir() else path
    return read_value(
        file,
        RunReport,
        next_step="Name a finished run folder, or a file written by 'harness report RUN --json'.",
    )
