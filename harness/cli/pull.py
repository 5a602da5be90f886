"""``harness pull RUN``: bring a run from the store where runs gather."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("pull")
@click.argument("run")
@click.option("--store", help="Where from: a folder, or a URL such as s3://bucket/folder (HARNESS_STORE).")
@click.option("--runs", type=click.Path(path_type=Path), help="Where run folders are kept (reports/).")
def command(run: str, store: str | None, runs: Path | None) -> int:
    """Bring the whole RUN from a store into the folder of runs: to keep it, or to finish it here.

    RUN is a name at the store, or STORE/RUN. An unfinished one goes on with  harness run --resume
    """
    from harness.cli.named_runs import open_store
    from harness.cli.places import cache_folder, runs_folder
    from harness.cli.push import opened_store
    from harness.cli.transfer_progress import TransferProgress
    from harness.store.remote.address import run_in_store
    from harness.store.remote.fetch import pull_run

    name = run
    if store is None and "/" in run:
        address, name = run_in_store(run)
        source = open_store(address.url)
    else:
        source = opened_store(store)
    with TransferProgress(f"Bringing {name}") as progress:
        path = pull_run(name, source, runs_folder(runs), cache_folder(), progress)
    click.echo(str(path))
    return 0
