"""What a lab consists of, as its scheduler and each of its workers say it, and how far the way to them goes."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.cluster.address import ClusterAddress, Scheme
from harness.cluster.dask_client import open_client
from harness.cluster.devices import Announced, announced_by
from harness.errors import TargetError

if TYPE_CHECKING:
    from distributed import Client, Security

_ANSWER_S: Final = 5.0
_LONGEST_TEXT: Final = 80
_FIREWALL: Final = (
    "Check the address, that the machine is on, and that no firewall on the way closes this port."
)


@dataclass(frozen=True)
class Member:
    """One Dask worker: a phone, or a machine's own cores and runner. ``host`` is its machine's name in the lab."""

    address: str
    host: str
    announced: tuple[Announced, ...]
    dask: str | None
    """The release of Dask's scheduler package there; ``None``: it cannot be reached from here."""


@dataclass(frozen=True)
class Survey:
    """``dask`` is the scheduler's release of Dask."""

    dask: str
    members: tuple[Member, ...]


def reach(address: ClusterAddress) -> None:
    """Try whether anything listens at ``address``.

    Raises:
        TargetError: nothing does, with what stands in the way.
    """
    with _connected(address):
        pass


def shake_hands(address: ClusterAddress, security: Security) -> str:
    """Try whether both ends know each other by certificates of one lab; the protocol that they speak.

    Raises:
        TargetError: they do not, with the reason.
    """
    if address.scheme is Scheme.TCP:
        return "plain TCP"
    context: ssl.SSLContext = security.get_connection_args("client")["ssl_context"]
    with _connected(address) as plain:
        try:
            with context.wrap_socket(plain) as secured:
                protocol = secured.version() or "TLS"
                # In TLS 1.3 the other end may refuse our certificate only now.
                secured.recv(1)
        except TimeoutError:
            raise TargetError(
                "it does not speak TLS, or is no scheduler",
                where=str(address),
                next_step="Start the scheduler where its certificates are, so that it says tls://: harness scheduler.",
            ) from None
        except ssl.SSLCertVerificationError:
            raise TargetError(
                "the scheduler's certificate is not of this lab's authority",
                where=str(address),
                next_step="Give both machines files of one 'harness certificates issue'; compare the fingerprints of "
                "ca.pem there and here: harness certificates show.",
            ) from None
        except (ssl.SSLError, OSError) as problem:
            raise TargetError(
                f"no TLS with it: {getattr(problem, 'reason', None) or problem}",
                where=str(address),
                next_step="See there: harness certificates show. Its authority must be this machine's, and the "
                "scheduler must say tls://.",
            ) from None
    return protocol


def survey(address: ClusterAddress, security: Security) -> Survey:
    """Ask the scheduler, and then each worker on a connection of its own.

    Raises:
        TargetError: the scheduler does not answer.
    """
    client = open_client(str(address), security, _ANSWER_S)
    try:
        answer: Survey = client.sync(_survey, client)
        return answer
    except (OSError, RuntimeError, TypeError, KeyError, ValueError) as problem:
        raise TargetError(
            f"the scheduler does not say what it has: {problem}"[:300],
            where=str(address),
            next_step="Start the scheduler with the same release of the harness: harness scheduler.",
        ) from None
    finally:
        client.close(timeout=2)


async def _survey(client: Client) -> Survey:
    scheduler: Any = client.scheduler
    workers: Mapping[str, Mapping[str, Any]] = (await scheduler.identity())["workers"]
    scheduler_dask = _dask_release(await scheduler.versions(packages=[])) or "of unknown release"
    releases = await asyncio.gather(*(_worker_release(client, address) for address in workers))
    return Survey(
        scheduler_dask,
        tuple(
            Member(
                address,
                _printable(str(its.get("name", "")).partition("/")[0] or address),
                announced_by({address: its}),
                dask,
            )
            for (address, its), dask in zip(workers.items(), releases, strict=True)
        ),
    )


async def _worker_release(client: Client, address: str) -> str | None:
    worker: Any = client.rpc(address)
    try:
        return _dask_release(await asyncio.wait_for(worker.versions(packages=[]), _ANSWER_S))
    except (OSError, RuntimeError, TypeError, ValueError, AttributeError):
        return None


def _dask_release(versions: Any) -> str | None:
    packages = versions.get("packages") if isinstance(versions, Mapping) else None
    release = packages.get("distributed") if isinstance(packages, Mapping) else None
    return _printable(release) if isinstance(release, str) else None


def _printable(text: str) -> str:
    """As far as it can be shown to a person: another machine said it."""
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:_LONGEST_TEXT]
    )


def _connected(address: ClusterAddress) -> socket.socket:
    try:
        return socket.create_connection((address.host, address.port), timeout=_ANSWER_S)
    except socket.gaierror:
        problem, next_step = f"no machine is called {address.host}", "Check its name, or give its IP address."
    except ConnectionRefusedError:
        problem = "nothing listens there"
        next_step = "Start the scheduler on that machine: harness scheduler."
    except TimeoutError:
        problem, next_step = f"it does not answer within {_ANSWER_S:g} s", _FIREWALL
    except OSError as error:
        problem, next_step = error.strerror or str(error), _FIREWALL
    raise TargetError(problem, where=str(address), next_step=next_step)
