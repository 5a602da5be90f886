"""What goes to a phone: how fast, beside pymobiledevice3's own push, and how little the second time."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.pairs import Pair, median_ratio
from benchmarks.result import Part, Result
from benchmarks.virtual_phones import open_phone, run_phone_jobs, write_phone_jobs
from benchmarks.workspace import Workspace
from harness.pipeline.virtual_phone import VirtualPhoneTarget

PUSH_GOAL = 1.0
SECOND_RUN_GOAL = 0.01
_FILE_BYTES = 64_000_000
_PAIRS = 12
# About what a cable to a phone gives: 35 MB/s, 2 ms for each answer.
_CABLE = "slow-link:latency-ms=2,mib-per-s=35"
_CABLE_FILE_BYTES = 24_000_000
_CABLE_PAIRS = 8
_IOS = "16.7"


def phone_push(workspace: Workspace) -> list[Result]:
    """Both over the same phone, in turn; ours computes the hash of what it sends and checks the size.

    Once over a link as quick and as slow to answer as a cable, where the goal holds, and once over bare loopback, where
    two cores carry phone, client and hash, and no cable is in between.
    """
    phone = open_phone(workspace, _IOS)
    try:
        run_phone_jobs(
            phone,
            workspace.work / "push-first",
            write_phone_jobs(workspace.work / "push-first", 1, inputs=8, runs=8),
        )
        loopback = _pairs(workspace, phone, _FILE_BYTES, _PAIRS)
        phone.phones.set_fault(_CABLE)
        cable = _pairs(workspace, phone, _CABLE_FILE_BYTES, _CABLE_PAIRS)
    finally:
        phone.close()
    return [
        _push_result("phone_push", cable, _CABLE_FILE_BYTES, f"over a link of {_CABLE}", PUSH_GOAL),
        _push_result("phone_push_loopback", loopback, _FILE_BYTES, "over bare loopback", None),
    ]


def _pairs(workspace: Workspace, phone: VirtualPhoneTarget, file_bytes: int, pairs: int) -> list[Pair]:
    """Our push and pymobiledevice3's of ``file_bytes`` random bytes, in turn."""
    file = workspace.work / "push.bin"
    file.write_bytes(np.random.default_rng(0).bytes(file_bytes))
    with tempfile.TemporaryDirectory() as home:
        answer = subprocess.run(
            [
                workspace.python,
                Path(__file__).with_name("push_worker.py"),
                phone.iphone.udid,
                "org.harness.runner",
                file,
                str(pairs),
            ],
            env={**os.environ, "USBMUXD_SOCKET_ADDRESS": phone.phones.usbmuxd_address, "HOME": home},
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
    return [Pair(ours, theirs) for ours, theirs in json.loads(answer.stdout)]


def _push_result(name: str, pairs: list[Pair], file_bytes: int, link: str, goal: float | None) -> Result:
    figure, spread = median_ratio(pairs)
    best = min(pair.measured for pair in pairs), min(pair.base for pair in pairs)
    return Result(
        name=name,
        figure=figure,
        unit="×",
        goal=goal,
        spread=spread,
        compared=f"pushing {file_bytes / 1e6:.0f} MB to a virtual iPhone {link}, its hash computed, its size checked, "
        "renamed, over pymobiledevice3's own push of the same file; time over time",
        parts=(
            Part(name="ours, fastest", figure=best[0] / 1e9, unit="s"),
            Part(name="pymobiledevice3, fastest", figure=best[1] / 1e9, unit="s"),
        ),
    )


def phone_second_run(workspace: Workspace) -> list[Result]:
    """The same jobs as a new run: the blobs are there, the job files are not."""
    first, second = workspace.work / "phone-run-1", workspace.work / "phone-run-2"
    names = write_phone_jobs(first, 4, inputs=2000, runs=2000)
    write_phone_jobs(second, 4, inputs=2000, runs=2000)
    phone = open_phone(workspace, _IOS)
    try:
        run_phone_jobs(phone, first, names)
        sent_first = phone.iphone.sent_bytes
        run_phone_jobs(phone, second, names)
        sent_second = phone.iphone.sent_bytes - sent_first
    finally:
        phone.close()
    return [
        Result(
            name="phone_second_run",
            figure=sent_second / sent_first,
            unit="×",
            goal=SECOND_RUN_GOAL,
            compared="bytes sent to a virtual iPhone by the second of two equal runs, over those of the first: 4 jobs "
            "with 384 kB of inputs each; a count, so there is no spread",
            parts=(
                Part(name="first run", figure=sent_first / 1e6, unit="MB"),
                Part(name="second run", figure=sent_second / 1e6, unit="MB"),
            ),
        )
    ]
