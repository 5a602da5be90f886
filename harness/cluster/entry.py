"""The one function that the harness ever asks a worker to call."""

from __future__ import annotations

from typing import Protocol, cast


class Performer(Protocol):
    """A worker that answers requests."""

    def perform(self, request: bytes, parts: tuple[bytes, ...], key: str) -> tuple[bytes, ...]: ...


def perform(request: bytes, *parts: bytes) -> tuple[bytes, ...]:
    """Answer ``request`` (JSON, ``messages.AnyRequest``) with bytes beside it, on a worker of the harness.

    Returns an answer (JSON, ``messages.AnyAnswer``) and the bytes beside it.
    """
    from distributed import get_worker

    worker = get_worker()
    performer = cast(Performer, worker)
    return performer.perform(request, parts, str(worker.get_current_task()))
