"""A copied log that is taken up again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.core.events import JobFinished
from harness.targets.iphone.follow import LogFollower

GOLDEN = Path(__file__).parents[4] / "fixtures/wire/valid/log-finished.jsonl"


def follower(folder: Path) -> LogFollower:
    return LogFollower(folder, "job", lambda note: None)


def test_of_a_job_that_had_finished_only_the_outputs_are_left(tmp_path: Path) -> None:
    """Else the app would be started once more, and the outputs never fetched."""
    shutil.copyfile(GOLDEN, tmp_path / "events.jsonl")
    assert isinstance(follower(tmp_path).last, JobFinished)


@pytest.mark.parametrize("cut_bytes", [1, 30])
def test_a_log_that_was_cut_off_goes_on(tmp_path: Path, cut_bytes: int) -> None:
    (tmp_path / "events.jsonl").write_bytes(GOLDEN.read_bytes()[:-cut_bytes])
    assert follower(tmp_path).last is None


def test_a_job_that_has_not_begun(tmp_path: Path) -> None:
    assert follower(tmp_path).last is None
    lines = GOLDEN.read_bytes().splitlines(keepends=True)
    (tmp_path / "events.jsonl").write_bytes(b"".join(lines[:-1]))
    assert follower(tmp_path).last is None
