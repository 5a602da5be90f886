"""The certificates of one machine of a lab: read, and checked before anything is sent by them.

    ca.pem           the lab's authority; the same on all its machines
    machine.pem      this machine's certificate, issued by that authority
    machine-key.pem  its private key; nobody else may read it
    ca-key.pem       the authority's private key, only where certificates are issued

In Dask's TLS both sides show a certificate and check that the other's is the authority's; host names are not compared.
So to hold a certificate of the authority is to belong to the lab.
"""

from __future__ import annotations

import stat
import sys
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from harness.core.value import Value
from harness.errors import InputError

AUTHORITY = "ca.pem"
AUTHORITY_KEY = "ca-key.pem"
MACHINE = "machine.pem"
MACHINE_KEY = "machine-key.pem"
LARGEST_BYTES = 64 * 1024
WARNED_AHEAD = timedelta(days=30)

_ISSUE = (
    "Have one issued where the lab's authority is: harness certificates issue NAME; then copy the files here."
)
_NEW_AUTHORITY = (
    "Make a new authority in a new folder (harness certificates make FOLDER), and issue all anew."
)
_NOT_X509 = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class CertificateInfo(Value):
    """What a person is told of a certificate; the fingerprint is its SHA-256."""

    name: str
    fingerprint: str
    valid_from: datetime
    valid_until: datetime

    def problem_at(self, now: datetime) -> str | None:
        """Why the certificate is of no use at ``now``; ``None`` where it is valid."""
        if now > self.valid_until:
            return f"ended on {self.valid_until:%Y-%m-%d}"
        if now < self.valid_from:
            return f"is valid only from {self.valid_from:%Y-%m-%d %H:%M} UTC on"
        return None


class MachineCertificates(Value):
    """The certificates of a folder that are fit for use, by ``read_certificates``."""

    folder: Path
    authority: CertificateInfo
    machine: CertificateInfo
    can_issue: bool

    @property
    def authority_file(self) -> Path:
        return self.folder / AUTHORITY

    @property
    def machine_file(self) -> Path:
        return self.folder / MACHINE

    @property
    def key_file(self) -> Path:
        return self.folder / MACHINE_KEY

    def warnings_at(self, now: datetime) -> tuple[str, ...]:
        """What ends within 30 days, and what to do about it."""
        said = []
        for info, path, advice in (
            (self.machine, self.machine_file, _renewal(self.machine.name, self.folder)),
            (self.authority, self.authority_file, _NEW_AUTHORITY),
        ):
            left = info.valid_until - now
            if left <= WARNED_AHEAD:
                said.append(f"{path} ends in {left.days} days, on {info.valid_until:%Y-%m-%d}. {advice}")
        return tuple(said)


def has_certificates(folder: Path) -> bool:
    """Whether this machine was given a certificate, whatever its state."""
    return (folder / MACHINE).exists()


def read_certificates(folder: Path, now: datetime) -> MachineCertificates:
    """The certificates in ``folder``, each of them valid at ``now``, and all of one piece.

    Raises:
        InputError: one is missing, no certificate, not valid now or of another authority; the key does not fit, or
            others may read it.
    """
    if not folder.is_dir():
        raise InputError(
            "there are no certificates of a lab",
            where=str(folder),
            next_step="Make the lab's authority, on one machine: harness certificates make. On all others: "
            + _ISSUE,
        )
    _refuse_writable_by_others(folder)
    authority = read_authority(folder, now)
    machine = read_valid(folder / MACHINE, now)
    _refuse_another_authority(machine, authority, folder / MACHINE)
    read_key(folder / MACHINE_KEY, machine)
    can_issue = (folder / AUTHORITY_KEY).exists()
    if can_issue:
        _refuse_readable_by_others(folder / AUTHORITY_KEY)
    return MachineCertificates(
        folder=folder,
        authority=describe(authority),
        machine=describe(machine),
        can_issue=can_issue,
    )


def read_certificate(path: Path) -> x509.Certificate:
    """The one certificate in ``path``, whatever its dates.

    Raises:
        InputError: it is missing, or not one certificate.
    """
    _refuse_writable_by_others(path)
    try:
        found = x509.load_pem_x509_certificates(_bytes(path))
        if len(found) != 1:
            raise InputError(f"holds {len(found)} certificates, not one", where=str(path), next_step=_ISSUE)
        # A damaged one may fail only here.
        found[0].public_key()
        describe(found[0])
    except _NOT_X509:
        raise InputError("is no certificate (X.509, PEM)", where=str(path), next_step=_ISSUE) from None
    return found[0]


def read_authority(folder: Path, now: datetime) -> x509.Certificate:
    """The authority in ``folder``, which is valid at ``now``.

    Raises:
        InputError: see ``read_valid``; also where it is a certificate that may issue none, or is not signed by itself.
    """
    authority = read_valid(folder / AUTHORITY, now)
    try:
        # Neither Dask nor OpenSSL checks a root's own signature: a damaged one is found here or never.
        authority.verify_directly_issued_by(authority)
        if not authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise ValueError
    except (*_NOT_X509, x509.ExtensionNotFound):
        raise InputError(
            f"{describe(authority).name} is damaged, or no authority that stands by itself",
            where=str(folder / AUTHORITY),
            next_step=_ISSUE,
        ) from None
    return authority


def read_valid(path: Path, now: datetime) -> x509.Certificate:
    """The certificate in ``path``, which is valid at ``now``.

    Raises:
        InputError: see ``read_certificate``; also where it has ended or not begun.
    """
    certificate = read_certificate(path)
    info = describe(certificate)
    problem = info.problem_at(now)
    if problem is None:
        return certificate
    next_step = _renewal(info.name, path.parent)
    if now < info.valid_from:
        next_step = f"Set this machine's clock, which says {now:%Y-%m-%d %H:%M} UTC, or have it issued anew."
    elif path.name == AUTHORITY:
        next_step = _NEW_AUTHORITY
    raise InputError(f"the certificate of {info.name} {problem}", where=str(path), next_step=next_step)


def read_key(path: Path, certificate: x509.Certificate) -> PrivateKeyTypes:
    """The private key of ``certificate``.

    Raises:
        InputError: it is missing, no key or another one, or others may read it.
    """
    key_bytes = _bytes(path)
    _refuse_readable_by_others(path)
    try:
        key = load_pem_private_key(key_bytes, password=None)
        fits = _public_bytes(key) == _public_bytes(certificate)
    except _NOT_X509:
        problem = (
            "is encrypted, and Dask cannot ask for a password"
            if b"ENCRYPTED" in key_bytes
            else "is no private key"
        )
        raise InputError(problem, where=str(path), next_step=_ISSUE) from None
    if not fits:
        name = describe(certificate).name
        raise InputError(f"does not fit the certificate of {name}", where=str(path), next_step=_ISSUE)
    return key


def describe(certificate: x509.Certificate) -> CertificateInfo:
    """Its name, fingerprint and dates. A name may hold anything: what cannot be printed is replaced."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if names else certificate.subject.rfc4514_string() or "nobody"
    return CertificateInfo(
        name="".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
    )


def _refuse_another_authority(machine: x509.Certificate, authority: x509.Certificate, path: Path) -> None:
    try:
        machine.verify_directly_issued_by(authority)
    except _NOT_X509:
        raise InputError(
            f"the certificate of {describe(machine).name} was not issued by the authority in {AUTHORITY}",
            where=str(path),
            next_step=f"Copy {AUTHORITY}, {MACHINE} and {MACHINE_KEY} from one 'harness certificates issue' together.",
        ) from None


def _renewal(name: str, folder: Path) -> str:
    if (folder / AUTHORITY_KEY).exists():
        return f"Renew it: harness certificates issue {name} --to {folder} --replace."
    return f"Have it renewed where the lab's authority is: harness certificates issue {name}; then copy the files here."


def _public_bytes(holder: PrivateKeyTypes | x509.Certificate) -> bytes:
    return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        problem = "is no file" if path.exists() else "is missing"
        raise InputError(problem, where=str(path), next_step=_ISSUE)
    with path.open("rb") as file:
        found = file.read(LARGEST_BYTES + 1)
    if len(found) > LARGEST_BYTES:
        raise InputError("is too large for a certificate or key", where=str(path), next_step=_ISSUE)
    return found


def _refuse_readable_by_others(key_file: Path) -> None:
    if sys.platform != "win32" and (mode := stat.S_IMODE(key_file.stat().st_mode)) & 0o077:
        raise InputError(
            f"others may read this private key (mode {mode:04o})",
            where=str(key_file),
            next_step=f"Keep it to yourself: chmod 600 {key_file}. If others had it, make a new authority.",
        )


def _refuse_writable_by_others(path: Path) -> None:
    """Who can put another authority there can let anybody in."""
    if sys.platform != "win32" and path.exists() and path.stat().st_mode & stat.S_IWOTH:
        raise InputError(
            "anybody on this machine may write to it",
            where=str(path),
            next_step=f"Forbid it: chmod o-w {path}.",
        )
