"""What a person names on the command line as a run, made a folder of this machine: the only place that asks a store.

A URL, or a folder that is a store, is ``STORE/RUN``. A name that is no run here is looked for at the store of
``HARNESS_STORE``. Everything else stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.places import cache_folder, runs_folder, store_address
from harness.errors import UsageError
from harness.store.remote.address import StoreAddress, is_url, run_in_store

if TYPE_CHECKING:
    from harness.store.need import Need
    from harness.store.remote.run_store import RunStore

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NAMED_OTHERWISE = ("baseline:", "release:")


@dataclass(frozen=True)
class _AtStore:
    store: StoreAddress
    name: str


def local_run(text: str, runs: Path, need: Need | None = None) -> Path:
    """The folder of the run that ``text`` names; what is ``need``ed of it (none: all) is fetched from its store.

    Raises:
        HarnessError: it is at a store that cannot be used or has no such run.
    """
    found = _at_store(text, runs)
    return Path(text) if found is None else _fetched(found, need)


def local_side(text: str, runs: Path, need: Need | None = None) -> str:
    """The same of ``RUN`` or ``RUN:VARIANT``, which it stays."""
    if text.startswith(_NAMED_OTHERWISE) or Path(text).exists():
        return text
    run, colon, variant = _without_variant(text)
    found = _at_store(run, runs)
    return text if found is None else f"{_fetched(found, need)}{colon}{variant}"


class StoredSides:
    """The sides of a comparison by what they are called at a store: RUN, ``baseline:NAME``, ``release:NAME``."""

    def __init__(self, store: RunStore, need: Need) -> None:
        self._store = store
        self._need = need

    def local(self, text: str) -> str:
        """What ``text`` names as a folder or a file of this machine, each with ``:VARIANT`` or without.

        Raises:
            HarnessError: the store cannot be used, or has no such run, baseline or release.
        """
        if is_url(text) or Path(text).exists():
            return text
        kind, colon, named = text.partition(":")
        if f"{kind}:" not in _NAMED_OTHERWISE:
            return f"{self._run(kind)}{colon}{named}"
        name, colon, variant = named.partition(":")
        return f"{self._baseline(name) if kind == 'baseline' else self._release(name)}{colon}{variant}"

    def _run(self, name: str) -> Path:
        return _fetched(_AtStore(self._store.place.address, name), self._need)

    def _baseline(self, name: str) -> Path:
        from harness.store.baselines import find_baseline
        from harness.store.remote.baselines import fetch_baselines

        return find_baseline(fetch_baselines(self._store, cache_folder()), name).path

    def _release(self, name: str) -> Path:
        from harness.store.remote.reports import store_history

        points = store_history(self._store, cache_folder()).points
        of_release = [point for point in points if point.release == name]
        if not of_release:
            known = sorted({point.release for point in points if point.release})
            raise UsageError(
                f"there is no run of a release {name!r}",
                where=str(self._store),
                next_step=f"Choose one of {', '.join(known)}."
                if known
                else "Name releases: harness run SUITE --release NAME.",
            )
        return self._run(max(of_release, key=lambda point: point.created_unix_ns).run_id)


def refuse_copy(folder: Path) -> None:
    """
    Raises:
        UsageError: it is what was fetched of a run at a store, which a run cannot go on in.
    """
    if (cache_folder() / "stores").resolve() in folder.resolve().parents:
        raise UsageError(
            "is a copy of what was needed of a run at a store",
            where=str(folder),
            next_step=f"Bring the whole run: harness pull {folder.name} --store STORE, and resume that.",
        )


def open_store(text: str) -> RunStore:
    """The store at a URL or in a folder."""
    from harness.store.remote.run_store import RunStore

    return RunStore.at(StoreAddress.parse(text))


def store_of_runs(runs: str | None) -> RunStore | None:
    """The store that ``--runs`` or ``HARNESS_RUNS`` names; ``None``: they name a folder that runs are made in."""
    from harness.store.remote.run_store import is_store_folder

    if runs is not None and is_url(runs):
        return open_store(runs)
    folder = runs_folder(Path(runs) if runs else None)
    return open_store(str(folder)) if is_store_folder(folder) else None


def _without_variant(text: str) -> tuple[str, str, str]:
    folder, slash, name = text.rpartition("/")
    run, colon, variant = name.partition(":")
    return f"{folder}{slash}{run}", colon, variant


def _at_store(text: str, runs: Path) -> _AtStore | None:
    from harness.store.remote.run_store import is_store_folder
    from harness.store.run_folder import find_folder

    if is_url(text):
        return _AtStore(*run_in_store(text))
    if find_folder(Path(text), runs).exists():
        return None
    if is_store_folder(Path(text).parent):
        return _AtStore(*run_in_store(text))
    if (address := store_address(None)) and _NAME.fullmatch(text):
        return _AtStore(StoreAddress.parse(address), text)
    return None


def _fetched(found: _AtStore, need: Need | None) -> Path:
    from harness.cli.transfer_progress import TransferProgress
    from harness.store.need import Need
    from harness.store.remote.fetch import fetch_run
    from harness.store.remote.run_store import RunStore

    with TransferProgress(f"Fetching {found.name}") as progress:
        return fetch_run(found.name, RunStore.at(found.store), cache_folder(), need or Need.WHOLE, progress)
