"""What listens where a scheduler should be."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.cluster.address import parse_cluster_address
from harness.cluster.certificates import make_certificates
from harness.cluster.connection import Cluster
from harness.cluster.security import security_of
from harness.errors import TargetError


@contextmanager
def listener(said: bytes) -> Iterator[int]:
    """A port where whoever comes is told ``said`` and then kept waiting."""
    held = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                connection.sendall(said)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(64), b"\xff" * 64],
    ids=["nothing", "http", "zeros", "ones"],
)
@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_what_is_no_scheduler_is_not_waited_for(tmp_path: Path, said: bytes, scheme: str) -> None:
    make_certificates(tmp_path / "lab", "desk", now=datetime.now(UTC))
    with listener(said) as port:
        address = parse_cluster_address(f"{scheme}://127.0.0.1:{port}", has_certificates=True)
        security = security_of(address, tmp_path / "lab")
        with pytest.raises(TargetError, match=r"answers: |does not answer as a scheduler") as raised:
            Cluster(str(address), security, patience_s=1, connect_s=0.5)
    assert raised.value.where == str(address) and "harness scheduler" in raised.value.next_step


def test_a_worker_says_that_it_waits_for_its_scheduler(tmp_path: Path) -> None:
    with listener(b"") as port:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "harness",
                "worker",
                f"tcp://127.0.0.1:{port}",
                "--no-phones",
                "--cores",
                "0",
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
        finally:
            process.terminate()
            _, err = process.communicate(timeout=30)
    assert re.match(r"machine waits for the scheduler at tcp://127\.0\.0\.1:\d+", line), line
    assert "harness doctor --cluster" in line
    assert process.returncode == 0 and err == ""


def test_a_scheduler_whose_port_is_taken() -> None:
    with listener(b"") as port:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "scheduler", f"tcp://127.0.0.1:{port}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert f"tcp://127.0.0.1:{port}: cannot listen: Address already in use" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_that_cannot_listen_says_why(tmp_path: Path) -> None:
    with listener(b"") as taken:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "harness", "worker", "tcp://127.0.0.1:9"),
                *("--no-phones", "--cores", "0", "--ports", f"{taken}:{taken}"),
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert "machine cannot join tcp://127.0.0.1:9:" in line and "failed to start" not in line, line
