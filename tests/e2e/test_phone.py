"""The command line with virtual iPhones: one, several, killed and resumed, in use by another harness."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, assert_explained, jobs, measured, wait_until_measuring

from harness.core.events import TargetClass
from harness.core.joblog import steady_samples
from harness.pipeline.installed_programs import installed_programs
from harness.store import GroupFolder, list_runs, open_run
from harness.virtual_iphone.background import BackgroundPhones, background_phones
from harness.virtual_iphone.runner_ipa import write_runner_ipa

LONG_RUNS = 1_500_000


@pytest.fixture
def phone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[BackgroundPhones]:
    """An attached phone without the runner, as usbmuxd lists it to every process that is started here."""
    with background_phones(installed_programs(), ios=("16.7",)) as phones:
        monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", phones.usbmuxd_address)
        monkeypatch.setenv("HOME", str(desk.folder))
        yield phones


def install(desk: Desk, tmp_path: Path) -> None:
    package = write_runner_ipa(tmp_path / "HarnessRunner.ipa", installed_programs().runtime_version)
    answer = desk.harness("install", package)
    assert answer.status == 0 and "is installed on Virtual iPhone 1" in answer.out, answer


def test_no_phone_at_hand(desk: Desk) -> None:
    desk.tensors()
    answer = desk.harness(
        "run", desk.suite(recipes=("float32",)), "--target", "virtual:16.7", "--cache", desk.cache
    )
    assert answer.status == 0, answer
    report = desk.report()
    assert report.target_class is TargetClass.VIRTUAL
    assert measured(report, "float32").device.target_class is TargetClass.VIRTUAL
    rule = '[[policy.rules]]\nmetric = "p50_latency"\nmax_ms = 1000.0\ntarget_class = "iphone"\n'
    judged = desk.harness(
        "gate", desk.newest().path, "--policy", desk.write("phone.toml", f"[policy]\n{rule}")
    )
    assert judged.status == 3 and "virtual" in judged.out


def test_an_ios_that_cannot_launch_is_refused_before_anything_is_built(desk: Desk) -> None:
    desk.tensors()
    answer = desk.harness("run", desk.suite(), "--target", "virtual:17.2", "--cache", desk.cache)
    assert_explained(answer, 4, "17.2", "privileged tunnel")
    assert "--launch tap" in answer.err
    assert list_runs(desk.runs) == []


def test_several_phones(desk: Desk) -> None:
    desk.tensors()
    suite = desk.suite(recipes=("float32",))
    assert desk.harness("run", suite, "--target", "virtual:16.7:2", "--cache", desk.cache).status == 0
    (group_path,) = (path.parent for path in desk.runs.glob("*/group.json"))
    group = open_run(group_path, desk.runs)
    assert isinstance(group, GroupFolder) and group.is_complete
    assert [device.target for device in group.group().devices] == ["virtual:16.7#1", "virtual:16.7#2"]
    shown = json.loads(desk.harness("report", group_path, "--json").out)
    assert [device["report"]["target_class"] for device in shown["devices"]] == ["virtual", "virtual"]
    assert shown["answer"] == "pass"
    assert "| float32 | p50 |" in desk.harness("report", group_path, "--format", "markdown").out
    assert desk.harness("report", f"{group_path.name}.2").status == 0
    assert_explained(desk.harness("report", group_path, "--junit", "x.xml"), 2, "several devices")
    assert desk.harness("gate", group_path).status == 0
    strict = desk.write("strict.toml", '[policy]\n[[policy.rules]]\nmetric = "file_size"\nmax_mb = 0.001\n')
    assert desk.harness("gate", group_path, "--policy", strict).status == 1
    compared = json.loads(desk.harness("compare", group_path, group_path, "--json").out)
    assert len(compared) == 2
    assert_explained(desk.harness("compare", group_path, f"{group_path.name}.1"), 2, "several devices")
    # Cut off: one phone lacks its last job.
    second = group.runs()[1]
    last = second.schedule()[-1].job_id
    (second.path / "jobs" / last / "outcome.json").unlink()
    assert not group.is_complete
    assert desk.harness("gate", group_path).status == 3
    assert desk.harness("run", "--resume", "--cache", desk.cache).status == 0
    assert group.is_complete


def test_a_phone_from_doctor_to_a_killed_run(desk: Desk, phone: BackgroundPhones, tmp_path: Path) -> None:
    udid = phone.identities[0].udid
    answer = desk.harness("doctor", "--target", "iphone")
    assert answer.status == 4 and "harness install RUNNER.ipa" in answer.out
    assert_explained(desk.harness("doctor", "--target", "iphone:*"), 2, "iphone:*")
    install(desk, tmp_path)
    assert desk.harness("doctor", "--target", f"iphone:{udid}").status == 0
    (listed,) = json.loads(desk.harness("devices", "--json").out)
    assert (listed["udid"], listed["ios"], listed["runner"]["version"]) == (udid, "16.7", "0.1.0")
    desk.tensors()
    suite = desk.suite(recipes=("float32",), min_runs=2 * LONG_RUNS)
    process = desk.start("run", suite, "--target", "iphone", "--cache", desk.cache)
    folder = wait_until_measuring(desk, process, 0)
    held = desk.harness("run", suite, "--target", "iphone", "--cache", desk.cache)
    assert_explained(held, 4, "another harness", str(process.pid), folder.path.name)
    assert [one.path for one in list_runs(desk.runs)] == [folder.path]
    examined = desk.harness("doctor", "--target", "iphone")
    assert examined.status == 4 and "another harness" in examined.out
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not folder.is_complete
    known = {log.job_id: len(steady_samples(log)[0]) for _, log in jobs(folder)}
    assert any(known.values())
    assert folder.plan().target == f"iphone:{udid}"
    assert desk.harness("run", "--resume", folder.path, "--cache", desk.cache).status == 0
    for job, log in jobs(folder):
        samples = len(steady_samples(log)[0])
        assert samples == LONG_RUNS >= known.get(job.job_id, 0)


def test_nothing_is_attached(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", str(desk.folder / "nowhere"))
    desk.tensors()
    assert_explained(desk.harness("run", desk.suite(), "--target", "iphone"), 4, "usbmuxd")
    assert_explained(desk.harness("devices"), 4, "usbmuxd")
    answer = desk.harness("doctor", "--target", "iphone")
    assert answer.status == 4 and "apt install usbmuxd" in answer.out
    assert_explained(desk.harness("install", desk.write("none.ipa", b"PK")), 2, "none.ipa", "ZIP")
