"""Every wait on a phone ends: by its answer or by its limit, which closes the connection.

Cancelling is not enough: an AFC operation that is cancelled while the phone is frozen waits on in its own clean-up
(measured). Only closing the transport ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from harness.targets.iphone.device.errors import translated
from harness.targets.iphone.trouble import PhoneTrouble, Trouble

T = TypeVar("T")
_GRACE_S = 1.0


async def within(
    limit_s: float, what: str, work: Awaitable[T], close: Callable[[], object] | None = None
) -> T:
    """What ``work`` returns, if it does within the limit; ``close`` ends its connection at once if it does not.

    Raises:
        PhoneTrouble: it failed, in the harness's own terms; ``SILENT`` where the phone did not answer in time.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=limit_s)
    except asyncio.CancelledError:
        await _end(task, close)
        raise
    if done:
        with translated(what):
            return task.result()
    await _end(task, close)
    raise PhoneTrouble(Trouble.SILENT, f"the phone did not answer within {limit_s:g} s ({what})")


async def _end(task: asyncio.Future[Any], close: Callable[[], object] | None) -> None:
    if close is not None:
        close()
    task.cancel()
    await asyncio.wait({task}, timeout=_GRACE_S)
    if task.done() and not task.cancelled():
        task.exception()


def abort(service: Any) -> None:
    """Close the transport under a service of pymobiledevice3, without a word to the phone."""
    connection = getattr(service, "_service", None) or service
    with suppress(Exception):
        connection.writer.transport.abort()
