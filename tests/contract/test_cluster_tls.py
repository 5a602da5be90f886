"""Dask over TLS with a lab's certificates, for real: who belongs is served, all others are refused."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from distributed import Client, Scheduler, Security, Worker
from distributed.comm.addressing import get_address_host_port

from harness.cluster.address import ClusterAddress, Scheme, parse_cluster_address
from harness.cluster.certificate_files import AUTHORITY, MACHINE, MACHINE_KEY
from harness.cluster.certificates import issue_certificate, make_certificates
from harness.cluster.security import security_of

HERE = parse_cluster_address("127.0.0.1:0", has_certificates=True)


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``rack`` and ``desk`` are of one lab, ``stranger`` of another."""
    folder, now = tmp_path_factory.mktemp("labs"), datetime.now(UTC)
    make_certificates(folder / "rack", "rack", now=now)
    issue_certificate(folder / "rack", "desk", folder / "desk", now=now)
    make_certificates(folder / "stranger", "desk", now=now)
    return folder


def with_scheduler(labs: Path, ask: Callable[[Scheduler], Awaitable[None]]) -> None:
    """``ask`` beside a scheduler on a free port of loopback."""

    async def run() -> None:
        security = security_of(HERE, labs / "rack")
        scheduler = Scheduler(
            host=HERE.host,
            port=HERE.port,
            protocol=f"{HERE.scheme}://",
            security=security,
            dashboard_address="127.0.0.1:0",
        )
        async with scheduler:
            await ask(scheduler)

    asyncio.run(run())


def test_the_lab_works(labs: Path) -> None:
    async def ask(scheduler: Scheduler) -> None:
        assert scheduler.address.startswith("tls://127.0.0.1:")
        address = parse_cluster_address(scheduler.address, has_certificates=True)
        security = security_of(address, labs / "desk")
        async with (
            Worker(str(address), nthreads=1, security=security, dashboard_address="127.0.0.1:0") as worker,
            Client(str(address), security=security, asynchronous=True) as client,
        ):
            assert worker.address.startswith("tls://")
            assert await client.submit(divmod, 17, 5) == (3, 2)

    with_scheduler(labs, ask)


async def answer(scheduler: Scheduler, context: ssl.SSLContext | None) -> bytes:
    """What the scheduler says first to who connects by ``context``: nothing where it closes the connection.

    Raises:
        ssl.SSLError: it refuses the handshake.
    """
    host, port = get_address_host_port(scheduler.address)
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        # In TLS 1.3 the client has finished before the server looks at its certificate. Without TLS, the server takes
        # these bytes for the beginning of a handshake.
        writer.write(b"\x00" * 64)
        await writer.drain()
        return await asyncio.wait_for(reader.read(64), 30)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def context_of(folder: Path | None) -> ssl.SSLContext:
    """A client that takes any server, and shows the certificate in ``folder``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if folder is not None:
        context.load_cert_chain(folder / MACHINE, folder / MACHINE_KEY)
    return context


def test_the_scheduler_refuses_who_does_not_belong(labs: Path) -> None:
    old = context_of(labs / "desk")
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    async def ask(scheduler: Scheduler) -> None:
        # Dask greets whom it lets in.
        assert await answer(scheduler, context_of(labs / "desk"))
        with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
            await answer(scheduler, context_of(labs / "stranger"))
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
            await answer(scheduler, context_of(None))
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            await answer(scheduler, old)
        with suppress(ConnectionResetError):
            # No more than a TLS alert (RFC 8446, content type 21).
            assert (await answer(scheduler, None))[:1] in (b"", b"\x15")
        assert set(scheduler.clients) <= {"fire-and-forget"}

    with_scheduler(labs, ask)


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        ("stranger", "TLS certificate does not match"),
        ("no certificate", "TLS expects a `ssl_context`"),
        ("plain tcp", None),
    ],
)
def test_a_client_of_dask_does_not_get_in(labs: Path, who: str, refusal: str | None) -> None:
    async def ask(scheduler: Scheduler) -> None:
        address = scheduler.address
        if who == "stranger":
            security = security_of(HERE, labs / "stranger")
        elif who == "no certificate":
            security = Security(require_encryption=True, tls_ca_file=str(labs / "desk" / AUTHORITY))
        else:
            address = address.replace("tls://", "tcp://")
            security = security_of(ClusterAddress(scheme=Scheme.TCP, host="127.0.0.1"), labs / "desk")
        client = Client(address, security=security, asynchronous=True, timeout=5)
        with pytest.raises((OSError, TypeError), match=refusal):
            await client
        await client.close()
        assert set(scheduler.clients) <= {"fire-and-forget"}

    with_scheduler(labs, ask)
