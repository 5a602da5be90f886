"""``harness virtual-iphone``: phones in a process of their own, told what to do while they run."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from job_bench import Bench, tensor_encoding
from pymobiledevice3.usbmux import list_devices

from harness.cli.main import run_cli
from harness.core.jobs import StopRule
from harness.virtual_iphone.control import ask
from harness.virtual_iphone.programs import Programs
from harness.virtual_iphone.runner_ipa import RUNNER_BUNDLE_ID

_LIMIT_S = 60


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The process, and what it said."""
    command = [sys.executable, "-m", "harness", "virtual-iphone", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Press Ctrl-C; the exit status, and what was said on standard error."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=_LIMIT_S)
    return process.returncode, errors


def test_phones_are_told_what_goes_wrong_and_ctrl_c_ends_everything(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with running("--ios", "16.7", "--ios", "18.5", "--fault", "heat:state=fair") as (process, said):
        control = said["control"]
        assert [phone["ios"] for phone in said["phones"]] == ["16.7", "18.5"]
        udid = said["phones"][1]["udid"]
        assert (
            run_cli(["virtual-iphone", "tell", control, "fault", "low-battery:level=0.2", "--phone", udid])
            == 0
        )
        assert run_cli(["virtual-iphone", "tell", control, "unplug", "--phone", udid]) == 0
        capsys.readouterr()
        assert run_cli(["virtual-iphone", "tell", control, "status", "--phone", udid]) == 0
        status = json.loads(capsys.readouterr().out)
        assert (status["plugged_in"], status["faults"]) == (
            False,
            ["heat:state=fair", "low-battery:level=0.2"],
        )
        assert status["conditions"]["battery_level"] == 0.2
        assert ask(Path(control), "status")[0]["faults"] == ["heat:state=fair"]
        assert run_cli(["virtual-iphone", "tell", control, "clear", "heat"]) == 0
        assert ask(Path(control), "status")[0]["faults"] == []
        assert run_cli(["virtual-iphone", "tell", control, "fault", "heat:state=tepid"]) == 2
        assert run_cli(["virtual-iphone", "tell", control, "tap", RUNNER_BUNDLE_ID]) == 2
        assert run_cli(["virtual-iphone", "tell", control, "explode"]) == 2
        assert run_cli(["virtual-iphone", "tell", control, "status", "--phone", "none"]) == 2
        assert interrupt(process) == (0, "")
    assert not Path(control).parent.exists()
    assert run_cli(["virtual-iphone", "tell", control, "status"]) == 4


def test_a_local_socket_instead_of_a_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "usbmuxd"
    monkeypatch.setenv("HOME", str(tmp_path))
    with running("--socket", str(place), "--network") as (process, said):
        assert said["usbmuxd"] == str(place)
        (device,) = asyncio.run(list_devices(str(place)))
        assert (device.serial, device.connection_type) == (said["phones"][0]["udid"], "Network")
        assert interrupt(process) == (0, "")
    assert not place.exists()


def put_job(state: Path, udid: str, programs: Programs, tiny_models: Path, min_runs: int) -> None:
    inbox = state / udid / "containers" / RUNNER_BUNDLE_ID / "Documents" / "inbox"
    records = np.zeros((3, 1, 8, 8, 3), np.float32)
    tensor, steady = ("", records, tensor_encoding(records)), StopRule(min_runs=min_runs, min_duration_ns=0)
    bench = Bench(inbox, programs.runner, programs.runtime_library)
    bench.job(tiny_models / "image_float32.tflite", [tensor], steady=steady)


def test_a_kept_phone_is_there_again_and_its_apps_end_with_it(
    tmp_path: Path, programs: Programs, tiny_models: Path
) -> None:
    state = tmp_path / "kept"
    with running("--state", str(state), "--install-runner") as (process, said):
        udid = said["phones"][0]["udid"]
        put_job(state, udid, programs, tiny_models, 10**9)
        tap = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "harness",
                "virtual-iphone",
                "tell",
                said["control"],
                "tap",
                RUNNER_BUNDLE_ID,
            ],
            stderr=subprocess.DEVNULL,
        )
        running_apps: list[dict[str, Any]] = []
        limit_s = time.monotonic() + _LIMIT_S
        while not running_apps and time.monotonic() < limit_s:
            time.sleep(0.05)
            running_apps = ask(Path(said["control"]), "status")[0]["running"]
        assert run_cli(["virtual-iphone", "--state", str(state)]) == 2
        assert interrupt(process) == (0, "")
        tap.wait(_LIMIT_S)
    with pytest.raises(ProcessLookupError):
        os.kill(running_apps[0]["pid"], 0)
    with running("--state", str(state)) as (process, said):
        assert said["phones"][0]["udid"] == udid
        assert ask(Path(said["control"]), "status")[0]["apps"] == [RUNNER_BUNDLE_ID]
        assert interrupt(process)[0] == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--ios", "12.0"],
        ["--model", "Nokia3310"],
        ["--fault", "gremlins"],
        ["--count", "0"],
    ],
)
def test_wrong_use_is_told(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["virtual-iphone", *options]) == 2
    assert "next:" in capsys.readouterr().err


def test_a_folder_whose_path_is_too_long_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["virtual-iphone", "--state", str(tmp_path / ("long" * 30))]) == 2
    assert "too long" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run_cli(["virtual-iphone", "--port", port]) == 2
    assert f"port {port}" in capsys.readouterr().err


def test_the_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["virtual-iphone", "--list-faults"]) == 0
    assert "disconnect: the cable is pulled" in capsys.readouterr().out
