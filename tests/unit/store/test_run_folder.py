"""Run folders: written whole, read strictly, found by name or by state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core.jobs import Blob, RunSettings, StopRule
from harness.core.runs import Host, JobOutcome, JobStatus, Plan, ScheduledJob, SourceRecord
from harness.core.variants import Build, FailedBuild, Recipe, Variant
from harness.core.workload import Reference
from harness.errors import RunError, UsageError, WireError
from harness.store import (
    RunFolder,
    find_run,
    latest_incomplete_run,
    list_runs,
    new_run_id,
    read_report,
)

SHA = "a" * 64
NOTHING = StopRule(min_runs=0, min_duration_ns=0)


def plan(run_id: str = "run") -> Plan:
    return Plan(
        run_id=run_id,
        created_unix_ns=1,
        harness_version="0",
        suite_name="s",
        suite_path="/s.toml",
        suite_toml="version = 1\n",
        host=Host(system="s", machine="m", cpu="c", logical_cores=2, python="3", packages={"numpy": "2"}),
        source=SourceRecord(path="/m", format="tflite", sha256=SHA, bytes=9),
        target="local",
        rounds=1,
        seed=0,
        settings=RunSettings(threads=1, warmup=NOTHING, steady=NOTHING),
    )


def job(job_id: str) -> ScheduledJob:
    return ScheduledJob(job_id=job_id, variant="float32", round_index=0, first_input=0, input_count=3)


def outcome(job_id: str) -> JobOutcome:
    return JobOutcome(job_id=job_id, status=JobStatus.FINISHED, code="finished", wall_ns=7)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, plan())


def test_what_is_written_is_read_back(folder: RunFolder) -> None:
    variant = Variant(
        name="float32",
        recipe=Recipe.FLOAT32,
        model=Blob(sha256=SHA, bytes=9),
        compressed_bytes=5,
        build=Build(duration_s=1.5, cached=False, tools={"t": "1"}),
    )
    failed = FailedBuild(name="int8", recipe=Recipe.INT8, problem="p", next_step="n")
    reference = Reference(outputs=Blob(sha256=SHA, bytes=12), classes=3, engine="e")
    folder.write_variant(variant)
    folder.write_variant(failed)
    folder.write_reference(reference)
    folder.write_schedule((job("a"), job("b")))
    folder.write_outcome(outcome("a"))
    again = RunFolder.open(folder.path)
    assert again.plan() == plan()
    assert again.variant("float32") == variant and again.variant("int8") == failed
    assert again.reference() == reference
    assert again.schedule() == (job("a"), job("b"))
    assert again.outcome("a") == outcome("a")


def test_what_is_not_written_is_absent(folder: RunFolder) -> None:
    assert not (folder.has_workload() or folder.has_reference() or folder.has_schedule())
    assert folder.variant("float32") is None
    assert folder.outcome("a") is None
    assert not folder.is_complete
    with pytest.raises(WireError):
        folder.workload()


@pytest.mark.parametrize("name", ["plan", "workload", "reference", "schedule", "report"])
def test_a_file_that_was_never_finished_does_not_count(folder: RunFolder, name: str) -> None:
    """A crash between writing and renaming leaves a partial file under another name."""
    (folder.path / f".{name}.json.partial").write_text('{"half')
    again = RunFolder.open(folder.path)
    assert again.plan() == plan()
    assert not (again.has_workload() or again.has_reference() or again.has_schedule())
    folder.write_schedule((job("a"),))
    assert again.schedule() == (job("a"),)
    assert len(list_runs(folder.path.parent)) == 1


def test_a_failing_write_leaves_the_old_file(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_schedule((job("a"),))

    def disk_full(self: Path, *arguments: object, **more: object) -> int:
        with self.open("w") as file:
            file.write('{"jobs"')
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", disk_full)
    with pytest.raises(OSError, match="No space"):
        folder.write_schedule((job("a"), job("b")))
    assert folder.schedule() == (job("a"),)


def test_complete_is_every_job_ended(folder: RunFolder) -> None:
    folder.write_schedule((job("a"), job("b")))
    folder.write_outcome(outcome("a"))
    assert not folder.is_complete
    folder.write_outcome(JobOutcome(job_id="b", status=JobStatus.CRASHED, code="sigsegv"))
    assert folder.is_complete


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunError, match="not a run folder") as caught:
            RunFolder.open(path)
        assert caught.value.where == str(path)


def test_a_newer_run_is_refused(folder: RunFolder) -> None:
    file = folder.path / "plan.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "run_version": 2, "orbit": 1}))
    with pytest.raises(RunError, match="run_version is 2") as caught:
        RunFolder.open(folder.path)
    assert "Update" in caught.value.next_step
    with pytest.raises(RunError, match="run_version is 2"):
        latest_incomplete_run(folder.path.parent)


@pytest.mark.parametrize(
    "change",
    [{"rounds": 0}, {"rounds": "1"}, {"extra": 1}, {"run_id": "../x"}, {"target": None}, {"run_version": 0}],
)
def test_a_wrong_plan_is_refused(folder: RunFolder, change: dict[str, object]) -> None:
    file = folder.path / "plan.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(WireError, match=next(iter(change))):
        RunFolder.open(folder.path)


@pytest.mark.parametrize("text", ["{}", '{"built": null, "failed": null}', '{"jobs": []}'])
def test_a_variant_file_that_says_nothing_is_refused(folder: RunFolder, text: str) -> None:
    (folder.path / "variants").mkdir()
    (folder.path / "variants" / "float32.json").write_text(text)
    with pytest.raises(WireError):
        folder.variant("float32")


def test_a_run_is_made_once(folder: RunFolder) -> None:
    with pytest.raises(RunError, match="exists"):
        RunFolder.create(folder.path.parent, plan())


def test_the_place_for_runs_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match="cannot be made"):
        RunFolder.create(tmp_path / "runs", plan())


def test_one_harness_at_a_time(folder: RunFolder) -> None:
    other = RunFolder.open(folder.path)
    with folder.locked(), pytest.raises(RunError, match="another harness"), other.locked():
        pass
    with other.locked():
        pass


def test_discarded_is_gone(folder: RunFolder) -> None:
    folder.write_schedule((job("a"),))
    folder.discard()
    assert not folder.path.exists()


def test_names_sort_by_time() -> None:
    instants = [0, 999_999, 1_000_000, 1_700_000_000_000_000_000, 1_700_000_001_000_000_000]
    names = [new_run_id("s", instant) for instant in instants]
    assert names == sorted(names)
    assert names[3] == "20231114-221320-000-s"


class TestFinding:
    def make(self, runs: Path, *names: str) -> None:
        for name in names:
            RunFolder.create(runs, plan(name))

    def test_the_oldest_comes_first(self, tmp_path: Path) -> None:
        self.make(tmp_path, "b", "a", "c")
        (tmp_path / "no-run").mkdir()
        assert [run.path.name for run in list_runs(tmp_path)] == ["a", "b", "c"]
        assert list_runs(tmp_path / "missing") == []

    def test_by_path_or_by_name(self, tmp_path: Path) -> None:
        self.make(tmp_path / "runs", "a")
        for named in (tmp_path / "runs" / "a", Path("a")):
            assert find_run(named, tmp_path / "runs").path == tmp_path / "runs" / "a"
        with pytest.raises(RunError):
            find_run(Path("b"), tmp_path / "runs")

    def test_the_newest_unfinished(self, tmp_path: Path) -> None:
        self.make(tmp_path, "a", "b", "c")
        RunFolder(tmp_path / "c").write_schedule((job("x"),))
        RunFolder(tmp_path / "c").write_outcome(outcome("x"))
        assert latest_incomplete_run(tmp_path).path == tmp_path / "b"

    def test_none_unfinished(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no unfinished run"):
            latest_incomplete_run(tmp_path)


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", '{"report_version": 2}'])
def test_a_report_that_is_none(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "report.json"
    if text is not None:
        path.write_text(text)
    for named in (path, tmp_path):
        with pytest.raises(WireError) as caught:
            read_report(named)
        assert caught.value.where == str(path)
