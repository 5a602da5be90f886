"""One device of a lab, and more than one who wants it: turns, results larger than an answer, who is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, end
from test_cluster import assert_each_sample_once, finish, run, wait_until_measuring

from fixtures.lab import Bench, Lab, opened_lab, wait_until
from harness.cluster.messages import PART_BYTES
from harness.store import list_runs
from harness.wire.job_folder import job_folder

MANY_RUNS = 900_000
"""Of a job: it lasts some seconds, and its log takes more than one part."""
RUNS = 300_000


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A machine without phones: jobs run on itself."""
    with opened_lab(tmp_path_factory.mktemp("lab"), ("",), start=False) as lab:
        start(lab)
        yield lab


def start(lab: Lab) -> None:
    lab.start_worker(0, "--cores", "0", "--no-phones")
    lab.await_devices()


def runners(lab: Lab) -> list[int]:
    """The processes that run jobs for the worker."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"harness-runner" in command and os.fsencode(lab.folder) in command:
                found.append(int(process.name))
    return found


def test_two_runs_on_one_device_take_turns(desk: Desk, lab: Lab) -> None:
    desk.tensors()
    suite = desk.suite(recipes=("float32",), rounds=2, min_runs=2 * MANY_RUNS)
    first = desk.start("run", suite, *lab.options, "--target", "local", "--cache", desk.cache)
    try:
        wait_until_measuring(lab, 0)
        status, second_out, err = run(desk, lab, suite, "--target", "local", "--runs", desk.folder / "second")
    except BaseException:
        end(first)
        raise
    assert status == 0, (second_out, err)
    status, first_out, err = finish(first)
    assert status == 0, (first_out, err)
    for runs in (desk.runs, desk.folder / "second"):
        (folder,) = list_runs(runs)
        assert_each_sample_once(folder, MANY_RUNS)
        for job in folder.schedule():
            assert (job_folder(folder.path, job.job_id) / "events.jsonl").stat().st_size > PART_BYTES


def test_a_run_that_is_killed_is_resumed_from_what_the_worker_has(desk: Desk, lab: Lab) -> None:
    desk.tensors()
    suite = desk.suite(recipes=("float32",), rounds=1, min_runs=RUNS)
    process = desk.start("run", suite, *lab.options, "--target", "local", "--cache", desk.cache)
    try:
        wait_until_measuring(lab, 0)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    wait_until(lambda: not runners(lab), "the end of a job that nobody waits for")
    status, out, err = run(desk, lab, "--resume")
    assert status == 0, (out, err)
    (folder,) = list_runs(desk.runs)
    assert_each_sample_once(folder, RUNS)
    log = job_folder(folder.path, "r00-float32") / "events.jsonl"
    assert log.read_bytes().count(b'"event":"job_started"') == 2


def test_a_worker_that_is_told_to_end_leaves_nothing_running(desk: Desk, lab: Lab) -> None:
    desk.tensors()
    suite = desk.suite(recipes=("float32",), rounds=1, min_runs=3 * RUNS)
    process = desk.start("run", suite, *lab.options, "--target", "local", "--cache", desk.cache)
    worker = lab.benches[0].process
    assert worker is not None
    try:
        wait_until_measuring(lab, 0)
        began_s = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
        print(f"ended within {time.monotonic() - began_s:.1f} s")
        assert runners(lab) == []
        start(lab)
        status, out, err = finish(process)
    finally:
        end(process)
        if worker.poll() is not None and lab.benches[0].process is worker:
            start(lab)
    assert status == 0, (out, err)
    assert_each_sample_once(desk.newest(), 3 * RUNS)
    assert "Traceback" not in lab.benches[0].log


def test_two_machines_of_one_name_are_not_mixed(desk: Desk, lab: Lab) -> None:
    desk.tensors()
    suite = desk.suite(recipes=("float32",), rounds=1, min_runs=16)
    folder = lab.folder / "namesake"
    folder.mkdir()
    lab.benches.append(Bench("desk0", folder, None))
    try:
        lab.start_worker(1, "--cores", "0", "--no-phones")
        lab.await_devices()
        status, out, err = run(desk, lab, suite, "--target", "local:desk0")
    finally:
        lab.kill_worker(1)
        del lab.benches[1]
    assert status == 4, (out, err)
    assert "2 workers call their machine desk0" in err and "--name NAME" in err
    lab.await_devices()
    status, out, err = run(desk, lab, suite, "--target", "local:desk0")
    assert status == 0, (out, err)
