"""A worker's blobs and sessions: parts that come twice, in disorder or damaged; what is removed and what is kept."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from harness.cluster.messages import ReceivePart
from harness.cluster_worker.storage import WorkerStorage
from harness.core.jobs import Blob
from harness.errors import WireError
from harness.targets.run_token import run_token
from harness.wire.blobs import BlobStore

TOKEN = "0" * 32
DATA = bytes(range(256)) * 4


@pytest.fixture
def storage(tmp_path: Path) -> WorkerStorage:
    return WorkerStorage(tmp_path / "worker")


@pytest.fixture
def blob(tmp_path: Path) -> Blob:
    return BlobStore(tmp_path / "other").put_bytes(DATA)


def part(blob: Blob, first_byte: int, transfer: str = "1" * 32) -> ReceivePart:
    return ReceivePart(blob=blob, transfer=transfer, first_byte=first_byte)


def test_parts_make_a_blob(storage: WorkerStorage, blob: Blob) -> None:
    storage.receive(part(blob, 0), DATA[:400])
    assert not storage.blobs.has(blob)
    storage.receive(part(blob, 400), DATA[400:])
    assert storage.blobs.path(blob).read_bytes() == DATA


def test_a_part_that_is_given_again_counts_once(storage: WorkerStorage, blob: Blob) -> None:
    storage.receive(part(blob, 0), DATA[:400])
    storage.receive(part(blob, 0), DATA[:400])
    storage.receive(part(blob, 400), DATA[400:])
    # The answer to the last part was lost.
    storage.receive(part(blob, 400), DATA[400:])
    assert storage.blobs.path(blob).read_bytes() == DATA


def test_two_transfers_of_one_blob(storage: WorkerStorage, blob: Blob) -> None:
    storage.receive(part(blob, 0), DATA[:400])
    storage.receive(part(blob, 0, "2" * 32), DATA)
    storage.receive(part(blob, 400), DATA[400:])
    assert storage.blobs.path(blob).read_bytes() == DATA


@pytest.mark.parametrize(("first_byte", "data"), [(400, DATA[400:]), (0, DATA + b"x"), (1000, DATA[:100])])
def test_a_part_that_does_not_fit_is_refused(
    storage: WorkerStorage, blob: Blob, first_byte: int, data: bytes
) -> None:
    with pytest.raises(WireError, match="does not follow"):
        storage.receive(part(blob, first_byte), data)
    assert not storage.blobs.has(blob)


def test_bytes_that_are_not_what_the_name_says(storage: WorkerStorage, blob: Blob) -> None:
    with pytest.raises(WireError, match="not what the blob's name says"):
        storage.receive(part(blob, 0), DATA[::-1])
    assert not storage.blobs.has(blob)
    assert list(storage.blobs.folder.iterdir()) == []
    storage.receive(part(blob, 0), DATA)
    assert storage.blobs.has(blob)


def test_a_session_has_the_runs_token_and_what_it_lacks(storage: WorkerStorage, blob: Blob) -> None:
    root = storage.session(TOKEN)
    assert run_token(root) == TOKEN
    assert storage.lacking(root, [blob]) == (blob,)
    storage.receive(part(blob, 0), DATA)
    assert storage.lacking(root, [blob]) == ()
    assert BlobStore(root).path(blob).read_bytes() == DATA
    storage.forget(root, [blob])
    assert storage.lacking(root, [blob]) == (blob,)


def test_old_sessions_and_the_least_used_blobs_go(storage: WorkerStorage) -> None:
    old, new = storage.session(TOKEN), storage.session("1" * 32)
    os.utime(old, (time.time() - 1000, time.time() - 1000))
    blobs = [storage.blobs.put_bytes(bytes([number]) * 100) for number in range(3)]
    for age_s, blob in zip((300, 100, 200), blobs, strict=True):
        os.utime(storage.blobs.path(blob), (time.time() - age_s, time.time() - age_s))
    # Used again, it is the most recent one.
    assert storage.lacking(new, [blobs[0]]) == ()
    storage.tidy(kept_bytes=250, kept_s=500)
    assert not old.exists() and new.is_dir()
    assert [storage.blobs.has(blob) for blob in blobs] == [True, True, False]


def test_only_results_leave_the_folder_of_a_job(storage: WorkerStorage, tmp_path: Path) -> None:
    folder = storage.session(TOKEN) / "jobs" / "r00-a"
    folder.mkdir(parents=True)
    for name in ("events.jsonl", "outputs.bin", "job.json", "outcome.json", ".hidden.json", "a.txt"):
        (folder / name).write_bytes(b"xyz")
    (folder / "linked.bin").symlink_to(tmp_path)
    root = storage.session(TOKEN)
    assert [file.name for file in storage.results(root, "r00-a")] == ["events.jsonl", "outputs.bin"]
    assert storage.read_part(root, "r00-a", "outputs.bin", 1, 9) == b"yz"
    with pytest.raises(WireError, match="cannot be read"):
        storage.read_part(root, "r00-b", "outputs.bin", 0, 1)
