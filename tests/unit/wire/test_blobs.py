from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.core.jobs import Blob
from harness.errors import InputError, WireError
from harness.wire.blobs import CHUNK_BYTES, BlobStore


def files_below(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def corrupt(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_blob_is_a_read_only_file_named_by_its_hash(tmp_path: Path) -> None:
    blob = BlobStore(tmp_path).put_bytes(b"abc")
    # sha256("abc"), FIPS 180-2 appendix B.1
    assert blob.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert blob.bytes == 3
    path = tmp_path / "blobs" / blob.sha256
    assert path.read_bytes() == b"abc"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert files_below(tmp_path) == [blob.sha256]


def test_a_file_longer_than_one_chunk_is_stored_whole(tmp_path: Path) -> None:
    data = os.urandom(2 * CHUNK_BYTES + 17)
    (tmp_path / "source").write_bytes(data)
    store = BlobStore(tmp_path / "root")
    blob = store.put_file(tmp_path / "source")
    assert blob == Blob(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    assert store.path(blob).read_bytes() == data


def test_sizes_of_wide_memoryviews_are_counted_in_bytes(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    blob = store.put_bytes(memoryview(b"12345678").cast("i"))
    assert blob.bytes == 8
    assert store.has(blob)


def test_the_same_bytes_are_kept_once_and_not_rewritten(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    first = store.put_bytes(b"same")
    inode = store.path(first).stat().st_ino
    assert store.put_chunks([b"sa", b"me"]) == first
    assert store.path(first).stat().st_ino == inode
    assert files_below(tmp_path) == [first.sha256]


def test_a_cut_off_blob_is_not_there_and_is_replaced(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    blob = store.put_bytes(b"whole")
    corrupt(store.path(blob), b"wh")
    assert not store.has(blob)
    with pytest.raises(WireError, match="2 bytes instead of 5"):
        store.verify(blob)
    store.put_bytes(b"whole")
    store.verify(blob)


def test_verify_sees_changed_bytes_of_the_same_size(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    blob = store.put_bytes(b"whole")
    store.verify(blob)
    corrupt(store.path(blob), b"whale")
    assert store.has(blob)
    with pytest.raises(WireError, match="do not match"):
        store.verify(blob)


def test_a_directory_in_the_place_of_a_blob_is_not_a_blob(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    blob = Blob(sha256="0" * 64, bytes=4096)
    store.path(blob).mkdir(parents=True)
    assert not store.has(blob)


def test_a_failing_source_leaves_nothing_behind(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"begin"
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        BlobStore(tmp_path).put_chunks(chunks())
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("kind", ["missing", "directory"])
def test_put_file_names_a_source_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    source = tmp_path / kind
    if kind == "directory":
        source.mkdir()
    with pytest.raises(InputError) as caught:
        BlobStore(tmp_path / "root").put_file(source)
    assert caught.value.where == str(source)
    assert files_below(tmp_path / "root") == []


def test_link_into_shares_the_file(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "a")
    blob = store.put_bytes(b"shared")
    target = store.link_into(blob, tmp_path / "b")
    assert target == tmp_path / "b" / "blobs" / blob.sha256
    assert target.samefile(store.path(blob))
    assert store.link_into(blob, tmp_path / "b") == target
    assert [path.name for path in (tmp_path / "b" / "blobs").iterdir()] == [blob.sha256]


def test_link_into_copies_where_links_are_impossible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(source: object, target: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    store = BlobStore(tmp_path / "a")
    blob = store.put_bytes(b"copied")
    monkeypatch.setattr(os, "link", no_link)
    target = store.link_into(blob, tmp_path / "b")
    assert not target.samefile(store.path(blob))
    assert target.read_bytes() == b"copied"
    assert [path.name for path in (tmp_path / "b" / "blobs").iterdir()] == [blob.sha256]

    corrupt(store.path(blob), b"kopied")
    with pytest.raises(WireError, match="do not match"):
        store.link_into(blob, tmp_path / "c")
    assert not (tmp_path / "c" / "blobs" / blob.sha256).exists()


def test_link_into_replaces_a_cut_off_file_at_the_target(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "a")
    blob = store.put_bytes(b"shared")
    (tmp_path / "b" / "blobs").mkdir(parents=True)
    (tmp_path / "b" / "blobs" / blob.sha256).write_bytes(b"sha")
    assert store.link_into(blob, tmp_path / "b").read_bytes() == b"shared"


def test_link_into_says_what_is_missing(tmp_path: Path) -> None:
    blob = Blob(sha256="a" * 64, bytes=3)
    with pytest.raises(WireError, match="the blob is missing") as caught:
        BlobStore(tmp_path / "a").link_into(blob, tmp_path / "b")
    assert "a" * 64 in str(caught.value.where)


def test_many_writers_of_the_same_bytes_agree(tmp_path: Path) -> None:
    data = os.urandom(CHUNK_BYTES + 1)
    with ThreadPoolExecutor(8) as pool:
        blobs = set(pool.map(lambda _: BlobStore(tmp_path).put_bytes(data), range(16)))
    assert len(blobs) == 1
    assert files_below(tmp_path) == [blobs.pop().sha256]
