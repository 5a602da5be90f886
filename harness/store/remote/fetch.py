"""Bring a run from a store: only what is needed, every byte checked, nothing outside of the run's folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from harness.core.jobs import Blob
from harness.core.stored_run import StoredFile, StoredRun
from harness.errors import RunError, StoreError
from harness.store.group_folder import GroupFolder, is_group, open_run
from harness.store.need import Need
from harness.store.remote.run_store import RunStore, blob_name
from harness.store.remote.transfer import Meter, Transfer, Untold
from harness.store.run_folder import RunFolder
from harness.wire.blobs import BlobStore, blob_of
from harness.wire.job_folder import job_folder, read_job

_STAGING = ".pulling"


def fetch_run(
    name: str, store: RunStore, cache: Path, need: Need = Need.WHOLE, transfer: Transfer | None = None
) -> Path:
    """The folder of the run below ``cache``, with what is needed of it as it is at the store now.

    ``name`` may be a device's run of a group. What an earlier call brought is not brought again.

    Raises:
        StoreError: the store cannot be reached, has no such run, or what it has is not what it says.
    """
    stored, inside = _find(name, store)
    folder = cache / "stores" / store.place.address.key / stored.run_id
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        _bring(stored, store, folder, BlobStore(cache), need, transfer or Untold())
    return folder / inside


def pull_run(name: str, store: RunStore, runs: Path, cache: Path, transfer: Transfer | None = None) -> Path:
    """The whole run, in a folder of its own in ``runs``, where it appears complete or not at all.

    Raises:
        StoreError: as ``fetch_run``.
        RunError: a run of that name is in ``runs`` and differs from the store's.
    """
    stored, _ = _find(name, store)
    folder = runs / stored.run_id
    if folder.exists():
        _refuse_differing(stored, folder, store)
        return folder
    staged = runs / _STAGING / stored.run_id
    staged.mkdir(parents=True, exist_ok=True)
    with FileLock(staged.with_name(f".{staged.name}.lock")):
        _bring(stored, store, staged, BlobStore(cache), Need.WHOLE, transfer or Untold())
        staged.rename(folder)
    return folder


def _find(name: str, store: RunStore) -> tuple[StoredRun, str]:
    """The list of the run's files, and where in its folder the named run is."""
    if (found := store.find(name)) is not None:
        return found, ""
    group, dot, _ = name.rpartition(".")
    inside = f"devices/{name}"
    if dot and (found := store.find(group)) is not None and found.find(f"{inside}/plan.json"):
        return found, inside
    raise StoreError(
        f"there is no run {name}",
        where=str(store),
        next_step=f"List those that are there: harness history --table 5 --runs {store}",
    )


def _refuse_differing(stored: StoredRun, folder: Path, store: RunStore) -> None:
    for file in stored.files:
        if not _is_here(folder / file.path, file.blob):
            raise RunError(
                f"is here already, and its {file.path} is not that of {store}",
                where=str(folder),
                next_step="Send yours (harness push RUN), or bring the other into another folder (--runs FOLDER).",
            )


def _is_here(path: Path, blob: Blob) -> bool:
    is_of_that_size = path.is_file() and not path.is_symlink() and path.stat().st_size == blob.bytes
    return is_of_that_size and blob_of(path) == blob


def _bring(
    stored: StoredRun, store: RunStore, folder: Path, kept: BlobStore, need: Need, transfer: Transfer
) -> None:
    """The files that are no blobs, then those blobs that they name as needed; models and inputs are kept for others."""
    records = [file for file in stored.files if not file.is_blob]
    missing = [file for file in records if not _is_here(folder / file.path, file.blob)]
    # The plan last: with it a folder counts as a run.
    plans = [file for file in missing if file.path.rpartition("/")[2] in ("plan.json", "group.json")]
    others = [file for file in missing if file not in plans]
    _refuse_without_room(sum(file.blob.bytes for file in missing), folder)
    meter = Meter(transfer)
    transfer.begins(sum(file.blob.bytes for file in missing), len(missing))

    def bring(file: StoredFile) -> None:
        _write(folder / file.path, _metered(store, file.blob, meter))

    store.place.each(bring, others, meter.stop)
    store.place.each(bring, plans, meter.stop)
    _check_name(folder, store)
    _bring_blobs(_wanted_blobs(stored, folder, need), store, folder, kept, transfer)


def _bring_blobs(
    files: list[StoredFile], store: RunStore, folder: Path, kept: BlobStore, transfer: Transfer
) -> None:
    missing = {file.blob.sha256: file.blob for file in files if not kept.has(file.blob)}
    total_bytes = sum(blob.bytes for blob in missing.values())
    _refuse_without_room(total_bytes, folder)
    meter = Meter(transfer)
    transfer.begins(total_bytes, len(missing))

    def bring(blob: Blob) -> None:
        kept.put_chunks(_metered(store, blob, meter))

    store.place.each(bring, list(missing.values()), meter.stop)
    # A device's run of a group has its own link.
    for file in files:
        kept.link_into(file.blob, (folder / file.path).parent.parent)


def _metered(store: RunStore, blob: Blob, meter: Meter) -> Iterator[bytes]:
    for chunk in store.chunks(blob_name(blob), blob):
        meter.advance(len(chunk))
        yield chunk


def _write(path: Path, chunks: Iterator[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".incoming-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.writelines(chunks)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_without_room(needed_bytes: int, folder: Path) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise StoreError(
            f"the run needs {needed_bytes} bytes more, and {free_bytes} are free",
            where=str(folder),
            next_step="Free some, or name another folder.",
        )


def _run_roots(folder: Path) -> tuple[RunFolder, ...]:
    found = open_run(folder, folder.parent)
    return found.runs() if isinstance(found, GroupFolder) else (found,)


def _check_name(folder: Path, store: RunStore) -> None:
    """
    Raises:
        StoreError: the plan is another run's.
        RunError, WireError: it is none, or of a newer harness.
    """
    names = {GroupFolder.open(folder).group().run_id: folder.name} if is_group(folder) else {}
    names |= {run.plan().run_id: run.path.name for run in _run_roots(folder)}
    for told, name in names.items():
        if told != name:
            raise StoreError(
                f"what is there as {name} is the run {told}",
                where=str(store),
                next_step="Send the run again from where it was made: harness push RUN.",
            )


def _wanted_blobs(stored: StoredRun, folder: Path, need: Need) -> list[StoredFile]:
    blobs = [file for file in stored.files if file.is_blob]
    if need is Need.WHOLE:
        return blobs
    wanted = {
        f"{run.path.relative_to(folder).as_posix()}/blobs/{blob.sha256}".removeprefix("./")
        for run in _run_roots(folder)
        for blob in _needed(run, need)
    }
    return [file for file in blobs if file.path in wanted]


def _needed(run: RunFolder, need: Need) -> Iterator[Blob]:
    if run.has_reference():
        yield run.reference().outputs
    if need is Need.PICTURES and run.has_schedule():
        for job in run.schedule():
            # A job that was never written has shown nothing yet.
            if (job_folder(run.path, job.job_id) / "job.json").is_file():
                for given in read_job(job_folder(run.path, job.job_id)).inputs:
                    yield given.blob
