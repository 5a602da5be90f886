"""A lab on this machine for the benchmarks: a scheduler, workers, and a virtual iPhone beside each worker."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.workspace import Workspace
from harness.cluster.address import parse_cluster_address
from harness.cluster.certificates import make_certificates
from harness.cluster.connection import Cluster
from harness.cluster.security import security_of
from harness.errors import RunError
from harness.pipeline.cluster_devices import announced_devices
from harness.pipeline.installed_programs import installed_programs
from harness.targets.iphone.runner_package import keep_package
from harness.virtual_iphone.background import background_phones
from harness.virtual_iphone.runner_ipa import write_runner_ipa

_START_S = 60.0


@contextmanager
def opened_lab(
    workspace: Workspace, name: str, workers: int, *, faults: Sequence[str] = (), machine: bool = False
) -> Iterator[Cluster]:
    """The cluster of so many worker processes of the installed harness, once all their devices have joined.

    ``machine``: the workers offer this machine instead of a phone each, whose faults ``faults`` are.
    """
    folder = workspace.work / name
    certificates = folder / "certificates"
    make_certificates(certificates, "lab", now=datetime.now(UTC))
    programs = installed_programs(workspace.runner)
    with ExitStack() as held:
        scheduler = held.enter_context(
            _process([workspace.harness, "scheduler", "127.0.0.1:0", "--certificates", certificates], {})
        )
        assert scheduler.stdout is not None
        address = scheduler.stdout.readline().split()[-1]
        for index in range(workers):
            home = folder / f"desk{index}"
            home.mkdir()
            settings = {"HOME": str(home), "TMPDIR": str(home), "HARNESS_CACHE": str(home / "cache")}
            if not machine:
                keep_package(write_runner_ipa(home / "runner.ipa", programs.runtime_version), home / "cache")
                phones = held.enter_context(
                    background_phones(programs, ios=("16.7",), first_index=index, faults=faults)
                )
                settings["USBMUXD_SOCKET_ADDRESS"] = phones.usbmuxd_address
            options: list[str | Path] = ["--certificates", certificates, "--name", home.name, "--cores", "0"]
            options.append("--no-phones" if machine else "--no-machine")
            held.enter_context(_process([workspace.harness, "worker", address, *options], settings))
        security = security_of(parse_cluster_address(address, has_certificates=True), certificates)
        cluster = Cluster(address, security, patience_s=_START_S)
        held.callback(cluster.close)
        end_s = time.monotonic() + _START_S
        while len(announced_devices(cluster)) < workers:
            if time.monotonic() > end_s:
                raise RunError("the workers did not join", where=address, next_step="Run harness worker.")
            time.sleep(0.2)
        yield cluster


@contextmanager
def _process(command: Sequence[str | Path], settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        list(map(str, command)),
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
