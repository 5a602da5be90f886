"""Send a run to a store: bytes first, then the list of its files, its report last."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.core.jobs import Blob
from harness.core.stored_run import StoredFile, StoredRun, is_storable
from harness.errors import RunError, StoreError
from harness.store.group_folder import GroupFolder, open_run
from harness.store.remote.run_store import RunStore, blob_name
from harness.store.remote.transfer import Meter, Transfer, Untold
from harness.wire.blobs import blob_of

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REPORTS = ("report.json", "group_report.json")


@dataclass(frozen=True)
class Pushed:
    """What was sent. ``left_out``: files with names that other systems cannot have."""

    run_id: str
    sent_files: int
    sent_bytes: int
    total_bytes: int
    left_out: tuple[str, ...]


def push_run(run: Path, store: RunStore, transfer: Transfer | None = None) -> Pushed:
    """Send the run or the group of runs in the folder ``run``, finished or not. What is there is not sent again.

    Cut off at any point it leaves nothing that counts as a run, and can be done again; several may send at once.

    Raises:
        RunError: there is no run, it is damaged, or a harness works on it.
        StoreError: the store cannot be reached or refuses; or it holds another run of that name, or this one finished.
    """
    transfer = transfer or Untold()
    folder = open_run(run, run.parent)
    with ExitStack() as held:
        for one in folder.runs() if isinstance(folder, GroupFolder) else (folder,):
            held.enter_context(one.locked())
        store.make()
        names, left_out = _names(run)
        files = tuple(StoredFile(path=name, blob=_checked_blob(run / name)) for name in names)
        stored = StoredRun(run_id=run.name, files=files)
        _refuse_to_lose(stored, store)
        blobs = {file.blob.sha256: file for file in files}
        missing = _missing(list(blobs.values()), store)
        transfer.begins(sum(file.blob.bytes for file in missing), len(missing))
        _send(run, missing, store, transfer)
        _finish(run, stored, store)
    return Pushed(
        run_id=run.name,
        sent_files=len(missing),
        sent_bytes=sum(file.blob.bytes for file in missing),
        total_bytes=sum(file.blob.bytes for file in blobs.values()),
        left_out=left_out,
    )


def _names(run: Path) -> tuple[list[str], tuple[str, ...]]:
    """Of the run's files, and of those that cannot be kept. Hidden ones are locks and what was not written whole."""
    kept: list[str] = []
    left_out: list[str] = []
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run)
        if any(part.startswith(".") for part in name.parts) or path.is_symlink() or not path.is_file():
            continue
        if _is_of_this_machine(path):
            continue
        (kept if is_storable(name.as_posix()) else left_out).append(name.as_posix())
    return kept, tuple(left_out)


def _is_of_this_machine(path: Path) -> bool:
    """What a runner made of a model here, and what it found out about a blob: made anew elsewhere."""
    folder = path.parent.name
    return folder == "weight-caches" or (folder == "blobs" and not _SHA256.fullmatch(path.name))


def _checked_blob(path: Path) -> Blob:
    blob = blob_of(path)
    if path.parent.name == "blobs" and path.name != blob.sha256:
        raise RunError(
            "the bytes do not match the name of the blob",
            where=str(path),
            next_step="The run folder is damaged: run the suite again.",
        )
    return blob


def _refuse_to_lose(stored: StoredRun, store: RunStore) -> None:
    """What is at the store under this name must be this run, and not be further than it."""
    there = store.find(stored.run_id)
    if there is None:
        return
    for plan in ("plan.json", "group.json"):
        theirs, ours = there.find(plan), stored.find(plan)
        if (theirs and theirs.blob) != (ours and ours.blob):
            raise StoreError(
                f"another run called {stored.run_id} is there",
                where=str(store),
                next_step="Send this one to another store, or under another name: rename its folder.",
            )
    if there.has_report and not stored.has_report:
        raise StoreError(
            f"{stored.run_id} is there with its report, and here it is unfinished",
            where=str(store),
            next_step=f"Bring it from there into another folder: harness pull {stored.run_id} --runs FOLDER.",
        )


def _missing(files: list[StoredFile], store: RunStore) -> list[StoredFile]:
    """Those whose bytes are not at the store, each once."""
    missing: list[StoredFile] = []

    def ask(file: StoredFile) -> None:
        if store.place.size(blob_name(file.blob)) != file.blob.bytes:
            missing.append(file)

    store.place.each(ask, files)
    return sorted(missing, key=lambda file: file.path)


def _send(run: Path, files: list[StoredFile], store: RunStore, transfer: Transfer) -> None:
    meter = Meter(transfer)

    def send(file: StoredFile) -> None:
        told = 0

        def advance(by_bytes: int) -> None:
            nonlocal told
            told += by_bytes
            meter.advance(by_bytes)

        meter.advance(0)
        store.place.send(run / file.path, blob_name(file.blob), advance)
        # Some drivers tell nothing on the way.
        meter.advance(file.blob.bytes - told)

    store.place.each(send, files, meter.stop)


def _finish(run: Path, stored: StoredRun, store: RunStore) -> None:
    """With the list the run is there; with its report, the last of all, the history knows it."""
    folder = f"runs/{stored.run_id}"
    store.place.write(f"{folder}/files.json", stored.model_dump_json().encode())
    for report in _reports(stored):
        store.place.write(f"{folder}/{report}", (run / report).read_bytes())


def _reports(stored: StoredRun) -> Iterator[str]:
    """Those of the devices first, the run's own last."""
    found = [file.path for file in stored.files if file.path.rpartition("/")[2] in _REPORTS]
    yield from sorted(found, key=lambda path: (-path.count("/"), path))
