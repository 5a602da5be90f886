from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.core.variants import Form, Granularity, Recipe
from harness.variants.cache import CacheEntry, VariantCache, cache_key

KEY = "a" * 64
PARTS = {
    "source_sha256": "0" * 64,
    "form": Form(recipe=Recipe.INT8),
    "calibration_sha256": "1" * 64,
    "tools": {"t": "1.0"},
}


def put(cache: VariantCache, file: Path, key: str = KEY) -> CacheEntry:
    return cache.put(
        key, Form(recipe=Recipe.FLOAT16), file, compressed_bytes=7, duration_s=1.5, tools={"t": "1.0"}
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"weights" * 100)
    return path


def test_what_was_put_is_found(cache: VariantCache, file: Path) -> None:
    assert cache.find(KEY) is None
    entry = put(cache, file)
    assert cache.find(KEY) == entry
    assert cache.path(entry).read_bytes() == file.read_bytes()
    assert cache.find("b" * 64) is None


@pytest.mark.parametrize("meta", [b"", b"{", b"[]", b'{"version": 2}', b"\xff\xfe"])
def test_a_half_written_record_is_not_found(cache: VariantCache, file: Path, meta: bytes) -> None:
    put(cache, file)
    (cache.root / "variants" / KEY / "meta.json").write_bytes(meta)
    assert cache.find(KEY) is None


def test_a_record_under_another_key_is_not_found(cache: VariantCache, file: Path) -> None:
    put(cache, file)
    (cache.root / "variants" / KEY).rename(cache.root / "variants" / ("b" * 64))
    assert cache.find("b" * 64) is None


@pytest.mark.parametrize("content", [b"", b"weights" * 99, b"Weights" + b"weights" * 99])
def test_a_model_that_was_cut_off_or_changed_is_removed(
    cache: VariantCache, file: Path, content: bytes
) -> None:
    blob = cache.path(put(cache, file))
    blob.chmod(0o644)
    blob.write_bytes(content)
    assert cache.find(KEY) is None
    assert not blob.exists()
    assert cache.find(KEY) is None
    assert put(cache, file) == cache.find(KEY)


def test_several_writers_leave_one_good_entry_and_no_rests(cache: VariantCache, file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda _: put(cache, file), range(40)))
    assert cache.find(KEY) == entries[0]
    assert [path.name for path in (cache.root / "variants" / KEY).iterdir()] == ["meta.json"]
    assert len(list((cache.root / "blobs").iterdir())) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"source_sha256": "2" * 64},
        {"form": Form(recipe=Recipe.INT16X8)},
        {"form": Form(recipe=Recipe.INT8, keep_float=("a",))},
        {"form": Form(recipe=Recipe.INT8, granularity=Granularity.TENSOR)},
        {"calibration_sha256": "2" * 64},
        {"tools": {"t": "1.1"}},
    ],
)
def test_the_key_depends_on_all_that_decides_the_bytes(change: dict[str, object]) -> None:
    assert cache_key(**{**PARTS, **change}) != cache_key(**PARTS)  # type: ignore[arg-type]


def test_the_key_depends_on_calibration_only_where_it_is_used() -> None:
    keys = {
        cache_key(source_sha256="0" * 64, form=Form(recipe=Recipe.FLOAT16), calibration_sha256=each, tools={})
        for each in (None, "1" * 64)
    }
    assert len(keys) == 1
