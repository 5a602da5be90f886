"""A machine's certificates as Dask takes them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cluster.address import ClusterAddress, Scheme
from harness.cluster.certificate_files import read_certificates

if TYPE_CHECKING:
    from distributed import Security


def security_of(
    address: ClusterAddress,
    folder: Path,
    *,
    now: datetime | None = None,
    on_warning: Callable[[str], None] = lambda text: None,
) -> Security:
    """How client, scheduler and worker talk to the scheduler at ``address`` with the certificates in ``folder``.

    TLS 1.3 only, since both ends are the harness, and nothing from Dask's own configuration. ``on_warning`` hears of
    certificates that end soon.

    Raises:
        InputError: the address asks for TLS, and the certificates are not fit for it.
    """
    from distributed import Security

    if address.scheme is Scheme.TCP:
        return Security(require_encryption=False)
    now = now or datetime.now(UTC)
    certificates = read_certificates(folder, now)
    for warning in certificates.warnings_at(now):
        on_warning(warning)
    # Absolute: Dask opens them anew for each role, whatever the current folder is by then.
    certificate, key = (str(path.absolute()) for path in (certificates.machine_file, certificates.key_file))
    return Security(
        require_encryption=True,
        tls_min_version=ssl.TLSVersion.TLSv1_3,
        tls_max_version=None,
        tls_ciphers=None,
        tls_ca_file=str(certificates.authority_file.absolute()),
        tls_client_cert=certificate,
        tls_client_key=key,
        tls_scheduler_cert=certificate,
        tls_scheduler_key=key,
        tls_worker_cert=certificate,
        tls_worker_key=key,
    )
