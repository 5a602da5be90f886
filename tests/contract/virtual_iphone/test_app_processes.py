"""The apps of the virtual iPhone: the real runner as a process of the phone, and every way it can end."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.events import JobFinished, JobStarted, Samples, StageFinished
from harness.virtual_iphone.background import BackgroundPhones
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.processes import LaunchRefusedError, ProcessEnd
from harness.virtual_iphone.runner_ipa import RUNNER_BUNDLE_ID, runner_info, write_ipa
from harness.virtual_iphone.taps import tap
from harness.wire.event_log import read_events

StartPhones = Callable[..., BackgroundPhones]
PutJob = Callable[..., Path]
_FOR_EVER = 10**9
_RUNS_OF_A_SECOND = 300_000
"""Of the tiny model: enough that the phone looks at the log while they go on, on any machine."""


async def run_job(phone: Phone, job_id: str = "job") -> ProcessEnd:
    process = await phone.processes.launch(RUNNER_BUNDLE_ID, ["--run-job", job_id])
    return await asyncio.wait_for(asyncio.shield(process.ended), timeout=60)


def reports(phone: Phone) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Header and report of each .ips file, by the first part of its name."""
    found = {}
    for file in phone.folders.crashes.glob("*.ips"):
        header, _, body = file.read_text("utf-8").partition("\n")
        found[file.name.split("-")[0]] = json.loads(header), json.loads(body)
    return found


def test_the_app_runs_one_job_and_writes_down_its_phone(
    phone_with_runner: StartPhones, put_job: PutJob
) -> None:
    phones = phone_with_runner(ios=["16.7"], faults=["heat:state=fair", "low-battery:level=0.25"])
    folder = phones.call(put_job)
    end = phones.call(run_job)
    assert (end.exit_code, end.signal_number, end.reason) == (0, None, "exit")
    events = read_events(folder / "events.jsonl")
    started = next(event for event in events if isinstance(event, JobStarted))
    assert started.device.target_class == "virtual"
    assert (started.device.model, started.device.os_version) == ("iPhone15,2", "16.7 (20H19)")
    stages = [event for event in events if isinstance(event, StageFinished)]
    conditions = [stage.conditions for stage in stages if stage.conditions is not None]
    assert {found.thermal_state for found in conditions} == {"fair"}
    assert {found.battery_level for found in conditions} == {0.25}
    assert isinstance(events[-1], JobFinished)
    assert phones.call(reports) == {}


def test_heat_that_comes_while_samples_are_taken_is_in_the_log(
    phone_with_runner: StartPhones, put_job: PutJob
) -> None:
    phones = phone_with_runner(faults=["heat:state=critical,at=sample"])
    folder = phones.call(lambda phone: put_job(phone, min_runs=_FOR_EVER))
    process = phones.call(lambda phone: phone.processes.launch(RUNNER_BUNDLE_ID, ["--run-job", "job"]))
    states: list[str] = []
    limit_s = time.monotonic() + 60
    while "critical" not in states and time.monotonic() < limit_s:
        time.sleep(0.05)
        events = read_events(folder / "events.jsonl") if (folder / "events.jsonl").exists() else []
        found = [getattr(event, "conditions", None) for event in events]
        states = [str(conditions.thermal_state) for conditions in found if conditions is not None]
    phones.call(lambda phone: phone.processes.kill(process.pid))
    assert (states[0], states[-1]) == ("nominal", "critical")


@pytest.mark.parametrize(("name", "exception"), [("SIGSEGV", "EXC_BAD_ACCESS"), ("SIGABRT", "EXC_CRASH")])
def test_a_crash_leaves_a_report(
    phone_with_runner: StartPhones, put_job: PutJob, name: str, exception: str
) -> None:
    phones = phone_with_runner(faults=[f"app-crash:at=sample,signal={name}"])
    folder = phones.call(lambda phone: put_job(phone, min_runs=_FOR_EVER))
    end = phones.call(run_job)
    assert (end.signal_number, end.reason) == (signal.Signals[name], "signal")
    header, report = phones.call(reports)["HarnessRunner"]
    assert (header["bug_type"], header["bundleID"]) == ("309", RUNNER_BUNDLE_ID)
    assert (report["pid"], report["exception"]["type"], report["exception"]["signal"]) == (
        end.pid,
        exception,
        name,
    )
    assert any(isinstance(event, Samples) for event in read_events(folder / "events.jsonl"))


def test_an_app_over_its_memory_limit_is_ended_and_reported(
    phone_with_runner: StartPhones, put_job: PutJob
) -> None:
    limit_bytes = 200_000
    phones = phone_with_runner(memory_limit_bytes=limit_bytes)
    phones.call(lambda phone: put_job(phone, min_runs=_FOR_EVER))
    end = phones.call(run_job)
    assert (end.signal_number, end.reason) == (signal.SIGKILL, "jetsam")
    header, report = phones.call(reports)["JetsamEvent"]
    (process,) = report["processes"]
    page_bytes = report["memoryStatus"]["pageSize"]
    assert (header["bug_type"], report["largestProcess"]) == ("298", "HarnessRunner")
    assert (process["pid"], process["reason"]) == (end.pid, "per-process-limit")
    assert process["rpages"] * page_bytes > limit_bytes
    assert process["memoryLimit"] == limit_bytes // page_bytes


def test_an_app_below_its_limit_is_ended_for_the_memory_of_the_whole_phone(
    phone_with_runner: StartPhones, put_job: PutJob
) -> None:
    phones = phone_with_runner(faults=["jetsam:at=sample"])
    phones.call(lambda phone: put_job(phone, min_runs=_FOR_EVER))
    assert phones.call(run_job).reason == "jetsam"
    (process,) = phones.call(reports)["JetsamEvent"][1]["processes"]
    assert process["reason"] == "vm-pageshortage"
    assert 0 < process["rpages"] < process["memoryLimit"]


def test_an_app_that_hangs_is_ended_by_the_watchdog(phone_with_runner: StartPhones, put_job: PutJob) -> None:
    phones = phone_with_runner(faults=["app-hang:at=launch,watchdog-s=0.3"])
    phones.call(put_job)
    assert phones.call(run_job).reason == "watchdog"
    termination = phones.call(reports)["HarnessRunner"][1]["termination"]
    assert (termination["namespace"], termination["code"]) == ("FRONTBOARD", 0x8BADF00D)


def test_a_late_report_comes_late(phone_with_runner: StartPhones, put_job: PutJob) -> None:
    phones = phone_with_runner(faults=["late-crash-reports:by-s=0.4", "app-crash"])
    phones.call(put_job)

    async def look_twice(phone: Phone) -> tuple[int, int]:
        await run_job(phone)
        at_once = len(reports(phone))
        await asyncio.sleep(0.6)
        return at_once, len(reports(phone))

    assert phones.call(look_twice) == (0, 1)


def test_a_fault_that_is_taken_back_does_not_wait_for_the_next_app(
    phone_with_runner: StartPhones, put_job: PutJob
) -> None:
    phones = phone_with_runner()
    phones.call(lambda phone: put_job(phone))
    phones.set_fault("app-crash")
    phones.clear_faults()
    assert phones.call(run_job).exit_code == 0


def test_a_locked_phone_suspends_the_app_until_it_is_unlocked(
    phone_with_runner: StartPhones, put_job: PutJob
) -> None:
    phones = phone_with_runner(faults=["locked:at=sample,for-s=0.5"])
    phones.call(lambda phone: put_job(phone, min_runs=_RUNS_OF_A_SECOND))
    started_s = time.monotonic()
    assert phones.call(run_job).exit_code == 0
    assert time.monotonic() - started_s > 0.5


@pytest.mark.parametrize(
    ("fault", "reason"), [("locked", "locked"), ("untrusted-developer", "untrusted-developer")]
)
def test_a_launch_is_refused(phone_with_runner: StartPhones, fault: str, reason: str) -> None:
    phones = phone_with_runner(faults=[fault])
    with pytest.raises(LaunchRefusedError) as refused:
        phones.call(run_job)
    assert refused.value.reason == reason


def test_an_app_that_is_code_is_installed_and_not_run(start_phones: StartPhones, tmp_path: Path) -> None:
    phones = start_phones()
    package = write_ipa(tmp_path / "real.ipa", runner_info("2.3.0"), "/bin/sh")

    async def install_and_launch(phone: Phone) -> None:
        from harness.virtual_iphone.installing import install_package

        async for _ in install_package(phone, package):
            pass
        await run_job(phone)

    with pytest.raises(LaunchRefusedError) as refused:
        phones.call(install_and_launch)
    assert refused.value.reason == "cannot-run"


def test_a_second_launch_ends_the_first(phone_with_runner: StartPhones, put_job: PutJob) -> None:
    phones = phone_with_runner()
    phones.call(lambda phone: put_job(phone, min_runs=_FOR_EVER))

    async def twice(phone: Phone) -> tuple[ProcessEnd, int, int]:
        first = await phone.processes.launch(RUNNER_BUNDLE_ID, ["--run-job", "job"])
        second = await phone.processes.launch(RUNNER_BUNDLE_ID, ["--run-job", "job"])
        running = [process.pid for process in phone.processes.running()]
        kept = await phone.processes.launch(RUNNER_BUNDLE_ID, ["--run-job", "job"], kill_existing=False)
        assert running == [second.pid]
        return first.ended.result(), second.pid, kept.pid

    end, second, kept = phones.call(twice)
    assert (end.reason, kept) == ("killed-by-host", second)


def test_a_tap_works_off_the_inbox_in_order(phone_with_runner: StartPhones, put_job: PutJob) -> None:
    phones = phone_with_runner()
    folders = [phones.call(lambda phone, name=name: put_job(phone, name)) for name in ("b", "a")]
    ends = phones.call(lambda phone: tap(phone, RUNNER_BUNDLE_ID))
    assert [end.exit_code for end in ends] == [0, 0]
    started = [read_events(folder / "events.jsonl")[0] for folder in folders]
    assert started[1].unix_ns < started[0].unix_ns  # type: ignore[union-attr]


def test_stopping_the_phone_ends_its_apps(phone_with_runner: StartPhones, put_job: PutJob) -> None:
    phones = phone_with_runner()
    phones.call(lambda phone: put_job(phone, min_runs=_FOR_EVER))

    async def launch_and_stop(phone: Phone) -> ProcessEnd:
        process = await phone.processes.launch(RUNNER_BUNDLE_ID, ["--run-job", "job"])
        await phone.stop()
        return process.ended.result()

    assert phones.call(launch_and_stop).reason == "phone-stopped"
