"""The clients of a server, each a task: known, so that the server's end is theirs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class ClientTasks:
    """Remembers the tasks that serve clients until they are done."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def serving(self, serve: Serve) -> Serve:
        """``serve`` for ``asyncio.start_server``, its tasks remembered."""

        async def remembered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            # asyncio writes a traceback where a client's task ends by being cancelled.
            with contextlib.suppress(asyncio.CancelledError):
                await serve(reader, writer)

        return remembered

    async def end(self, grace_s: float = 0.0) -> None:
        """Let clients finish for ``grace_s``, then end them."""
        if self._tasks and grace_s:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
