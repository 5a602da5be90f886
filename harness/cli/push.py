"""``harness push RUN``: send a run to the store where runs gather; also after ``harness run --store``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from harness.store.remote.run_store import RunStore


@click.command("push")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--store", help="Where to: a folder, or a URL such as s3://bucket/folder (HARNESS_STORE).")
@click.option("--runs", type=click.Path(path_type=Path), help="Where run folders are kept (reports/).")
def command(run: Path, store: str | None, runs: Path | None) -> int:
    """Send the stored RUN to a store, finished or not.

    What is there is not sent again, and a run that was sent in part counts as none: after a failure call it again.
    """
    from rich.console import Console

    from harness.cli.places import runs_folder
    from harness.store.run_folder import find_folder

    _send(find_folder(run, runs_folder(runs)), opened_store(store), Console())
    return 0


def opened_store(given: str | None) -> RunStore:
    """The store of ``--store`` or ``HARNESS_STORE``.

    Raises:
        UsageError: none is named, or it cannot be used.
    """
    from harness.cli.named_runs import open_store
    from harness.cli.places import store_address
    from harness.errors import UsageError

    address = store_address(given)
    if address is None:
        raise UsageError(
            "no store is named",
            where="--store",
            next_step="Name a folder or a URL, such as --store s3://bucket/folder, or set HARNESS_STORE.",
        )
    return open_store(address)


class SentWhenDone:
    """``folder``: the run or group that is sent; none was begun where it is absent."""

    folder: Path | None = None


@contextmanager
def sent_when_done(given: str | None, console: Console) -> Iterator[SentWhenDone]:
    """Send the run that is made within, however that ends. Without ``--store`` and ``HARNESS_STORE``: nothing.

    A failure to send is told, with the way to send it later; it changes neither what was raised nor what is returned.

    Raises:
        UsageError: the store cannot be used; nothing was run yet.
    """
    from harness.cli.places import store_address

    store = opened_store(given) if store_address(given) else None
    sending = SentWhenDone()
    try:
        yield sending
    finally:
        if store is not None and sending.folder is not None and sending.folder.is_dir():
            _try_to_send(sending.folder, store, console, given)


def _try_to_send(run: Path, store: RunStore, console: Console, given: str | None) -> None:
    from rich.markup import escape

    from harness.errors import HarnessError

    try:
        _send(run, store, console)
        return
    except HarnessError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error.filename or run}: {error.strerror or error}"
    except KeyboardInterrupt:
        problem = "interrupted"
    # A URL may hold a password: what is shown for copying names the option only.
    to = " --store STORE" if given else ""
    again = f"harness push {shlex.quote(str(run))}{to}"
    console.print(
        f"[red]✗[/] The run was not sent to {escape(str(store))}: {escape(problem)}\n"
        f"  It is kept in {escape(str(run))}. Send it: {escape(again)}",
        soft_wrap=True,
        highlight=False,
    )


def _send(run: Path, store: RunStore, console: Console) -> None:
    from rich.filesize import decimal
    from rich.markup import escape

    from harness.cli.transfer_progress import TransferProgress
    from harness.store.remote.push import push_run

    with TransferProgress(f"Sending {run.name}") as progress:
        pushed = push_run(run, store, progress)
    for name in pushed.left_out:
        console.print(
            f"[yellow]![/] left out: {escape(name)}: other systems cannot have a file of that name",
            soft_wrap=True,
        )
    console.print(
        f"Sent [bold]{escape(pushed.run_id)}[/] to {escape(str(store))}: {decimal(pushed.sent_bytes)} of "
        f"{decimal(pushed.total_bytes)}, the rest was there.",
        soft_wrap=True,
        highlight=False,
    )
