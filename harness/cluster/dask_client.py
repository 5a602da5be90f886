"""Dask's client, opened within a limit of time and closed without fuss."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from harness.errors import TargetError

if TYPE_CHECKING:
    from distributed import Client, Security


def open_client(address: str, security: Security | None, timeout_s: float) -> Client:
    """Dask's client of the scheduler at ``address``.

    Raises:
        TargetError: the scheduler does not answer within ``timeout_s``.
    """
    import dask
    from distributed import Client

    from harness.cluster.settings import CLIENT_SETTINGS

    try:
        asyncio.run(_greet(address, security, timeout_s))
        with dask.config.set(CLIENT_SETTINGS):
            return Client(
                address, security=security, timeout=timeout_s, set_as_default=False, direct_to_workers=True
            )
    except TimeoutError:
        problem = f"what listens there does not answer as a scheduler does within {timeout_s:g} s"
    except (OSError, ValueError, RuntimeError) as error:
        problem = f"no scheduler answers: {_first_line(error)}"
    except Exception as error:
        # What is no scheduler may say anything; its first bytes are read as the length of a message.
        problem = f"what listens there does not answer as a scheduler does: {type(error).__name__}"
    raise TargetError(
        problem,
        where=address,
        next_step="Start one: harness scheduler. If it runs, find what stands between: harness doctor --cluster "
        f"{address}.",
    )


async def _greet(address: str, security: Security | None, timeout_s: float) -> None:
    """Try whether a scheduler answers: Dask's client waits without end for the first word of what is none."""
    from distributed.comm.core import connect

    options: dict[str, Any] = security.get_connection_args("client") if security is not None else {}

    async def greet() -> None:
        connection = await connect(address, timeout=timeout_s, **options)
        connection.abort()

    # Later than Dask's own limit, which knows better what went wrong.
    await asyncio.wait_for(greet(), timeout_s + 1.0)


def close_client(client: Client) -> None:
    """Close it, whatever state it is in."""
    with suppress(Exception):
        client.close(timeout=2)


def _first_line(problem: BaseException) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:200]
