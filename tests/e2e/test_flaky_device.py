"""How often a device may be in the way of a job: three times in a row, and not once more."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from desk import Desk

from harness.cli.verdicts import exit_status
from harness.core.events import TargetClass
from harness.core.runs import JobOutcome, JobStatus
from harness.core.variants import Variant
from harness.errors import ExitStatus
from harness.pipeline.evaluate import evaluate
from harness.pipeline.measure import MOST_FAILURES, measure
from harness.pipeline.progress import Silent
from harness.store import RunFolder
from harness.suite.read import read_suite
from harness.targets.base import OnEvent
from harness.wire.blobs import BlobStore
from harness.wire.job_folder import job_folder

ROUNDS = 8
FINE, CUT_OFF = JobStatus.FINISHED, JobStatus.DISCONNECTED


class Flaky:
    """Ends jobs as it is told to, and does not run them."""

    description = "flaky"
    target_class = TargetClass.LOCAL

    def __init__(self, ends: Iterator[JobStatus]) -> None:
        self.ends = ends
        self.asked: list[str] = []

    def run(self, root: Path, job_id: str, on_event: OnEvent) -> JobOutcome:
        self.asked.append(job_id)
        status = next(self.ends)
        return JobOutcome(
            job_id=job_id, status=status, code="x", problem="the cable", next_step="Plug it in."
        )

    def close(self) -> None: ...


@pytest.fixture
def folder(desk: Desk) -> RunFolder:
    """A run of which no job has an outcome."""
    desk.tensors()
    suite = desk.suite(recipes=("float32",), rounds=ROUNDS, min_runs=ROUNDS * 4)
    answer = desk.harness("run", suite, "--cache", desk.cache)
    assert answer.status in (0, 1, 3), answer
    folder = desk.newest()
    for job in folder.schedule():
        (job_folder(folder.path, job.job_id) / "outcome.json").unlink()
    return folder


def measured(folder: RunFolder, desk: Desk, ends: Iterator[JobStatus]) -> Flaky:
    suite, _ = read_suite(desk.folder / "suite.toml")
    variant = folder.variant("float32")
    assert isinstance(variant, Variant)
    target = Flaky(ends)
    cache = BlobStore(desk.cache)
    measure(folder, suite.variants.specs, {"float32": variant}, cache, target, Silent())
    return target


def test_a_device_that_fails_every_second_job_stays(desk: Desk, folder: RunFolder) -> None:
    target = measured(folder, desk, cycle((CUT_OFF, CUT_OFF, FINE)))
    assert len(target.asked) == ROUNDS
    assert folder.set_aside() is None


def test_three_failures_in_a_row_set_it_aside_until_it_is_resumed(desk: Desk, folder: RunFolder) -> None:
    target = measured(folder, desk, iter((FINE, CUT_OFF, FINE, CUT_OFF, CUT_OFF, CUT_OFF)))
    assert len(target.asked) == 6
    why = folder.set_aside()
    assert why is not None
    assert (why.failures, why.problem, why.next_step) == (MOST_FAILURES, "the cable", "Plug it in.")
    report = evaluate(folder)
    assert exit_status(report) is ExitStatus.UNDECIDED and not report.is_complete
    folder.write_report(report)
    answer = desk.harness("report", folder.path)
    assert "set aside after 3 failures in a row; the last one: the cable" in " ".join(answer.out.split())
    # What was cut off is tried again, what has run is not.
    again = measured(folder, desk, cycle((FINE,)))
    assert len(again.asked) == ROUNDS - 2 and not set(again.asked) & {target.asked[0], target.asked[2]}
    assert folder.set_aside() is None


def test_a_crash_is_the_variants_fault_and_not_the_devices(desk: Desk, folder: RunFolder) -> None:
    target = measured(folder, desk, cycle((JobStatus.CRASHED,)))
    assert len(target.asked) == 1
    assert folder.set_aside() is None
