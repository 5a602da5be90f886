"""``harness scheduler``: Dask's scheduler, as a cluster of phones needs it."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.cluster_options import security_options


@click.command("scheduler")
@click.argument("address", required=False)
@security_options
def command(address: str | None, certificates: Path | None, insecure: bool) -> int:
    """Run Dask's scheduler at ADDRESS until Ctrl-C: where workers join and runs ask for devices.

    With certificates it listens on every network of this machine, at port 8786; without, on this machine alone. It
    computes nothing itself, and any machine that stays on will do.
    """
    import asyncio
    import logging

    from harness.cli.cluster_options import quiet_dask, secured, stop_when_told
    from harness.cli.places import certificates_folder
    from harness.cluster.certificate_files import has_certificates
    from harness.cluster.scheduler import run_scheduler
    from harness.cluster.unpickling import SCHEDULER_NAMES, unpickle_only
    from harness.errors import ExitStatus, UsageError

    everywhere = insecure or has_certificates(certificates_folder(certificates))
    where, security = secured(
        address or ("0.0.0.0" if everywhere else "127.0.0.1"), certificates, insecure=insecure
    )
    quiet_dask(logging.ERROR)
    unpickle_only(SCHEDULER_NAMES)

    async def serve() -> None:
        stopping = asyncio.Event()
        stop_when_told(stopping.set)
        await run_scheduler(where, security, on_address=_announce, stopping=stopping)

    try:
        asyncio.run(serve())
    except OSError as problem:
        raise UsageError(
            f"cannot listen: {problem.strerror or problem}",
            where=str(where),
            next_step="Choose another port, HOST:PORT, or end what listens there.",
        ) from None
    return int(ExitStatus.PASS)


def _announce(address: str) -> None:
    click.echo(f"Scheduler at {address}")
    click.echo(f"On each machine with phones:  harness worker {address}")
    click.echo(f"To use them:                  harness run SUITE --cluster {address}")
