"""The inbox as the app's benchmark and jobs screens use it: several jobs in one process, listing, deleting."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from job_bench import Bench, only, tensor_encoding

from harness.core.events import JobFinished, JobStarted, StageFinished


@pytest.fixture
def bench(tmp_path: Path, runner_executable: Path, runtime_library: Path) -> Bench:
    return Bench(tmp_path, runner_executable, runtime_library)


def place(bench: Bench, model: Path | bytes, job_id: str, seed: int = 1) -> None:
    records = np.random.default_rng(seed).uniform(-1, 1, (3, 1, 8, 8, 3)).astype(np.float32)
    bench.job(model, [("", records, tensor_encoding(records))], job_id=job_id)


def call(bench: Bench, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(bench.executable), *words], capture_output=True, text=True, timeout=60, check=False
    )


def listed(bench: Bench) -> dict[str, dict[str, Any]]:
    done = call(bench, "jobs", str(bench.root))
    assert done.returncode == 0, done.stderr
    return {job["job_id"]: job for job in json.loads(done.stdout)["jobs"]}


def run_inbox(bench: Bench) -> subprocess.CompletedProcess[str]:
    return call(bench, "run-inbox", str(bench.root), "--runtime", str(bench.library))


def test_an_inbox_that_is_not_there_is_empty(bench: Bench) -> None:
    assert listed(bench) == {}
    assert run_inbox(bench).returncode == 0


def test_a_tap_runs_what_waits_in_order_and_only_the_first_job_has_peaks(
    bench: Bench, tiny_models: Path
) -> None:
    for job_id in ("r01-b", "r00-a", "r02-c"):
        place(bench, tiny_models / "image_float32.tflite", job_id)
    (bench.root / "jobs" / "half-pushed").mkdir()
    assert [job["state"] for job in listed(bench).values()] == ["new"] * 3
    assert run_inbox(bench).returncode == 0
    jobs = listed(bench)
    assert [(job_id, job["state"], job["waiting"]) for job_id, job in jobs.items()] == [
        ("r00-a", "finished", False),
        ("r01-b", "finished", False),
        ("r02-c", "finished", False),
    ]
    started = [only(bench.events(job_id), JobStarted)[0].unix_ns for job_id in jobs]
    assert started == sorted(started)
    for job_id, has_peaks in zip(jobs, (True, False, False), strict=True):
        stages = only(bench.events(job_id), StageFinished)
        assert all(stage.memory.resident_bytes for stage in stages)
        assert {stage.memory.peak_resident_bytes is not None for stage in stages} == {has_peaks}


def test_failed_and_unreadable_jobs_are_said_and_do_not_wait(bench: Bench, tiny_models: Path) -> None:
    place(bench, b"no model", "r00-bad")
    place(bench, tiny_models / "image_float32.tflite", "r01-good")
    broken = bench.root / "jobs" / "r02-broken"
    broken.mkdir()
    (broken / "job.json").write_text("{")
    assert run_inbox(bench).returncode == 3
    jobs = listed(bench)
    assert {job_id: (job["state"], job["waiting"]) for job_id, job in jobs.items()} == {
        "r00-bad": ("failed", False),
        "r01-good": ("finished", False),
        "r02-broken": ("unreadable", False),
    }
    assert jobs["r00-bad"]["problem"] and "job.json" in jobs["r02-broken"]["problem"]
    good = jobs["r01-good"]
    assert (good["steady_samples"], good["planned_samples"]) == (3, 3) and good["median_latency_ns"] > 0


def test_a_job_that_was_cut_off_waits_and_is_finished(bench: Bench, tiny_models: Path) -> None:
    place(bench, tiny_models / "image_float32.tflite", "job")
    assert run_inbox(bench).returncode == 0
    log = bench.folder() / "events.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-2]))
    assert (listed(bench)["job"]["state"], listed(bench)["job"]["waiting"]) == ("started", True)
    assert run_inbox(bench).returncode == 0
    assert isinstance(bench.events()[-1], JobFinished)


def test_deleting_a_job_keeps_what_others_need(bench: Bench, tiny_models: Path) -> None:
    place(bench, tiny_models / "image_float32.tflite", "one", seed=1)
    place(bench, tiny_models / "image_float32.tflite", "two", seed=2)
    assert run_inbox(bench).returncode == 0
    blobs = bench.root / "blobs"
    before = {path.name for path in blobs.iterdir()}
    assert call(bench, "delete", str(bench.root), "--job", "one").returncode == 0
    assert list(listed(bench)) == ["two"]
    gone = before - {path.name for path in blobs.iterdir()}
    # The records of the first job with the mark of their check; the model is the second job's too.
    assert len({name.removesuffix(".verified") for name in gone}) == 1
    assert call(bench, "delete", str(bench.root), "--job", "two").returncode == 0
    assert list(blobs.iterdir()) == []


@pytest.mark.parametrize("job_id", ["../jobs", "..", "missing", "", "a/b"])
def test_only_a_job_is_deleted(bench: Bench, tiny_models: Path, job_id: str) -> None:
    place(bench, tiny_models / "image_float32.tflite", "one")
    done = call(bench, "delete", str(bench.root), "--job", job_id)
    assert done.returncode == 2 and done.stderr.startswith("harness-runner: ")
    assert list(listed(bench)) == ["one"]


def test_deleting_beside_a_job_that_cannot_be_read_keeps_all_blobs(bench: Bench, tiny_models: Path) -> None:
    place(bench, tiny_models / "image_float32.tflite", "one")
    before = {path.name for path in (bench.root / "blobs").iterdir()}
    (bench.root / "jobs" / "half-pushed").mkdir()
    assert call(bench, "delete", str(bench.root), "--job", "one").returncode == 0
    assert {path.name for path in (bench.root / "blobs").iterdir()} == before
