"""``harness certificates``: who belongs to a lab, by an authority of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import datetime

    from harness.cluster.certificate_files import CertificateInfo


@click.group("certificates")
def command() -> None:
    """Make, issue and show the certificates by which the machines of a lab know each other.

    They are kept in the folder that HARNESS_CERTIFICATES names, else in  harness/lab  among your settings. docs/lab.md
    says what to run on which machine.
    """


@command.command("make")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--machine", help="This machine's name in its certificate (its host name).")
def make(folder: Path | None, machine: str | None) -> int:
    """Make a lab's authority and this machine's certificate, in FOLDER or where they are looked for.

    Once for a lab, on one machine; nothing is ever written over. The authority's private key stays here.
    """
    import platform
    from datetime import UTC, datetime

    from harness.cli.places import certificates_folder
    from harness.cluster.certificates import machine_name, make_certificates

    folder = certificates_folder(folder)
    made = make_certificates(folder, machine or machine_name(platform.node()), now=datetime.now(UTC))
    click.echo(f"{folder}: {made.authority.name}, and a certificate for {made.machine.name}")
    click.echo(f"Fingerprint of the authority: {made.authority.fingerprint}")
    click.echo("For each other machine: harness certificates issue NAME")
    return 0


@command.command("issue")
@click.argument("machine", metavar="NAME")
@click.option(
    "--to", type=click.Path(path_type=Path), help="Where to write (issued/NAME beside the authority)."
)
@click.option("--authority", type=click.Path(path_type=Path), help="Where the lab's authority is.")
@click.option("--replace", is_flag=True, help="Renew: take the place of a certificate of the same authority.")
def issue(machine: str, to: Path | None, authority: Path | None, replace: bool) -> int:
    """Issue a certificate for the machine NAME: the three files that it needs, in one folder.

    Copy them to that machine, where  harness certificates show  names the folder, then delete them here: who has them
    belongs to the lab.
    """
    from datetime import UTC, datetime

    from harness.cli.places import certificates_folder
    from harness.cluster.certificates import issue_certificate

    authority = certificates_folder(authority)
    to = to or authority / "issued" / machine
    issued = issue_certificate(authority, machine, to, now=datetime.now(UTC), replaces=replace)
    click.echo(f"{to}: a certificate for {issued.machine.name}, until {issued.machine.valid_until:%Y-%m-%d}")
    if to.resolve() != authority.resolve():
        click.echo(f"Copy its three files to {machine}, then delete them here. docs/lab.md says where to.")
    return 0


@command.command("show")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(folder: Path | None, as_json: bool) -> int:
    """Show the certificates in FOLDER or where they are looked for: whose, until when, with fingerprints.

    Exit status 2 where they are not fit for use, with the reason.
    """
    import json
    from datetime import UTC, datetime

    from harness.cli.places import certificates_folder
    from harness.cluster.certificate_files import read_certificates
    from harness.errors import InputError

    folder, now = certificates_folder(folder), datetime.now(UTC)
    found = _found(folder)
    problem: InputError | None = None
    warnings: tuple[str, ...] = ()
    try:
        warnings = read_certificates(folder, now).warnings_at(now)
    except InputError as error:
        problem = error
    if as_json:
        shown = {name: info.model_dump(mode="json") if info else None for name, info in found.items()}
        click.echo(
            json.dumps(
                {
                    "folder": str(folder),
                    "files": shown,
                    "problem": str(problem) if problem else None,
                    "warnings": warnings,
                },
                indent=1,
            )
        )
    else:
        click.echo(str(folder))
        for name, info in found.items():
            click.echo(f"  {name:<16}{_told(info, now)}")
        for warning in warnings:
            click.echo(f"{click.style('soon:', fg='yellow')} {warning}")
    if problem is not None:
        raise problem
    return 0


def _found(folder: Path) -> dict[str, CertificateInfo | None]:
    """What is there, by file: a certificate's description, or ``None`` for a key or what is no certificate."""
    from harness.cluster.certificate_files import (
        AUTHORITY,
        AUTHORITY_KEY,
        MACHINE,
        MACHINE_KEY,
        describe,
        read_certificate,
    )
    from harness.errors import InputError

    found: dict[str, CertificateInfo | None] = {}
    for name in (AUTHORITY, MACHINE, MACHINE_KEY, AUTHORITY_KEY):
        if not (folder / name).exists():
            continue
        found[name] = None
        if name in (AUTHORITY, MACHINE):
            try:
                found[name] = describe(read_certificate(folder / name))
            except InputError:
                # Told as the folder's problem.
                continue
    return found


def _told(info: CertificateInfo | None, now: datetime) -> str:
    if info is None:
        return "is here"
    state = info.problem_at(now) or f"until {info.valid_until:%Y-%m-%d}, {(info.valid_until - now).days} days"
    return f"{info.name}: {state}\n{'':18}SHA-256 {info.fingerprint}"
