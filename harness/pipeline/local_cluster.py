"""A cluster of this machine alone: several phones, or all cores, by the code that many machines run by."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from harness.cluster.address import ClusterAddress, Scheme, parse_cluster_address
from harness.cluster.certificates import machine_name, make_certificates
from harness.cluster.connection import Cluster
from harness.cluster.security import security_of
from harness.core.value import Value
from harness.errors import TargetError
from harness.pipeline.choose_target import TargetSettings
from harness.python_worker import worker_command, worker_environment
from harness.wire.strict_json import parse_object, write_value

_START_S: Final = 30.0
_GRACE_S: Final = 10.0


class LocalOptions(Value):
    """What ``harness.cluster_worker.local_cluster_worker`` is told, as a file."""

    scheme: Scheme
    port: int
    state: str
    cache: str
    runner: str | None = None
    launch: str
    cores: int
    offers_phones: bool


@contextmanager
def local_cluster(
    settings: TargetSettings,
    *,
    cores: int = 0,
    offers_phones: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """The phones that are attached to this machine, and so many of its cores, as a cluster; gone at the end.

    ``environment`` is added to its process's own: which usbmuxd, which home. It speaks TLS with certificates of its
    own, so that nobody else on this machine can use it.

    Raises:
        TargetError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="harness-cluster-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        make_certificates(folder, machine_name("localhost"), now=datetime.now(UTC))
        options = LocalOptions(
            scheme=Scheme.TLS,
            port=0,
            state=str(settings.cache.absolute() / "worker"),
            cache=str(settings.cache.absolute()),
            runner=str(settings.runner.absolute()) if settings.runner else None,
            launch=settings.launch.value,
            cores=cores,
            offers_phones=offers_phones,
        )
        write_value(folder / "options.json", options)
        with _process(folder, environment or {}) as address:
            cluster = Cluster(str(address), security_of(address, folder), patience_s=settings.patience_s)
            try:
                yield cluster
            finally:
                cluster.close()


@contextmanager
def _process(folder: Path, environment: Mapping[str, str]) -> Iterator[ClusterAddress]:
    with (folder / "log.txt").open("w+b") as log:
        process = subprocess.Popen(
            worker_command("harness.cluster_worker.local_cluster_worker", folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**worker_environment(), **environment},
            # Ctrl-C is for the harness, which then ends it in good order.
            start_new_session=True,
        )
        try:
            yield _announced_address(process, log)
        finally:
            _end(process)


def _announced_address(process: subprocess.Popen[bytes], log: IO[bytes]) -> ClusterAddress:
    assert process.stdout is not None
    # A process that says nothing for so long is ended, and then its output ends too.
    limit = threading.Timer(_START_S, process.kill)
    limit.start()
    try:
        line = process.stdout.readline()
    finally:
        limit.cancel()
    try:
        return parse_cluster_address(str(parse_object(line)["address"]), has_certificates=True)
    except (ValueError, KeyError):
        log.seek(0)
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
        raise TargetError(
            f"the cluster of this machine did not start{': ' + lines[-1][:300] if lines else ''}",
            next_step="Run 'harness doctor'.",
        ) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
