"""Who is trusted: the phone's own key, and the hosts it has paired with."""

from __future__ import annotations

import functools
import plistlib
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_KEY_BITS = 2048


class InvalidPairRecordError(Exception):
    """A pair record that is not one: no certificates, or for another phone's key."""


@dataclass(frozen=True)
class Pairing:
    """A host that the phone trusts. Certificates are PEM."""

    host_id: str
    system_buid: str
    device_certificate: bytes
    host_certificate: bytes
    root_certificate: bytes


class Pairings:
    """The phone's key and its paired hosts, kept in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "pairings.plist"
        self._folder = folder
        self._pairings: dict[str, Pairing] = {}
        if self._file.exists():
            for record in plistlib.loads(self._file.read_bytes()):
                self._pairings[record["host_id"]] = Pairing(**record)

    @property
    def public_key_pem(self) -> bytes:
        """``DevicePublicKey``: a PKCS #1 public key in PEM."""
        key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)

    def find(self, host_id: object) -> Pairing | None:
        return self._pairings.get(host_id) if isinstance(host_id, str) else None

    def pair(self, record: Any) -> Pairing:
        """Trust the host of a client's pair record.

        Raises:
            InvalidPairRecordError: the record lacks something, or its device certificate is not for this phone.
        """
        try:
            pairing = Pairing(
                host_id=str(record["HostID"]),
                system_buid=str(record.get("SystemBUID", "")),
                device_certificate=bytes(record["DeviceCertificate"]),
                host_certificate=bytes(record["HostCertificate"]),
                root_certificate=bytes(record["RootCertificate"]),
            )
            # Refuses certificates that are none, and a device certificate for another key than the phone's.
            self.tls_context(pairing)
        except (KeyError, TypeError, ValueError, AttributeError, ssl.SSLError) as error:
            raise InvalidPairRecordError(str(error)) from error
        self._pairings[pairing.host_id] = pairing
        self._save()
        return pairing

    def unpair(self, host_id: object) -> bool:
        if not isinstance(host_id, str) or self._pairings.pop(host_id, None) is None:
            return False
        self._save()
        return True

    def forget_all(self) -> None:
        self._pairings.clear()
        self._save()

    def tls_context(self, pairing: Pairing) -> ssl.SSLContext:
        """The phone's end of a session with a paired host, whose client must show that it holds one of its two keys.

        pymobiledevice3 shows the host's certificate, libimobiledevice the root's. Both have empty names, so that
        trust rests on these two certificates themselves, not on a chain of names.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # What libimobiledevice builds uses SHA-1 and empty names here and there, as iOS accepts.
        context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        trusted = (pairing.root_certificate + b"\n" + pairing.host_certificate).decode("ascii")
        context.load_verify_locations(cadata=trusted)
        with tempfile.TemporaryDirectory() as folder:
            certificate = Path(folder) / "certificate.pem"
            certificate.write_bytes(pairing.device_certificate)
            context.load_cert_chain(certificate, self._key_file)
        return context

    @functools.cached_property
    def _key_file(self) -> Path:
        """The phone's private key, made when it is first asked for: that takes up to half a second."""
        file = self._folder / "device-key.pem"
        if not file.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            file.touch(mode=0o600)
            file.write_bytes(pem)
        return file

    def _save(self) -> None:
        self._file.write_bytes(plistlib.dumps([vars(pairing) for pairing in self._pairings.values()]))
