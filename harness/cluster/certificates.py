"""A lab's own certificate authority, and the certificates that it issues to machines.

Elliptic curve P-256 throughout: small keys that every TLS library knows. The authority lives ten years, a machine's
certificate 825 days, which is as long as Apple's systems accept one for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.cluster.certificate_files import (
    AUTHORITY,
    AUTHORITY_KEY,
    MACHINE,
    MACHINE_KEY,
    MachineCertificates,
    describe,
    read_authority,
    read_certificate,
    read_certificates,
    read_key,
)
from harness.errors import InputError, UsageError

AUTHORITY_LIFE = timedelta(days=3652)
MACHINE_LIFE = timedelta(days=825)
# Clocks of a lab differ a little.
_BACKDATED = timedelta(hours=1)
_MACHINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def machine_name(host: str) -> str:
    """The name for the machine called ``host``: what a certificate's name may not hold is left out."""
    name = re.sub(r"[^A-Za-z0-9._-]", "", host).lstrip("._-")[:63]
    return name or "machine"


def make_certificates(folder: Path, machine: str, *, now: datetime) -> MachineCertificates:
    """A new authority in ``folder``, and this machine's certificate.

    Raises:
        UsageError: there are certificates already, or ``machine`` is no name.
    """
    _check_name(machine)
    _refuse_existing(folder, (AUTHORITY, AUTHORITY_KEY, MACHINE, MACHINE_KEY))
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _new_authority(authority_key, machine, now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _new_certificate(key, machine, authority, authority_key, now)
    _write_new(
        folder,
        {
            AUTHORITY_KEY: _key_pem(authority_key),
            MACHINE_KEY: _key_pem(key),
            MACHINE: certificate.public_bytes(Encoding.PEM),
            AUTHORITY: authority.public_bytes(Encoding.PEM),
        },
    )
    return read_certificates(folder, now)


def issue_certificate(
    authority_folder: Path, machine: str, to: Path, *, now: datetime, replaces: bool = False
) -> MachineCertificates:
    """The three files that ``machine`` needs, in the folder ``to``, by the authority in ``authority_folder``.

    ``replaces`` lets a new certificate and key take the place of those of the same authority in ``to``.

    Raises:
        UsageError: ``machine`` is no name, or there are certificates in ``to`` already.
        InputError: the authority is missing, has ended, or its key is not fit for use.
    """
    _check_name(machine)
    if not (authority_folder / AUTHORITY_KEY).exists():
        raise InputError(
            "the lab's authority is not here: its private key is missing",
            where=str(authority_folder / AUTHORITY_KEY),
            next_step="Call this on the machine that made the authority, or name its folder: --authority FOLDER.",
        )
    authority = read_authority(authority_folder, now)
    authority_key = read_key(authority_folder / AUTHORITY_KEY, authority)
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise InputError(
            "is a key that this harness did not make (not of an elliptic curve)",
            where=str(authority_folder / AUTHORITY_KEY),
            next_step="Issue by the tool that made the authority, or make one: harness certificates make FOLDER.",
        )
    key = ec.generate_private_key(ec.SECP256R1())
    files = {
        MACHINE_KEY: _key_pem(key),
        MACHINE: _new_certificate(key, machine, authority, authority_key, now).public_bytes(Encoding.PEM),
    }
    if (to / AUTHORITY).exists() and describe(read_certificate(to / AUTHORITY)) == describe(authority):
        _refuse_existing(to, () if replaces else (MACHINE, MACHINE_KEY))
    else:
        _refuse_existing(to, (AUTHORITY, MACHINE, MACHINE_KEY))
        files[AUTHORITY] = authority.public_bytes(Encoding.PEM)
    if replaces:
        _replace(to, files)
    else:
        _write_new(to, files)
    return read_certificates(to, now)


def _check_name(machine: str) -> None:
    if not _MACHINE_NAME.fullmatch(machine):
        shown = machine if machine.isprintable() and len(machine) < 80 else ascii(machine[:80])
        raise UsageError(
            f"{shown!r} is no name for a machine",
            where="the machine's name",
            next_step="Use up to 63 letters, digits, dots, dashes and underscores, as in desk-2.lab.",
        )


def _refuse_existing(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if not (path := folder / name).exists():
            continue
        if name == AUTHORITY:
            problem, next_step = (
                "an authority is here, and nothing is written over it",
                "Look at it: harness certificates show FOLDER. For a new lab name a new folder, or move this one away.",
            )
        elif name == AUTHORITY_KEY:
            problem, next_step = (
                "the key of an authority is here, and nothing is written over it",
                f"Name another folder, or move it away; without its {AUTHORITY} it is of no use.",
            )
        else:
            problem, next_step = (
                "this folder holds a machine's certificate already",
                "Renew it where the authority is: harness certificates issue NAME --to FOLDER --replace; or name "
                "another folder.",
            )
        raise UsageError(problem, where=str(path), next_step=next_step)


def _new_authority(key: ec.EllipticCurvePrivateKey, machine: str, now: datetime) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "harness lab"),
            # At most 64 characters (RFC 5280).
            x509.NameAttribute(NameOID.COMMON_NAME, f"authority of {machine}"[:64]),
        ]
    )
    return (
        _builder(name, name, key, now, now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _new_certificate(
    key: ec.EllipticCurvePrivateKey,
    machine: str,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, machine)])
    until = min(now + MACHINE_LIFE, authority.not_valid_after_utc)
    both_roles = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(name, authority.subject, key, now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(both_roles, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(machine)]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_new(folder: Path, files: Mapping[str, bytes]) -> None:
    """All of ``files`` or, where one cannot be written, none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written: list[Path] = []
    with _removed_on_failure(written):
        for name, content in files.items():
            _write(folder / name, content, written)


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` beside what is there first, then put them in its place."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written: list[Path] = []
    with _removed_on_failure(written):
        incoming = {name: folder / f".incoming-{os.getpid()}-{name}" for name in files}
        for name, content in files.items():
            _write(incoming[name], content, written)
        for name, path in incoming.items():
            path.replace(folder / name)


def _write(path: Path, content: bytes, written: list[Path]) -> None:
    mode = 0o600 if path.name.endswith("-key.pem") else 0o644
    as_it_is = getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | as_it_is, mode)
    written.append(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _removed_on_failure(written: list[Path]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise
