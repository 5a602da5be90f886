"""Addresses of stores: what they name, and that no secret of theirs is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.store.remote.address import StoreAddress, is_url, run_in_store
from harness.store.remote.place import StorePlace


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/lab", True),
        ("memory://lab", True),
        ("file:///mnt/lab", True),
        ("lab", False),
        ("/mnt/lab", False),
        ("C://lab", False),
        (r"C:\lab", False),
        ("baseline:demo", False),
    ],
)
def test_what_is_a_url(text: str, expected: bool) -> None:
    assert is_url(text) is expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/lab/", "s3://bucket/lab"),
        ("file:///mnt/lab", "file:///mnt/lab"),
        ("memory://lab", "memory://lab"),
        ("webdav://ann:hunter2@host:80/lab", "webdav://***@host:80/lab"),
        ("https://hunter2@host/lab", "https://***@host/lab"),
        ("https://host/lab?sig=hunter2&se=1#hunter2", "https://host/lab?***#***"),
        ("abfs://photos@account.dfs.example/lab", "abfs://photos@account.dfs.example/lab"),
        ("abfs://photos:hunter2@account.dfs.example/lab", "abfs://***@account.dfs.example/lab"),
        ("sftp://ann:hunt%40er2@host/lab", "sftp://***@host/lab"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    address = StoreAddress.parse(url)
    assert str(address) == shown
    assert "hunter2" not in repr(address)


@pytest.mark.parametrize(
    "words",
    [
        "cannot reach webdav://ann:hunt%40er2@host/lab?sig=to%2Fken&x=1",
        "401 for ann:hunt%40er2",
        "user 'ann' with 'hunt@er2' is refused",
        "GET /lab?sig=to%2Fken&x=1: 403",
        "token to/ken has expired",
    ],
)
def test_a_drivers_words_are_shown_without_them(words: str) -> None:
    address = StoreAddress.parse("webdav://ann:hunt%40er2@host/lab?sig=to%2Fken&x=1")
    shown = address.without_secrets(words)
    assert "***" in shown
    assert not any(secret in shown for secret in ("hunt%40er2", "hunt@er2", "to%2Fken", "to/ken"))


def test_who_asks_has_no_part_in_what_is_kept_of_a_store() -> None:
    keys = {
        StoreAddress.parse(url).key
        for url in ("webdav://ann:a@host/lab", "webdav://bob:b@host/lab", "webdav://ann:c@host/lab/")
    }
    assert len(keys) == 1
    assert StoreAddress.parse("webdav://host/other").key not in keys


@pytest.mark.parametrize(
    ("text", "store", "name"),
    [
        ("s3://bucket/lab/RUN", "s3://bucket/lab", "RUN"),
        ("s3://bucket/RUN/", "s3://bucket", "RUN"),
        ("memory://RUN.1", None, ""),
        ("/mnt/lab/RUN.1", "/mnt/lab", "RUN.1"),
        ("lab/RUN", "lab", "RUN"),
        ("https://host/lab/RUN?sig=1", "https://host/lab?sig=1", "RUN"),
        ("s3://bucket", None, ""),
        ("s3://bucket/..", None, ""),
        ("s3://bucket/lab/.", None, ""),
        ("s3://bucket/lab/%2e%2e", None, ""),
        ("s3://bucket/lab/a\\b", None, ""),
        ("s3://bucket/lab/con", None, ""),
        ("simplecache::s3://bucket/lab/RUN", None, ""),
    ],
)
def test_a_run_in_a_store(text: str, store: str | None, name: str) -> None:
    if store is None:
        with pytest.raises(UsageError):
            run_in_store(text)
    else:
        address, found = run_in_store(text)
        assert (address.url, found) == (store, name)


@pytest.mark.parametrize(
    ("url", "problem", "next_step"),
    [
        ("gs://bucket/lab", "the driver for gs:// is not installed", "pip install gcsfs"),
        ("webdav://ann:hunter2@host/lab", "the driver for webdav:// is not installed", "pip install webdav4"),
        ("nosuch://lab", "nosuch", "docs/store.md"),
    ],
)
def test_a_driver_that_is_not_here_is_named(url: str, problem: str, next_step: str) -> None:
    with pytest.raises(UsageError) as raised:
        StorePlace(StoreAddress.parse(url))
    assert problem in raised.value.problem
    assert next_step in raised.value.next_step
    assert "hunter2" not in f"{raised.value} {raised.value.next_step}"
    assert raised.value.__cause__ is None and raised.value.__suppress_context__


def test_an_absent_s3_driver_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def missing(url: str, **options: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "url_to_fs", missing)
    with pytest.raises(UsageError) as raised:
        StorePlace(StoreAddress.parse("s3://bucket/lab"))
    assert "s3fs" in raised.value.next_step and "[s3]" in raised.value.next_step


@pytest.mark.parametrize("text", ["", " ", "simplecache::s3://bucket"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        StoreAddress.parse(text)


def test_a_folder_is_the_same_store_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert StoreAddress.parse("lab").key == StoreAddress.parse(f"{tmp_path}/lab/").key
