"""Where a cluster's scheduler is, and whether the way there is encrypted.

TLS is the rule. Plain TCP is for this machine alone: whoever reaches a scheduler without TLS can have its workers do
what the harness does, so beyond loopback it takes a person's explicit word.
"""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from harness.core.value import Value
from harness.errors import UsageError

DEFAULT_PORT = 8786
LONGEST_ADDRESS = 300
_EXAMPLES = "Write HOST, HOST:PORT, tls://HOST:PORT or tcp://127.0.0.1:PORT; IPv6 in brackets: [::1]:8786."
# A name of DNS (RFC 1123), and the underscore that some networks have.
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?"
)
_SPLIT = re.compile(r"(?:\[(?P<bracketed>[^\[\]]*)\]|(?P<host>[^\[\]:/@]*))(?::(?P<port>.*))?")


class Scheme(StrEnum):
    """How bytes travel to the scheduler and between the workers."""

    TLS = "tls"
    TCP = "tcp"


class ClusterAddress(Value):
    """One scheduler. ``host`` is a name or an IP address, IPv6 without brackets; port 0 is any free one, to listen on.

    ``str(address)`` is what Dask takes.
    """

    scheme: Scheme
    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=0, le=65_535)] = DEFAULT_PORT

    @property
    def is_loopback(self) -> bool:
        return _is_loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_cluster_address(text: str, *, has_certificates: bool, is_insecure: bool = False) -> ClusterAddress:
    """The scheduler that ``text`` names: ``host``, ``host:8786``, ``tls://host:port``, ``tcp://127.0.0.1``, ``[::1]``.

    Where it names no scheme: TLS, but plain TCP on loopback when this machine has no certificates, and wherever
    ``is_insecure`` asks for it.

    Raises:
        UsageError: it is no address, or plain TCP would leave this machine and ``is_insecure`` does not ask for it.
    """
    if len(text) > LONGEST_ADDRESS or not text.isprintable():
        raise _no_address(text, "is too long or holds control characters")
    before, separator, rest = text.strip().rpartition("://")
    scheme = _scheme(before, text) if separator else None
    host, port = _host_and_port(rest.removesuffix("/"), text)
    if scheme is None:
        is_plain = is_insecure or (_is_loopback(host) and not has_certificates)
        scheme = Scheme.TCP if is_plain else Scheme.TLS
    elif scheme is Scheme.TLS and is_insecure:
        raise UsageError(
            "tls:// and --insecure contradict each other",
            where=text,
            next_step="Leave --insecure out, or name the address without tls://.",
        )
    address = ClusterAddress(scheme=scheme, host=host, port=port)
    if scheme is Scheme.TCP and not is_insecure and not address.is_loopback:
        raise UsageError(
            "beyond this machine plain TCP would let anyone on the network use the cluster and read what it sends",
            where=text,
            next_step=f"Use tls://{str(address).removeprefix('tcp://')} with certificates (harness certificates make), "
            "or insist where the network is yours alone: --insecure.",
        )
    return address


def _scheme(before: str, text: str) -> Scheme:
    try:
        return Scheme(before.lower())
    except ValueError:
        is_page = before.lower() in ("http", "https")
        hint = " (that is the scheduler's dashboard)" if is_page else ""
        raise _no_address(text, f"has no scheme of a scheduler: {before!r}{hint}") from None


def _host_and_port(rest: str, text: str) -> tuple[str, int]:
    if _ip(rest) is not None:
        # An IPv6 address without brackets has no port.
        return rest, DEFAULT_PORT
    found = _SPLIT.fullmatch(rest)
    if found is None:
        raise _no_address(text, "is no host and port")
    host = found["host"] if found["bracketed"] is None else found["bracketed"]
    if not host:
        raise UsageError(
            "names no host",
            where=text or "the cluster's address",
            next_step="Name the scheduler's machine; a scheduler that listens on all its networks is 0.0.0.0.",
        )
    is_v6 = isinstance(_ip(host), ipaddress.IPv6Address)
    if (found["bracketed"] is not None) is not is_v6 or not (is_v6 or _HOST_NAME.fullmatch(host)):
        raise _no_address(text, f"has no host: {host!r}")
    port = found["port"]
    if port is None:
        return host, DEFAULT_PORT
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:
        raise _no_address(text, f"has no port: {port!r}")
    return host, int(port)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    """By what is written alone: no name is looked up."""
    address = _ip(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return host.lower().rstrip(".") == "localhost" if address is None else address.is_loopback


def _no_address(text: str, problem: str) -> UsageError:
    shown = text if len(text) <= 80 else text[:80] + "…"
    return UsageError(
        f"{shown if shown.isprintable() else ascii(shown)} {problem}",
        where="the cluster's address",
        next_step=_EXAMPLES,
    )
