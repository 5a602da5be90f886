"""``harness doctor``: what is here, what is missing, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from harness.cli.cluster_options import ClusterOptions, cluster_options


@dataclass(frozen=True)
class Check:
    """One link of the chain. ``next_step`` is empty where all is well."""

    name: str
    is_well: bool
    found: str
    next_step: str = ""
    is_needed: bool = True
    """Whether a run cannot do without it."""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
@click.option(
    "--target",
    help="iphone, iphone:UDID or a query that finds one: check the chain to that phone, up to starting the runner.",
)
@cluster_options
def command(as_json: bool, target: str | None, cluster: ClusterOptions) -> int:
    """Check the packages, the runner, its runtime and the folders; or the chain to a phone, or to a cluster.

    With --cluster: certificates, network, encryption, scheduler, every worker and its release, phones and cores.
    Exit status 4 when something that a run needs is missing.
    """
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.markup import escape

    from harness.errors import ExitStatus, UsageError

    if target is not None and cluster.is_named:
        raise UsageError(
            "a phone's own chain is checked where the phone is attached",
            where="--target",
            next_step="There: harness doctor --target iphone:UDID. Here: harness doctor --cluster ADDRESS.",
        )
    checks = run_phone_checks(target) if target else [] if cluster.is_named else run_checks()
    if target is None and cluster.address is not None:
        checks += run_cluster_checks(cluster, cluster.address)
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        console = Console()
        for check in checks:
            mark = "[green]✓[/]" if check.is_well else "[red]✗[/]" if check.is_needed else "[yellow]![/]"
            console.print(f"{mark} [bold]{escape(check.name)}[/]  {escape(check.found)}")
            if check.next_step:
                console.print(f"  [cyan]next:[/] {escape(check.next_step)}")
    well = all(check.is_well or not check.is_needed for check in checks)
    return int(ExitStatus.PASS if well else ExitStatus.TARGET)


def run_checks() -> list[Check]:
    """All checks, in the order in which a run needs them."""
    from harness.cli.places import cache_folder, runs_folder

    return [
        _python(),
        *(_package(name, why) for name, why in _PACKAGES.items()),
        _runner(),
        _writable("cache", cache_folder(), "Set HARNESS_CACHE to a folder that you may write to."),
        _writable("runs", runs_folder(None), "Use --runs with a folder that you may write to."),
        *_store(),
    ]


def run_phone_checks(target: str) -> list[Check]:
    """The chain to a phone, in the order in which a run needs it."""
    from harness.pipeline.choose_target import phone_udid
    from harness.pipeline.phones import phone_checks

    return [
        Check(step.name, step.is_well, step.found, step.next_step, step.is_needed)
        for step in phone_checks(phone_udid(target))
    ]


def run_cluster_checks(options: ClusterOptions, address: str) -> list[Check]:
    """The chain to a cluster's phones and cores. From now on this process unpickles nothing but bytes.

    Raises:
        UsageError: it is no address, or one that TLS would be needed for.
    """
    from harness.cli.cluster_options import quiet_dask
    from harness.cli.places import certificates_folder
    from harness.cluster.address import parse_cluster_address
    from harness.cluster.certificate_files import has_certificates
    from harness.cluster.unpickling import CLIENT_NAMES, unpickle_only
    from harness.pipeline.cluster_checks import cluster_checks

    folder = certificates_folder(options.certificates)
    where = parse_cluster_address(
        address, has_certificates=has_certificates(folder), is_insecure=options.insecure
    )
    quiet_dask()
    unpickle_only(CLIENT_NAMES)
    return [
        Check(step.name, step.is_well, step.found, step.next_step, step.is_needed)
        for step in cluster_checks(where, folder)
    ]


_PACKAGES = {
    "tensorflow": "converts Keras models",
    "keras": "reads Keras models",
    "ai-edge-litert": "carries the runtime, and is the reference for .tflite models",
    "litert-quantizer": "builds the quantized variants",
    "pymobiledevice3": "talks to iPhones",
}


def _python() -> Check:
    import platform
    import sys

    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Check(
        "python",
        supported,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "" if supported else "Use Python 3.11, 3.12 or 3.13.",
    )


def _package(name: str, why: str) -> Check:
    import importlib.metadata

    for distribution in (name, f"{name}-cpu"):
        try:
            return Check(name, True, importlib.metadata.version(distribution))
        except importlib.metadata.PackageNotFoundError:
            continue
    return Check(name, False, f"not installed; it {why}", f"pip install {name}, or make setup in a checkout.")


def _runner() -> Check:
    """Whether the runner starts and its runtime loads: it is asked to describe nothing, only to say who it is."""
    import json
    import subprocess

    from harness.cli.places import runner_override
    from harness.core.jobs import WIRE_VERSION
    from harness.errors import HarnessError
    from harness.targets.local import find_runtime_library
    from harness.targets.runner_executable import runner_executable

    try:
        runner = runner_executable(runner_override())
        runtime = find_runtime_library()
    except HarnessError as error:
        return Check("runner", False, str(error), error.next_step)
    try:
        answer = subprocess.run([str(runner), "version"], capture_output=True, timeout=10, check=True)
        said = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return Check("runner", False, f"{runner} does not start: {error}", "Build it again: make setup.")
    if said.get("wire_version") != WIRE_VERSION:
        return Check(
            "runner",
            False,
            f"{runner} speaks wire version {said.get('wire_version')}, this harness {WIRE_VERSION}",
            "Build it again: make setup.",
        )
    return Check(
        "runner",
        True,
        f"{said.get('version')} ({said.get('platform')}) with LiteRT {runtime.version}: {runner}",
    )


def _store() -> list[Check]:
    """Whether the store that ``HARNESS_STORE`` names answers; a run can do without it."""
    from harness.cli.named_runs import open_store
    from harness.cli.places import store_address
    from harness.errors import HarnessError

    address = store_address(None)
    if address is None:
        return []
    try:
        store = open_store(address)
        found = f"{store}" if store.check() else f"{store}, which the first run that is sent makes a store"
    except HarnessError as error:
        return [Check("store", False, str(error), error.next_step, is_needed=False)]
    return [Check("store", True, found)]


def _writable(name: str, folder: Path, next_step: str) -> Check:
    import os
    import shutil

    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    free_bytes = shutil.disk_usage(existing).free
    well = os.access(existing, os.W_OK)
    return Check(name, well, f"{folder}, {free_bytes / 1e9:.0f} GB free", "" if well else next_step)
