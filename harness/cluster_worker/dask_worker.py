"""Dask's worker, less what would let others run code on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from distributed import Status, Worker

from harness.cluster.messages import AnyNote
from harness.cluster_worker.requests import Requests

if TYPE_CHECKING:
    from distributed import Security

# Of what Dask's worker answers: its data, its own health, and an end.
_HANDLERS: Final = frozenset(
    {"free_keys", "gather", "get_data", "identity", "keys", "ping", "terminate", "update_data", "versions"}
)
_AT_WORK: Final = frozenset({"executing", "long-running"})
_FURTHER_THREADS: Final = 4
"""For parts of blobs, which need no device, while the devices are at work."""


class HarnessWorker(Worker):
    """Announces ``resources``, and answers requests of the harness's wire format and nothing else.

    Its tasks are calls of ``harness.cluster.entry.perform``: other functions are refused while they are unpickled
    (``harness.cluster.unpickling``).
    """

    def __init__(
        self,
        scheduler: str,
        *,
        name: str,
        resources: dict[str, float],
        requests: Requests,
        security: Security | None,
        host: str | None,
        ports: tuple[int, int] | None,
        local_directory: str,
    ) -> None:
        super().__init__(
            scheduler,
            name=name,
            nthreads=int(sum(resources.values())) + _FURTHER_THREADS,
            resources=resources,
            security=security,
            host=host,
            port=f"{ports[0]}:{ports[1]}" if ports else 0,
            dashboard=False,
            local_directory=local_directory,
            memory_limit=0,
            extensions={},
        )
        self._requests = requests
        for refused in self.handlers.keys() - _HANDLERS:
            del self.handlers[refused]

    def start_http_server(self, *arguments: object, **further: object) -> None:
        """None: Dask's has no TLS, and lets anybody in."""

    def perform(self, request: bytes, parts: tuple[bytes, ...], key: str) -> tuple[bytes, ...]:
        """See ``harness.cluster.entry``."""
        return self._requests.answer(
            request, self.contact_address or self.address, parts, lambda: self._is_wanted(key), self._publish
        )

    def _is_wanted(self, key: str) -> bool:
        """Whether somebody still waits for the task; asked from its own thread."""
        task = self.state.tasks.get(key)
        return self.status is Status.running and task is not None and task.state in _AT_WORK

    def _publish(self, topic: str, note: AnyNote) -> None:
        self.log_event(f"harness-{topic}", note.model_dump_json(exclude_none=True))
