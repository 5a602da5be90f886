"""The options by which a command finds a cluster, and what they come to."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from distributed import Security

    from harness.cluster.address import ClusterAddress
    from harness.cluster.connection import Cluster
    from harness.core.runs import Plan
    from harness.pipeline.choose_target import TargetSettings

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


@dataclass(frozen=True)
class ClusterOptions:
    """What was said of a cluster on the command line and in the environment."""

    address: str | None
    """``HARNESS_CLUSTER`` counts as well."""
    is_named: bool
    """Whether the command line itself names the address."""
    certificates: Path | None
    insecure: bool
    patience_s: float

    def address_for(self, plan: Plan | None) -> str | None:
        """Of whose cluster a command is meant; a stored run is reached where it was made, by its ``plan``.

        Only a new run, or what has no device, goes where ``HARNESS_CLUSTER`` says.
        """
        return self.address if self.is_named or plan is None else plan.cluster or None

    def connected(self, address: str) -> Cluster:
        """The cluster behind the scheduler at ``address``. From now on this process unpickles nothing but bytes.

        Raises:
            HarnessError: see ``secured``; or no scheduler answers.
        """
        from harness.cluster.connection import Cluster
        from harness.cluster.unpickling import CLIENT_NAMES, unpickle_only

        where, security = secured(address, self.certificates, insecure=self.insecure)
        quiet_dask()
        unpickle_only(CLIENT_NAMES)
        return Cluster(str(where), security, patience_s=self.patience_s)

    @contextmanager
    def reaching(
        self, settings: TargetSettings, plan: Plan | None = None, *, is_needed: bool = True
    ) -> Iterator[TargetSettings]:
        """``settings`` with the cluster that is meant, if any, as long as this is open.

        Where it is not ``is_needed``, and not named, this machine does without one that does not answer, and says so.

        Raises:
            HarnessError: see ``connected``.
        """
        from harness.errors import HarnessError

        settings = replace(settings, patience_s=self.patience_s)
        address = self.address_for(plan)
        if address is None:
            yield settings
            return
        try:
            cluster = self.connected(address)
        except HarnessError as error:
            if is_needed or self.is_named:
                raise
            click.echo(f"warning: {error}. Going on with this machine's cores alone.", err=True)
            yield settings
            return
        try:
            yield replace(settings, cluster=cluster)
        finally:
            cluster.close()


def cluster_options(function: F) -> F:
    """``--cluster``, its security, and ``--patience``; the function takes them as ``cluster``, a ``ClusterOptions``."""

    @functools.wraps(function)
    def taking_options(
        *, cluster: str | None, certificates: Path | None, insecure: bool, patience: float, **rest: Any
    ) -> Any:
        source = click.get_current_context().get_parameter_source("cluster")
        is_named = cluster is not None and source is not click.core.ParameterSource.ENVIRONMENT
        return function(cluster=ClusterOptions(cluster, is_named, certificates, insecure, patience), **rest)

    decorated = click.option(
        "--patience",
        type=click.FloatRange(min=1),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a scheduler, worker or phone that is gone is waited for.",
    )(security_options(taking_options))
    return click.option(
        "--cluster",
        envvar="HARNESS_CLUSTER",
        show_envvar=True,
        metavar="ADDRESS",
        help="Use the phones and cores of a cluster: the address of its scheduler, HOST or HOST:PORT.",
    )(decorated)  # type: ignore[return-value]


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


def quiet_dask(level: int = logging.CRITICAL) -> None:
    """Dask tells its log what this program tells a person."""
    import distributed  # noqa: F401  It sets its loggers' levels when it is imported.

    for name in ("distributed", "tornado", "bokeh"):
        logging.getLogger(name).setLevel(level)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("distributed."):
            logging.getLogger(name).setLevel(level)
    # A worker's scratch folder goes with the folder that it is in.
    logging.getLogger("distributed.diskutils").setLevel(logging.CRITICAL)


def stop_when_told(stop: Callable[[], None]) -> None:
    """Call ``stop`` on Ctrl-C and SIGTERM, in the running event loop."""
    loop = asyncio.get_running_loop()
    # Windows has none of it; there Ctrl-C ends the loop.
    with suppress(NotImplementedError):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
