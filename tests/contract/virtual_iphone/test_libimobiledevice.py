"""The second client: libimobiledevice's command-line tools, as Debian ships them."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.virtual_iphone.background import BackgroundPhones
from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.runner_ipa import RUNNER_BUNDLE_ID

StartPhones = Callable[..., BackgroundPhones]
PutJob = Callable[..., Path]
_LIMIT_S = 60


def tool(name: str) -> str:
    """The tool's path; skips the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt install libimobiledevice-utils ideviceinstaller")
    return found


def run(name: str, *arguments: str, fails: bool = False) -> str:
    """What the tool printed, errors included."""
    command = [tool(name), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    text = answer.stdout + answer.stderr
    assert (answer.returncode != 0) == fails, text
    return text


def pair() -> None:
    assert "SUCCESS: Paired" in run("idevicepair", "pair")


def test_phones_are_listed_and_tell_who_they_are(start_phones: StartPhones) -> None:
    tool("idevice_id")
    phones = start_phones(ios=["16.7", "26.1"])
    udids = [identity.udid for identity in phones.identities]
    assert run("idevice_id", "-l").split() == udids
    run("idevicepair", "-u", udids[1], "pair")
    assert run("ideviceinfo", "-u", udids[1], "-k", "ProductVersion").strip() == "26.1"
    battery = run(
        "ideviceinfo", "-u", udids[1], "-q", "com.apple.mobile.battery", "-k", "BatteryCurrentCapacity"
    )
    assert battery.strip() == "87"


def test_pairing_and_what_the_person_answers(start_phones: StartPhones) -> None:
    tool("idevicepair")
    phones = start_phones(faults=["trust-pending"])
    assert "Please accept the trust dialog" in run("idevicepair", "pair", fails=True)
    phones.clear_faults()
    phones.set_fault("trust-denied")
    assert "denied the trust dialog" in run("idevicepair", "pair", fails=True)
    phones.clear_faults()
    phones.set_fault("locked")
    assert "passcode is set" in run("idevicepair", "pair", fails=True)
    phones.clear_faults()
    pair()
    assert "SUCCESS: Validated" in run("idevicepair", "validate")
    assert "SUCCESS: Unpaired" in run("idevicepair", "unpair")


def test_an_app_is_installed_listed_and_removed(start_phones: StartPhones, runner_ipa: Path) -> None:
    usage = run("ideviceinstaller", "--help")
    is_old = "-i, --install" in usage
    start_phones()
    pair()
    installed = run("ideviceinstaller", *(["-i"] if is_old else ["install"]), str(runner_ipa))
    assert "Complete" in installed
    listed = run("ideviceinstaller", *(["-l"] if is_old else ["list"]))
    assert f'{RUNNER_BUNDLE_ID}, "1", "Harness Runner"' in listed
    run("ideviceinstaller", *(["-U"] if is_old else ["uninstall"]), RUNNER_BUNDLE_ID)
    assert RUNNER_BUNDLE_ID not in run("ideviceinstaller", *(["-l"] if is_old else ["list"]))


def test_crash_reports_are_copied(phone_with_runner: StartPhones, put_job: PutJob, tmp_path: Path) -> None:
    tool("idevicecrashreport")
    phones = phone_with_runner(faults=["app-crash:at=launch"])
    phones.call(put_job)

    async def crash(phone: Phone) -> None:
        process = await phone.processes.launch(RUNNER_BUNDLE_ID, ["--run-job", "job"])
        await process.ended

    phones.call(crash)
    pair()
    (tmp_path / "reports").mkdir()
    run("idevicecrashreport", "--keep", str(tmp_path / "reports"))
    (report,) = (tmp_path / "reports").rglob("HarnessRunner-*")
    assert '"bug_type": "309"' in report.read_text("utf-8")


def test_the_log_is_followed(start_phones: StartPhones) -> None:
    command = [tool("idevicesyslog")]
    phones = start_phones()
    pair()
    enough = threading.Event()

    def write() -> None:
        # The tool says that it is connected before it listens, so that one line alone might go by unheard.
        while not enough.wait(0.2):
            phones.call(lambda phone: phone.log.write("HarnessRunner", 4711, "a line of the app"))

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        writer, limit = threading.Thread(target=write), threading.Timer(_LIMIT_S, process.kill)
        writer.start()
        limit.start()
        try:
            assert "[connected" in process.stdout.readline()
            line = process.stdout.readline()
        finally:
            enough.set()
            limit.cancel()
            process.terminate()
            writer.join()
    assert "4711" in line and "a line of the app" in line


def test_images_and_diagnostics_are_asked_for(start_phones: StartPhones) -> None:
    tool("ideviceimagemounter")
    phones = start_phones(ios=["16.7"])
    pair()
    listing = "-l" if "-l, --list" in run("ideviceimagemounter", "--help") else "list"
    assert "ImageSignature" in run("ideviceimagemounter", listing)
    phones.set_fault("no-image")
    assert "ImageSignature" not in run("ideviceimagemounter", listing)
    phones.set_fault("low-battery:level=0.07")
    registry = run("idevicediagnostics", "ioregentry", "AppleARMPMUCharger")
    assert "<key>CurrentCapacity</key>\n\t\t<integer>7</integer>" in registry


def test_files_are_put_and_got(phone_with_runner: StartPhones, tmp_path: Path) -> None:
    tool("afcclient")
    phone_with_runner()
    pair()
    (tmp_path / "a").write_bytes(bytes(range(256)) * 5000)
    documents = ("--documents", RUNNER_BUNDLE_ID)
    run("afcclient", *documents, "put", str(tmp_path / "a"), "/Documents/a")
    run("afcclient", *documents, "get", "/Documents/a", str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
