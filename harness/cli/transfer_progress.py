"""How far a transfer to or from a store is, on the terminal; nothing where there is no terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class TransferProgress:
    """Implements ``harness.store.remote.transfer.Transfer``; gone from the terminal when it is done."""

    def __init__(self, what: str, console: Console | None = None) -> None:
        """``what``: what is moved where, such as ``Sending RUN``."""
        self._live = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._task = self._live.add_task(what, total=None)

    def __enter__(self) -> TransferProgress:
        if self._live.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Without a terminal it would print an empty line.
        if self._live.live.is_started:
            self._live.stop()

    def begins(self, total_bytes: int, files: int) -> None:
        del files
        self._live.reset(self._task, total=total_bytes)

    def advances(self, by_bytes: int) -> None:
        self._live.advance(self._task, by_bytes)
