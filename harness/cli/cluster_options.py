"""The options by which a command finds a cluster, and what they come to."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from distributed import Security

    from harness.cluster.address import ClusterAddress
    from harness.cluster.connection import Cluster

F = TypeVar("F", bound=Callable[..., Any])


def security_options(function: F) -> F:
    """``--certificates`` and ``--insecure``."""
    function = click.option(
        "--certificates",
        type=click.Path(path_type=Path),
        help="The folder with this machine's certificates, as  harness certificates  makes them.",
    )(function)
    return click.option(
        "--insecure",
        is_flag=True,
        help="No TLS, on a network that is yours alone: who reaches it can use it.",
    )(function)


def cluster_options(function: F) -> F:
    """``--cluster``, its security, and ``--patience``."""
    function = click.option(
        "--patience",
        type=click.FloatRange(min=1),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a scheduler, worker or phone that is gone is waited for.",
    )(security_options(function))
    return click.option(
        "--cluster",
        envvar="HARNESS_CLUSTER",
        show_envvar=True,
        metavar="ADDRESS",
        help="Use the phones and cores of a cluster: the address of its scheduler, HOST or HOST:PORT.",
    )(function)


def secured(address: str, certificates: Path | None, *, insecure: bool) -> tuple[ClusterAddress, Security]:
    """Where the scheduler is, and how one talks to it.

    Raises:
        UsageError: it is no address, or one that TLS would be needed for.
        InputError: there are no certificates, or they are not fit.
    """
    from harness.cli.places import certificates_folder
    from harness.cluster.address import parse_cluster_address
    from harness.cluster.certificate_files import has_certificates
    from harness.cluster.security import security_of

    folder = certificates_folder(certificates)
    where = parse_cluster_address(address, has_certificates=has_certificates(folder), is_insecure=insecure)
    security = security_of(where, folder, on_warning=lambda text: click.echo(f"warning: {text}", err=True))
    return where, security


def connected(address: str, certificates: Path | None, *, insecure: bool, patience_s: float) -> Cluster:
    """The cluster behind the scheduler at ``address``. From now on this process unpickles nothing but bytes.

    Raises:
        HarnessError: see ``secured``; or no scheduler answers.
    """
    from harness.cluster.connection import Cluster
    from harness.cluster.unpickling import CLIENT_NAMES, unpickle_only

    where, security = secured(address, certificates, insecure=insecure)
    quiet_dask()
    unpickle_only(CLIENT_NAMES)
    return Cluster(str(where), security, patience_s=patience_s)


def quiet_dask(level: int = logging.CRITICAL) -> None:
    """Dask tells its log what this program tells a person."""
    import distributed  # noqa: F401  It sets its loggers' levels when it is imported.

    for name in ("distributed", "tornado", "bokeh"):
        logging.getLogger(name).setLevel(level)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("distributed."):
            logging.getLogger(name).setLevel(level)


def stop_when_told(stop: Callable[[], None]) -> None:
    """Call ``stop`` on Ctrl-C and SIGTERM, in the running event loop."""
    loop = asyncio.get_running_loop()
    # Windows has none of it; there Ctrl-C ends the loop.
    with suppress(NotImplementedError):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
