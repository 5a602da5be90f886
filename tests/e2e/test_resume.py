"""Runs that are cut off, in every way a user or a machine can do it, and finished later."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from desk import (
    PATIENCE_S,
    TINY,
    Desk,
    assert_explained,
    end,
    jobs,
    measured,
    runner_processes,
    wait_until_measuring,
)

from harness.core.joblog import JobLog, attempts, steady_samples
from harness.core.jobs import Job
from harness.store import RunFolder, list_runs

# Each of the two jobs lasts about a quarter of a second, so there is time to interrupt one.
SLOW_RUNS = 100_000
INPUTS = 12


@contextmanager
def interrupted_run(
    desk: Desk, job_index: int = 1, run: str = ""
) -> Iterator[tuple[subprocess.Popen[str], RunFolder]]:
    """A run in a process of its own, in the middle of job ``job_index``."""
    desk.tensors(count=INPUTS)
    suite = desk.suite(recipes=("float32",), rounds=2, min_runs=2 * SLOW_RUNS, run=run, policy="")
    process = desk.start("run", suite)
    try:
        yield process, wait_until_measuring(desk, process, job_index)
    finally:
        end(process)
        for folder in list_runs(desk.runs):
            for orphan in runner_processes(folder):
                os.kill(orphan, signal.SIGKILL)


def assert_complete(found: list[tuple[Job, JobLog]]) -> None:
    """Every job has the least number of steady samples, and each input its even share of them."""
    assert len(found) == 2
    for job, log in found:
        inputs, latencies = steady_samples(log)
        assert len(inputs) == len(latencies) == job.settings.steady.min_runs == SLOW_RUNS
        counts = np.bincount(inputs - job.first_input, minlength=job.input_count)
        assert len(counts) == job.input_count
        assert counts.max() - counts.min() <= 1 + len(attempts(log)), counts


def test_killed_without_a_word(desk: Desk) -> None:
    with interrupted_run(desk) as (process, folder):
        process.kill()
        process.wait()
        # The runner goes on by itself for a while: the resumed run waits for it and counts its samples.
        answer = desk.harness("run", "--resume")
    assert answer.status == 3, answer
    assert "done before" in answer.out
    assert list_runs(desk.runs)[-1].path == folder.path
    assert_complete(jobs(folder))
    assert desk.report().is_complete
    assert measured(desk.report(), "float32").latency.steady.samples == 2 * SLOW_RUNS


def test_killed_together_with_its_runner(desk: Desk) -> None:
    with interrupted_run(desk) as (process, folder):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done, cut_off = (job.job_id for job in folder.schedule())
        before = folder.outcome(done)
        assert folder.outcome(cut_off) is None and not folder.is_complete
        shown = desk.harness("report", folder.path)
        assert shown.status == 0 and "--resume" in shown.out
        assert desk.harness("gate", folder.path).status == 3
        assert desk.harness("run", "--resume", folder.path).status == 3
    assert before is not None and folder.outcome(done) == before
    found = jobs(folder)
    assert_complete(found)
    tries = {log.job_id: len(attempts(log)) for _, log in found}
    assert tries.pop(cut_off) == 2
    assert set(tries.values()) == {1}
    assert measured(desk.report(), "float32").agreement.top1.trials == INPUTS


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_interrupted(desk: Desk, how: signal.Signals) -> None:
    with interrupted_run(desk) as (process, folder):
        if how is signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal does: to the runner too
        else:
            process.send_signal(how)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130
        assert f"harness run --resume {folder.path.relative_to(desk.folder)}" in out
        assert "Traceback" not in out + err
        assert runner_processes(folder) == []
        assert desk.harness("run", "--resume").status == 3
    assert_complete(jobs(folder))


def test_interrupted_before_the_first_measurement(desk: Desk) -> None:
    desk.tensors()
    # A cache of its own, so that there is something to build.
    process = desk.start("run", desk.suite(), "--cache", desk.folder / "cache")
    try:
        end_s = time.monotonic() + PATIENCE_S
        while not (runs := list_runs(desk.runs)):
            assert time.monotonic() < end_s and process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130, err
        assert "Traceback" not in out + err
    finally:
        end(process)
    assert not runs[0].has_schedule()
    assert_explained(desk.harness("report", runs[0].path), 2, str(runs[0].path))
    assert desk.harness("run", "--resume").status == 0
    assert [run.path for run in list_runs(desk.runs)] == [runs[0].path]
    assert desk.report().is_complete


def test_another_harness_holds_the_run(desk: Desk) -> None:
    with interrupted_run(desk, job_index=0) as (process, folder):
        assert_explained(
            desk.harness("run", "--resume"), 2, str(folder.path.relative_to(desk.folder)), "another"
        )
        assert process.poll() is None


def test_a_runner_that_never_lets_go(desk: Desk) -> None:
    """A runner that was left behind and hangs: the run is not lost, and the message says what to end."""
    with interrupted_run(desk, job_index=0, run="idle_limit_seconds = 0.5\n") as (process, folder):
        (runner,) = runner_processes(folder)
        os.kill(runner, signal.SIGSTOP)
        process.kill()
        process.wait()
        try:
            assert_explained(desk.harness("run", "--resume"), 4, folder.schedule()[0].job_id)
        finally:
            os.kill(runner, signal.SIGCONT)
        assert desk.harness("run", "--resume").status == 3
    assert_complete(jobs(folder))


def unfinished(desk: Desk, recipes: tuple[str, ...] = ("float32",), **more: object) -> RunFolder:
    """A run whose last job has not ended."""
    if not (desk.folder / "inputs.npy").exists():
        desk.tensors()
    assert desk.harness("run", desk.suite(recipes=recipes, **more)).status == 0  # type: ignore[arg-type]
    folder = desk.newest()
    last = folder.path / "jobs" / folder.schedule()[-1].job_id
    for name in ("outcome.json", "job.json", "events.jsonl", "outputs.bin"):
        (last / name).unlink()
    (folder.path / "report.json").unlink()
    assert not folder.is_complete
    return folder


def test_the_source_model_changed(desk: Desk) -> None:
    model = desk.write("model.tflite", (TINY / "image_float32.tflite").read_bytes())
    folder = unfinished(desk, model=model)
    model.write_bytes((TINY / "image_uint8.tflite").read_bytes())
    assert_explained(desk.harness("run", "--resume"), 2, str(model), "changed")
    assert folder.path.is_dir()


def test_the_inputs_changed(desk: Desk) -> None:
    folder = unfinished(desk)
    desk.tensors(seed=9)
    assert_explained(desk.harness("run", "--resume"), 2, "inputs.npy", "changed")
    assert folder.path.is_dir()


def test_the_suite_file_changed(desk: Desk) -> None:
    """A run keeps to the suite that it was planned by."""
    unfinished(desk)
    desk.suite(recipes=("float32",), rounds=9, policy="")
    assert desk.harness("run", "--resume").status == 0
    assert desk.report().plan.rounds == 2


def test_the_cache_is_gone(desk: Desk) -> None:
    """What the run holds itself is not built again, so that old and new jobs ran the same bytes."""
    folder = unfinished(desk)
    before = folder.variant("float32")
    answer = desk.harness("run", "--resume", folder.path, "--cache", desk.folder / "empty")
    assert answer.status == 0, answer
    assert "built in" not in answer.out
    assert folder.variant("float32") == before
    assert desk.report().is_complete


def test_the_newest_unfinished_run_is_resumed(desk: Desk) -> None:
    older = unfinished(desk)
    newer = unfinished(desk)
    assert desk.harness("run", desk.suite(recipes=("float32",))).status == 0
    assert desk.harness("run", "--resume").status == 0
    assert newer.is_complete and not older.is_complete
    assert desk.harness("run", "--resume").status == 0
    assert older.is_complete


def test_a_finished_run_is_only_judged(desk: Desk) -> None:
    desk.tensors()
    assert desk.harness("run", desk.suite(recipes=("float32",))).status == 0
    folder = desk.newest()
    logs = {path: path.read_bytes() for path in folder.path.glob("jobs/*/events.jsonl")}
    answer = desk.harness("run", "--resume", folder.path)
    assert answer.status == 0 and "Measuring" not in answer.out
    assert len(logs) == 2
    assert {path: path.read_bytes() for path in folder.path.glob("jobs/*/events.jsonl")} == logs


def test_there_is_nothing_to_resume(desk: Desk) -> None:
    assert_explained(desk.harness("run", "--resume"), 2, "reports", "no unfinished run")
    desk.tensors()
    assert desk.harness("run", desk.suite(recipes=("float32",))).status == 0
    assert_explained(desk.harness("run", "--resume"), 2, "reports", "no unfinished run")


def test_a_run_is_not_resumed_elsewhere(desk: Desk) -> None:
    folder = unfinished(desk)
    assert_explained(desk.harness("run", "--resume", "--target", "local"), 2, "--target")
    assert not folder.is_complete
