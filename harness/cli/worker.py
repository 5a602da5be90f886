"""``harness worker``: put this machine's phones and cores into a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.cluster_options import security_options


@click.command("worker")
@click.argument("address")
@click.option(
    "--cores",
    type=click.IntRange(min=0),
    help="Shards of references and calibrations to compute at once; 0: none. By default one for each core and 2 GB.",
)
@click.option("--phones/--no-phones", default=True, help="Offer the phones that are attached.")
@click.option("--machine/--no-machine", default=True, help="Run jobs for the target local on this machine.")
@click.option("--name", help="What others call this machine; its host name by default.")
@click.option(
    "--host", help="The address to listen at; by default the one by which the scheduler is reached."
)
@click.option("--ports", metavar="FIRST:LAST", help="The ports to listen at, for a firewall; any by default.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where blobs and unfinished jobs are kept (the cache's worker/).",
)
@security_options
def command(
    address: str,
    cores: int | None,
    phones: bool,
    machine: bool,
    name: str | None,
    host: str | None,
    ports: str | None,
    folder: Path | None,
    certificates: Path | None,
    insecure: bool,
) -> int:
    """Offer this machine's phones and cores to the cluster whose scheduler is at ADDRESS, until Ctrl-C.

    Each attached phone is announced with its UDID, model and iOS as soon as it is there, and runs one job at a time. It
    takes jobs of the harness and nothing else: no code comes over the network.
    """
    import asyncio
    import logging

    from harness.cli.cluster_options import quiet_dask, secured, stop_when_told
    from harness.cli.places import cache_folder, runner_override
    from harness.cluster.unpickling import WORKER_NAMES, unpickle_only
    from harness.cluster_worker.attached import host_name
    from harness.cluster_worker.serve import Serving, WorkerOptions
    from harness.errors import ExitStatus
    from harness.pipeline.choose_target import TargetSettings
    from harness.shards.pool import fitting_processes

    where, security = secured(address, certificates, insecure=insecure)
    quiet_dask(logging.ERROR)
    unpickle_only(WORKER_NAMES)
    cache = cache_folder()
    options = WorkerOptions(
        scheduler=str(where),
        security=security,
        folder=folder or cache / "worker",
        settings=TargetSettings(cache=cache, runner=runner_override()),
        cores=fitting_processes() if cores is None else cores,
        offers_machine=machine,
        offers_phones=phones,
        host=host or ("127.0.0.1" if where.is_loopback else None),
        ports=_ports(ports),
        name=name or host_name(),
    )

    async def serve() -> None:
        serving = Serving(options, lambda text: click.echo(text))
        stop_when_told(serving.stop)
        await serving.run()

    asyncio.run(serve())
    return int(ExitStatus.PASS)


def _ports(text: str | None) -> tuple[int, int] | None:
    from harness.errors import UsageError

    if text is None:
        return None
    first, _, last = text.partition(":")
    if first.isdecimal() and (last or first).isdecimal() and 0 < int(first) <= int(last or first) < 65_536:
        return int(first), int(last or first)
    raise UsageError(
        f"{text!r} is no range of ports", where="--ports", next_step="Write FIRST:LAST, as 9000:9031."
    )
