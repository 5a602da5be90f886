"""A lab of four workers and four virtual iPhones: what dies, what goes away, what is set aside, who is refused."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, end

from fixtures.lab import Lab, opened_lab, wait_until
from harness.core.events import TargetClass
from harness.core.joblog import attempts, steady_samples
from harness.pipeline.evaluate import read_logs
from harness.store import GroupFolder, RunFolder, open_run, read_report
from harness.wire.job_folder import job_folder, read_job

RELEASES = ("16.7", "16.7", "18.5", "16.7")
PHONES = len(RELEASES)
ROUNDS = 3
RUNS = 60_000
"""Of each job: it lasts about half a second."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with opened_lab(tmp_path_factory.mktemp("lab"), RELEASES) as lab:
        yield lab


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=240)
    finally:
        end(process)
    return process.returncode, out, err


def run(desk: Desk, lab: Lab, *arguments: str | Path) -> tuple[int, str, str]:
    """``harness run`` in a process of its own: in a cluster it swears never to unpickle anything again."""
    return finish(desk.start("run", *arguments, *lab.options, "--cache", desk.cache))


def group_of(desk: Desk) -> GroupFolder:
    (path,) = (path.parent for path in desk.runs.glob("*/group.json"))
    group = open_run(path, desk.runs)
    assert isinstance(group, GroupFolder)
    return group


def outputs(folder: RunFolder) -> dict[str, bytes]:
    """The output records of each job."""
    return {
        job.job_id: (job_folder(folder.path, job.job_id) / "outputs.bin").read_bytes()
        for job in folder.schedule()
    }


def assert_each_sample_once(folder: RunFolder, runs: int) -> None:
    for log in read_logs(folder):
        job = read_job(job_folder(folder.path, log.job_id))
        inputs, latencies = steady_samples(log)
        assert len(inputs) == len(latencies) == job.settings.steady.min_runs == runs
        counts = np.bincount(inputs - job.first_input, minlength=job.input_count)
        assert counts.min() >= 1 and counts.sum() == runs


def wait_until_measuring(lab: Lab, index: int) -> None:
    """Until the worker at that bench adds steady samples to a job that has not ended."""
    began_s = time.time()
    sessions = lab.benches[index].folder / "cache" / "worker" / "sessions"

    def measures() -> bool:
        return any(
            # What went on at another desk stays unfinished here.
            log.stat().st_mtime > began_s
            and b'"steady"' in log.read_bytes()
            and not (log.parent / "outcome.json").is_file()
            for log in sessions.glob("*/jobs/*/events.jsonl")
        )

    wait_until(measures, "a job under way")


def test_workers_that_die_at_random_moments(desk: Desk, lab: Lab) -> None:
    desk.tensors(count=24)
    suite = desk.suite(recipes=("float32", "float16"), rounds=ROUNDS, min_runs=ROUNDS * RUNS)
    lab.await_devices()
    process = desk.start("run", suite, *lab.options, "--target", "iphone:*", "--cache", desk.cache)
    chance = random.Random(9)
    try:
        for victim in chance.sample(range(PHONES), 3):
            wait_until_measuring(lab, victim)
            time.sleep(chance.uniform(0, 0.4))
            lab.kill_worker(victim)
            time.sleep(chance.uniform(0, 1))
            lab.start_worker(victim)
    except BaseException:
        end(process)
        raise
    status, out, err = finish(process)
    assert status == 0, (out, err)
    group = group_of(desk)
    assert group.is_complete
    assert group.group().target == "iphone:*"
    undisturbed = [outputs(folder) for folder in group.runs()]
    assert all(one == undisturbed[0] for one in undisturbed[1:])
    for folder in group.runs():
        assert_each_sample_once(folder, RUNS)
        assert folder.plan().cluster == lab.address
        report = read_report(folder.path)
        assert report.target_class is TargetClass.VIRTUAL and report.is_complete
        assert report.set_aside is None
    shown = json.loads(desk.harness("report", group.path, "--json").out)
    assert [device["report"]["verdict"]["answer"] for device in shown["devices"]] == ["pass"] * PHONES
    assert shown["answer"] == "pass"


def test_what_the_lab_has(desk: Desk, lab: Lab) -> None:
    lab.await_devices()
    status, out, err = finish(desk.start("devices", *lab.options, "--json"))
    assert status == 0, err
    assert sorted((one["ios"], one["host"]) for one in json.loads(out)) == sorted(
        (ios, f"desk{index}") for index, ios in enumerate(RELEASES)
    )
    status, out, err = finish(desk.start("devices", *lab.options))
    assert status == 0 and "Virtual iPhone" in out and "desk3" in out, (out, err)


def test_a_query_chooses_phones_by_what_they_are(desk: Desk, lab: Lab) -> None:
    desk.tensors()
    suite = desk.suite(recipes=("float32",), policy="")
    listed = lab.await_devices()
    assert sorted(str(one.ios) for one in listed) == sorted(RELEASES)
    assert sorted(str(one.host) for one in listed) == [f"desk{index}" for index in range(PHONES)]
    status, out, err = run(desk, lab, suite, "--target", "iphone where ios>=18 and model=iPhone*")
    assert status == 3, (out, err)
    (udid,) = (one.udid for one in listed if one.ios == "18.5")
    assert desk.newest().plan().target == f"iphone:{udid}"
    status, out, err = run(desk, lab, suite, "--target", "iphone where ios>=30")
    assert status == 4 and "iOS 18.5): iOS is below 30" in err, err
    status, out, err = run(desk, lab, suite, "--target", "iphone")
    assert status == 4 and "the cluster has 4 of them" in err, err


def test_a_worker_that_does_not_come_back_and_a_phone_that_goes(desk: Desk, lab: Lab) -> None:
    """Both are set aside with the reason, the others finish; the run is finished when they are back."""
    desk.tensors(count=24)
    suite = desk.suite(recipes=("float32",), rounds=4, min_runs=4 * RUNS)
    lab.await_devices()
    process = desk.start(
        "run",
        suite,
        *lab.options,
        "--target",
        "iphone where ios=16.7",
        "--patience",
        "2",
        "--cache",
        desk.cache,
    )
    try:
        wait_until_measuring(lab, 1)
        lab.kill_worker(1)
    except BaseException:
        end(process)
        raise
    status, out, err = finish(process)
    assert status == 3, (out, err)
    assert "set aside after 3 failures in a row" in out
    group = group_of(desk)
    by_host = {folder.plan().target: folder for folder in group.runs()}
    assert len(by_host) == 3
    aside = [folder for folder in group.runs() if folder.set_aside() is not None]
    assert len(aside) == 1
    why = aside[0].set_aside()
    assert why is not None and "no worker has" in why.problem and why.failures == 3
    for folder in group.runs():
        assert folder.is_complete is (folder.path != aside[0].path)
    lab.start_worker(1)
    lab.await_devices()
    status, out, err = run(desk, lab, "--resume")
    assert status == 0, (out, err)
    assert group.is_complete
    for folder in group.runs():
        assert_each_sample_once(folder, RUNS)
        assert folder.set_aside() is None


def test_a_scheduler_that_restarts(desk: Desk, lab: Lab) -> None:
    desk.tensors(count=24)
    suite = desk.suite(recipes=("float32",), rounds=4, min_runs=4 * RUNS)
    lab.await_devices()
    process = desk.start("run", suite, *lab.options, "--target", "iphone:*", "--cache", desk.cache)
    try:
        wait_until_measuring(lab, 0)
        lab.stop_scheduler()
        time.sleep(1)
        lab.start_scheduler()
    except BaseException:
        end(process)
        raise
    status, out, err = finish(process)
    assert status == 0, (out, err)
    for folder in group_of(desk).runs():
        assert_each_sample_once(folder, RUNS)


def test_a_phone_that_moves_to_another_desk(desk: Desk, lab: Lab) -> None:
    """In the middle of a job, which goes on there from the phone's own records."""
    desk.tensors(count=24)
    suite = desk.suite(recipes=("float32",), rounds=1, min_runs=10 * RUNS)
    (udid,) = (one.udid for one in lab.await_devices() if one.host == "desk0")
    process = desk.start("run", suite, *lab.options, "--target", f"iphone:{udid}", "--cache", desk.cache)
    try:
        wait_until_measuring(lab, 0)
        for index in (0, 1):
            lab.kill_worker(index)
        here, there = lab.benches[:2]
        here.phones, there.phones = there.phones, here.phones
        for index in (0, 1):
            lab.start_worker(index)
    except BaseException:
        end(process)
        raise
    status, out, err = finish(process)
    assert status == 0, (out, err)
    assert_each_sample_once(desk.newest(), 10 * RUNS)
    (log,) = read_logs(desk.newest())
    assert len(attempts(log)) >= 1
    assert {one.host for one in lab.await_devices() if one.udid == udid} == {"desk1"}


def test_ctrl_c_ends_the_job_on_the_worker_too(desk: Desk, lab: Lab) -> None:
    desk.tensors(count=24)
    suite = desk.suite(recipes=("float32",), rounds=2, min_runs=2 * 50 * RUNS)
    lab.await_devices()
    process = desk.start(
        "run", suite, *lab.options, "--target", "iphone where host=desk0", "--cache", desk.cache
    )
    try:
        wait_until_measuring(lab, 0)
        process.send_signal(signal.SIGINT)
        status, out, err = finish(process)
    finally:
        end(process)
    assert status == 130, (out, err)
    assert "harness run --resume" in out
    phones = lab.benches[0].phones
    assert phones is not None
    wait_until(lambda: not phones.call(lambda phone: phone.processes.running()), "the app's end")


def test_nobody_runs_code_on_a_worker(desk: Desk, lab: Lab) -> None:
    """Not even who has a certificate: submitted functions, out-of-band calls, plugins, files."""
    lab.await_devices()
    proof = desk.folder / "owned"
    program = f"""
import os, sys
from pathlib import Path
from distributed import Client, WorkerPlugin
from harness.cluster.address import parse_cluster_address
from harness.cluster.security import security_of
address = parse_cluster_address({lab.address!r}, has_certificates=True)
client = Client(str(address), security=security_of(address, Path({str(lab.certificates)!r})), timeout=10)
worker = next(iter(client.scheduler_info()["workers"]))
class Plugin(WorkerPlugin):
    def setup(self, worker): Path({str(proof)!r}).touch()
Path("module.py").write_text("from pathlib import Path; Path({str(proof)!r}).touch()")
for attempt in (
    lambda: client.submit(os.system, "touch {proof}", workers=[worker], pure=False).result(timeout=10),
    lambda: client.submit(lambda: Path({str(proof)!r}).touch(), workers=[worker]).result(timeout=10),
    lambda: client.run(os.system, "touch {proof}", workers=[worker]),
    lambda: client.run_on_scheduler(os.system, "touch {proof}"),
    lambda: client.register_plugin(Plugin()),
    lambda: client.upload_file("module.py"),
):
    try:
        print("answered", attempt())
    except BaseException as error:
        print("refused", type(error).__name__)
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=desk.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.count("refused") >= 4, (done.stdout, done.stderr)
    assert not proof.exists()
    # The workers took no harm.
    lab.await_devices()
