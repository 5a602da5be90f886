"""The phone's log: what processes print, kept for a while and handed on as it comes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

_KEPT_LINES = 2000
_WAITING_LINES = 10_000


@dataclass(frozen=True)
class LogLine:
    """One line, and which process wrote it."""

    process: str
    pid: int
    message: str
    image: str = ""
    unix_ns: int = field(default_factory=time.time_ns)


class SystemLog:
    """An append-only log with any number of followers, none of which can hold the phone up."""

    def __init__(self) -> None:
        self._lines: deque[LogLine] = deque(maxlen=_KEPT_LINES)
        self._followers: set[asyncio.Queue[LogLine]] = set()

    def write(self, process: str, pid: int, message: str, *, image: str = "") -> None:
        """Add a line; ``image`` is the library that wrote it, where it is not the process itself."""
        line = LogLine(process, pid, message, image or process)
        self._lines.append(line)
        for follower in self._followers:
            # A client that does not read loses lines, as it does on a phone.
            if not follower.full():
                follower.put_nowait(line)

    def lines(self) -> list[LogLine]:
        return list(self._lines)

    async def follow(self) -> AsyncGenerator[LogLine, None]:
        """Every line from now on; ends only by being closed."""
        queue: asyncio.Queue[LogLine] = asyncio.Queue(_WAITING_LINES)
        self._followers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._followers.discard(queue)
