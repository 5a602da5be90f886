"""The reports of a store, for the index of the history: only those are read that are new or changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from harness.core.report import RunReport
from harness.errors import HarnessError, StoreError
from harness.store.history_index import History, history_of
from harness.store.remote.run_store import RunStore
from harness.wire.strict_json import LARGEST_DOCUMENT_BYTES, explain, parse_object


class ReportsAtStore:
    """Those of the runs and baselines of a store."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._sizes: dict[str, int] = {}

    def marks(self) -> dict[str, str]:
        found = self._store.reports()
        self._sizes = {name: size_bytes for name, (size_bytes, _) in found.items()}
        return {name: mark for name, (_, mark) in found.items()}

    def read(self, names: Sequence[str]) -> Iterator[RunReport | HarnessError]:
        """Each as it is parsed; several are under way at once."""
        data: dict[str, bytes | HarnessError] = {}

        def bring(name: str) -> None:
            # One that was taken away meanwhile, or is far too large, keeps no other from being read.
            try:
                data[name] = self._bytes(name)
            except HarnessError as error:
                if self._store.place.size(name) is not None:
                    raise
                data[name] = error

        self._store.place.each(bring, [name for name in names if self._sizes[name] <= LARGEST_DOCUMENT_BYTES])
        for name in names:
            yield self._report(name, data.pop(name, None))

    def _bytes(self, name: str) -> bytes:
        return self._store.place.read(name, 0, self._sizes[name])

    def _report(self, name: str, data: bytes | HarnessError | None) -> RunReport | HarnessError:
        if isinstance(data, HarnessError):
            return data
        if data is None:
            return self._unread(f"larger than {LARGEST_DOCUMENT_BYTES} bytes")
        try:
            parse_object(data)
            return RunReport.model_validate_json(data)
        except ValidationError as problem:
            return self._unread(explain(problem))
        except ValueError as problem:
            return self._unread(f"not valid JSON: {problem}")

    def _unread(self, problem: str) -> StoreError:
        return StoreError(problem, where=str(self._store), next_step="Send the run again: harness push RUN.")


def store_history(store: RunStore, cache: Path) -> History:
    """The history of a store; what was read of it before is kept below ``cache``.

    Raises:
        StoreError: the store cannot be reached, or there is none.
        RunError: the index is held by another program for too long.
    """
    if not store.check():
        raise StoreError(
            "there is no store of runs",
            where=str(store),
            next_step="Check the address, or send a run there, which makes it one: harness push RUN --store STORE.",
        )
    folder = cache / "stores" / store.place.address.key
    folder.mkdir(parents=True, exist_ok=True)
    return history_of(ReportsAtStore(store), folder / "history.sqlite")
