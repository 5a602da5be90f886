"""A lab on one machine: a scheduler, workers as processes of their own, and a virtual iPhone beside each worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.cluster.address import parse_cluster_address
from harness.cluster.certificates import make_certificates
from harness.cluster.connection import Cluster
from harness.cluster.security import security_of
from harness.core.device_traits import DeviceTraits
from harness.pipeline.cluster_devices import announced_devices
from harness.pipeline.installed_programs import installed_programs
from harness.targets.iphone.runner_package import keep_package
from harness.virtual_iphone.background import BackgroundPhones, background_phones
from harness.virtual_iphone.runner_ipa import write_runner_ipa

PATIENCE_S = 60.0
OF_RELEASE = """
import sys, harness
harness.__version__ = {release!r}
from harness.cli.main import run_cli
sys.exit(run_cli(sys.argv[1:]))
"""


@dataclass
class Bench:
    """One worker's place: its own home, cache, and the virtual phones that are attached to it."""

    name: str
    folder: Path
    phones: BackgroundPhones | None
    process: subprocess.Popen[str] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text() if (self.folder / "log.txt").is_file() else ""


@dataclass
class Lab:
    """``address`` is the scheduler's."""

    folder: Path
    port: int
    benches: list[Bench] = field(default_factory=list)
    scheduler: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"tls://127.0.0.1:{self.port}"

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def options(self) -> list[str]:
        """By which ``harness run`` finds it."""
        return ["--cluster", self.address, "--certificates", str(self.certificates)]

    def start_scheduler(self) -> None:
        self.scheduler = self._start(
            self.folder, ["scheduler", f"127.0.0.1:{self.port}", "--certificates", str(self.certificates)], {}
        )
        assert self.scheduler.stdout is not None
        line = self.scheduler.stdout.readline()
        assert line.startswith("Scheduler at "), line
        self.port = int(line.rsplit(":", 1)[1])

    def stop_scheduler(self) -> None:
        assert self.scheduler is not None
        _kill(self.scheduler)

    def start_worker(self, index: int, *options: str, release: str | None = None) -> None:
        """Start the worker at that bench, of another ``release`` of the harness if one is given."""
        bench = self.benches[index]
        environment = {
            "HOME": str(bench.folder),
            "TMPDIR": str(bench.folder),
            "HARNESS_CACHE": str(bench.folder / "cache"),
        }
        if bench.phones is not None:
            environment["USBMUXD_SOCKET_ADDRESS"] = bench.phones.usbmuxd_address
        arguments = ["worker", self.address, "--certificates", str(self.certificates), "--name", bench.name]
        bench.process = self._start(
            bench.folder,
            [*arguments, *(options or ("--cores", "0", "--no-machine"))],
            environment,
            program=["-m", "harness"] if release is None else ["-c", OF_RELEASE.format(release=release)],
        )

    def kill_worker(self, index: int) -> None:
        process = self.benches[index].process
        assert process is not None
        _kill(process)

    def devices(self) -> tuple[DeviceTraits, ...]:
        """What the cluster has."""
        address = parse_cluster_address(self.address, has_certificates=True)
        cluster = Cluster(str(address), security_of(address, self.certificates), patience_s=PATIENCE_S)
        try:
            return announced_devices(cluster)
        finally:
            cluster.close()

    def await_devices(self) -> tuple[DeviceTraits, ...]:
        """The same, once every bench has its device there."""
        wait_until(lambda: len(self.devices()) == len(self.benches), "every device")
        return self.devices()

    def close(self) -> None:
        for process in (*(bench.process for bench in self.benches), self.scheduler):
            if process is not None:
                _kill(process)

    def _start(
        self,
        folder: Path,
        arguments: list[str],
        environment: dict[str, str],
        program: Sequence[str] = ("-m", "harness"),
    ) -> subprocess.Popen[str]:
        with (folder / "log.txt").open("a") as log:
            return subprocess.Popen(
                [sys.executable, *program, *arguments],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if arguments[0] == "scheduler" else log,
                stderr=log,
                text=True,
                start_new_session=True,
            )


def _kill(process: subprocess.Popen[str]) -> None:
    """As a power cut does: without a word, with all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def opened_lab(folder: Path, releases: tuple[str, ...], *, start: bool = True) -> Iterator[Lab]:
    """A lab with one worker for each of ``releases``, the iOS of its phone; an empty one: without a phone."""
    make_certificates(folder / "certificates", "lab", now=datetime.now(UTC))
    programs = installed_programs()
    with ExitStack() as held:
        lab = Lab(folder, port=0)
        held.callback(lab.close)
        lab.start_scheduler()
        for index, ios in enumerate(releases):
            bench = folder / f"desk{index}"
            (bench / "cache").mkdir(parents=True)
            phones = None
            if ios:
                phones = held.enter_context(background_phones(programs, ios=(ios,), first_index=index))
                keep_package(
                    write_runner_ipa(bench / "runner.ipa", programs.runtime_version), bench / "cache"
                )
            lab.benches.append(Bench(bench.name, bench, phones))
            if start:
                lab.start_worker(index)
        yield lab


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, f"{what}: not within {PATIENCE_S:g} s"
        time.sleep(0.05)
