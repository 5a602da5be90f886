from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from harness.core.preprocessing import Preprocessing
from harness.core.workload import OutputKind, Task
from harness.errors import WorkloadError
from harness.wire.blobs import BlobStore
from harness.workloads import decoding
from harness.workloads.images import CalibrationSpec, ImageWorkloadSpec, load_images
from harness.workloads.loaded import LoadedWorkload
from harness.workloads.preprocess import preprocess

SavePhoto = Callable[..., Path]

PREPROCESSING = Preprocessing(size=(8, 8), mean=(127.0,), scale=(128.0,))


def spec(*inputs: Path, **fields: Any) -> ImageWorkloadSpec:
    return ImageWorkloadSpec(
        inputs=tuple(str(path) for path in inputs), **{"preprocessing": PREPROCESSING, **fields}
    )


def records(loaded: LoadedWorkload, store: BlobStore) -> np.ndarray:
    workload = loaded.workload
    data = np.frombuffer(store.path(workload.records).read_bytes(), np.uint8)
    return data.reshape(len(workload.inputs), *workload.encoding.shape)


def calibration(loaded: LoadedWorkload, store: BlobStore) -> np.ndarray:
    assert loaded.workload.calibration is not None
    array: np.ndarray = np.load(
        io.BytesIO(store.path(loaded.workload.calibration).read_bytes()), allow_pickle=False
    )
    return array


@pytest.fixture
def photos(save_photo: SavePhoto) -> Path:
    for seed, name in enumerate(["b.png", "a.png", "c.png", "d.png"]):
        save_photo(name, seed)
    return save_photo("b.png", 0).parent


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: bytes, file: str) -> None:
        raise AssertionError(f"{file} was decoded again")

    monkeypatch.setattr(decoding, "decode_photo", fail)


def test_one_view_is_the_photo_by_its_preprocessing(photos: Path, store: BlobStore) -> None:
    loaded = load_images(spec(photos), store)
    workload = loaded.workload
    assert workload.task is Task.IMAGE_CLASSIFICATION
    assert [item.name for item in workload.inputs] == ["a.png", "b.png", "c.png", "d.png"]
    assert [item.group for item in workload.inputs] == ["a.png", "b.png", "c.png", "d.png"]
    assert workload.inputs[0].file == str(photos / "a.png")
    assert workload.encoding == PREPROCESSING.encoding
    assert loaded.skipped == ()
    for index, name in enumerate(["a.png", "b.png", "c.png", "d.png"]):
        expected = preprocess(Image.open(photos / name), PREPROCESSING)
        np.testing.assert_array_equal(records(loaded, store)[index], expected)
    store.verify(workload.records)


def test_views_share_a_group_and_only_the_first_has_truth(
    photos: Path, store: BlobStore, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    (tmp_path / "truth.csv").write_text("file,label\nb.png,dog\na.png,0\n")
    loaded = load_images(
        spec(
            photos,
            views=3,
            labels=str(tmp_path / "labels.txt"),
            truth=str(tmp_path / "truth.csv"),
            output_kind=OutputKind.LOGITS,
            tensor="image",
        ),
        store,
    )
    found = [(item.name, item.group, item.truth) for item in loaded.workload.inputs[:7]]
    assert found == [
        ("a.png#00", "a.png", 0),
        ("a.png#01", "a.png", None),
        ("a.png#02", "a.png", None),
        ("b.png#00", "b.png", 1),
        ("b.png#01", "b.png", None),
        ("b.png#02", "b.png", None),
        ("c.png#00", "c.png", None),
    ]
    assert loaded.workload.labels == ("cat", "dog")
    assert loaded.workload.output_kind is OutputKind.LOGITS
    assert loaded.workload.tensor == "image"
    pixels = records(loaded, store)
    assert len({record.tobytes() for record in pixels}) == 12
    whole = load_images(spec(photos), store)
    np.testing.assert_array_equal(pixels[::3], records(whole, store))


def test_a_photo_keeps_its_views_whatever_stands_beside_it(
    photos: Path, store: BlobStore, save_photo: SavePhoto
) -> None:
    before = records(load_images(spec(photos, views=4), store), store)
    (photos / "a.png").rename(photos / "z.png")
    save_photo("0.png", 99)
    after = records(load_images(spec(photos, views=4), store), store)
    np.testing.assert_array_equal(after[4:16], before[4:16])
    np.testing.assert_array_equal(after[16:20], before[0:4])


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_threads_and_repeats_change_nothing(photos: Path, tmp_path: Path, threads: int) -> None:
    (photos / "broken.png").write_bytes(b"x")
    one, many = (
        load_images(
            spec(photos, views=5, calibration=CalibrationSpec(hold_out=1)),
            BlobStore(tmp_path / name),
            threads=count,
        )
        for name, count in (("one", 1), ("many", threads))
    )
    assert one == many


def test_the_seed_changes_views_only(photos: Path, store: BlobStore) -> None:
    zero, one = (records(load_images(spec(photos, views=2, seed=seed), store), store) for seed in (0, 1))
    np.testing.assert_array_equal(zero[::2], one[::2])
    assert (zero[1::2] != one[1::2]).any()


def test_the_second_load_decodes_nothing(
    photos: Path, store: BlobStore, request: pytest.FixtureRequest
) -> None:
    wanted = spec(photos, views=3, calibration=CalibrationSpec(hold_out=1, views=2))
    (photos / "broken.png").write_bytes(b"no image")
    first = load_images(wanted, store)
    request.getfixturevalue("no_decoding")
    assert load_images(wanted, store) == first
    assert len(first.skipped) == 1


@pytest.mark.parametrize("change", ["photo", "views", "size", "labels", "lost blob", "broken entry"])
def test_what_changed_is_loaded_anew(photos: Path, store: BlobStore, tmp_path: Path, change: str) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\ndog\n")
    wanted = spec(photos, labels=str(labels))
    first = load_images(wanted, store)
    decoded: list[int] = []
    if change == "photo":
        Image.new("RGB", (9, 9), "red").save(photos / "a.png")
    elif change == "views":
        wanted = spec(photos, labels=str(labels), views=2)
    elif change == "size":
        other = Preprocessing(size=(4, 4), mean=(127.0,), scale=(128.0,))
        wanted = spec(photos, labels=str(labels), preprocessing=other)
    elif change == "labels":
        labels.write_text("cat\nwolf\n")
    elif change == "lost blob":
        store.path(first.workload.records).unlink()
    else:
        for entry in (store.root / "workloads").iterdir():
            entry.write_text('{"workload": {}}')
    again = load_images(wanted, store, lambda done, total: decoded.append(done))
    assert decoded == [1, 2, 3, 4]
    assert store.has(again.workload.records)
    assert (again == first) == (change in ("lost blob", "broken entry"))


def test_unreadable_photos_are_listed_and_the_rest_goes_on(photos: Path, store: BlobStore) -> None:
    whole = (photos / "b.png").read_bytes()
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "text.jpg").write_text("this is text")
    (photos / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (photos / "copy.png").write_bytes(whole)
    progress: list[tuple[int, int]] = []
    loaded = load_images(spec(photos), store, lambda done, total: progress.append((done, total)))
    assert [item.name for item in loaded.workload.inputs] == ["a.png", "b.png", "c.png", "d.png"]
    reasons = {Path(item.file).name: item.reason for item in loaded.skipped}
    assert set(reasons) == {"empty.jpg", "text.jpg", "truncated.png", "copy.png"}
    assert reasons["empty.jpg"] == "the file is empty"
    assert reasons["text.jpg"] == "not an image of a known format"
    assert reasons["truncated.png"].startswith("truncated or corrupt")
    assert reasons["copy.png"] == "the same bytes as b.png"
    assert progress == [(done, 7) for done in range(1, 8)]


def test_truth_may_name_a_photo_that_turns_out_unreadable(
    photos: Path, store: BlobStore, tmp_path: Path
) -> None:
    (photos / "broken.png").write_bytes(b"no image")
    (photos / "copy.png").write_bytes((photos / "b.png").read_bytes())
    (tmp_path / "truth.csv").write_text("file,label\nbroken.png,1\ncopy.png,1\na.png,2\n")
    loaded = load_images(spec(photos, truth=str(tmp_path / "truth.csv")), store)
    assert [item.truth for item in loaded.workload.inputs] == [2, None, None, None]


def test_no_readable_photo_is_an_error_that_lists_them(tmp_path: Path, store: BlobStore) -> None:
    for index in range(7):
        (tmp_path / f"{index}.jpg").write_text(f"text {index}")
    with pytest.raises(WorkloadError, match=r"0\.jpg: not an image.*and 2 more"):
        load_images(spec(tmp_path), store)
    assert not (store.root / "workloads").exists()


def test_calibration_photos_are_normalized_as_the_models_input(
    photos: Path, store: BlobStore, save_photo: SavePhoto
) -> None:
    other = save_photo("../calibration/x.png", 50)
    (other.parent / "broken.png").write_bytes(b"no image")
    loaded = load_images(
        spec(photos, calibration=CalibrationSpec(inputs=(str(other.parent),), views=2)), store
    )
    assert [item.name for item in loaded.workload.inputs] == ["a.png", "b.png", "c.png", "d.png"]
    assert loaded.workload.calibration_count == 2
    assert [Path(item.file).name for item in loaded.skipped] == ["broken.png"]
    array = calibration(loaded, store)
    assert array.dtype == np.dtype("<f4")
    assert array.shape == (2, 8, 8, 3)
    pixels = preprocess(Image.open(other), PREPROCESSING).astype(np.float32)
    np.testing.assert_array_equal(array[0], (pixels - np.float32(127)) / np.float32(128))
    assert (array[0] != array[1]).any()


def test_calibrating_on_evaluated_photos_is_refused(photos: Path, store: BlobStore, tmp_path: Path) -> None:
    copy = tmp_path / "calibration" / "renamed.png"
    copy.parent.mkdir()
    copy.write_bytes((photos / "c.png").read_bytes())
    with pytest.raises(WorkloadError, match=r"same bytes as the evaluated c\.png") as caught:
        load_images(spec(photos, calibration=CalibrationSpec(inputs=(str(copy.parent),))), store)
    assert caught.value.where == str(copy)


def test_held_out_photos_leave_the_evaluation(photos: Path, store: BlobStore) -> None:
    (photos / "broken.png").write_bytes(b"no image")
    everything = load_images(spec(photos), store)
    held_out = load_images(spec(photos, calibration=CalibrationSpec(hold_out=3)), store)
    assert held_out.workload.calibration_count == 3
    assert len(held_out.workload.inputs) == 1
    assert [Path(item.file).name for item in held_out.skipped] == ["broken.png"]
    encoding = PREPROCESSING.encoding
    evaluated = records(everything, store).astype(np.float32)
    normalized = (evaluated - np.float32(encoding.mean[0])) / np.float32(encoding.scale[0])
    calibrated = {record.tobytes() for record in calibration(held_out, store)}
    assert len(calibrated) == 3
    left = records(held_out, store)
    assert calibrated == {
        record.tobytes()
        for record, pixels in zip(normalized, records(everything, store), strict=True)
        if (pixels != left[0]).any()
    }


@pytest.mark.parametrize("hold_out", [4, 5])
def test_holding_out_everything_is_refused(photos: Path, store: BlobStore, hold_out: int) -> None:
    with pytest.raises(WorkloadError, match=f"{hold_out} photos cannot be held out.*4 are readable"):
        load_images(spec(photos, calibration=CalibrationSpec(hold_out=hold_out)), store)


def test_no_readable_calibration_photo(photos: Path, store: BlobStore, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("text")
    with pytest.raises(WorkloadError, match="no photo can be read") as caught:
        load_images(spec(photos, calibration=CalibrationSpec(inputs=(str(bad),))), store)
    assert caught.value.where == "calibration"


@pytest.mark.parametrize(
    "fields", [{}, {"hold_out": 1, "inputs": ("x",)}, {"hold_out": -1}, {"hold_out": 1, "views": 0}]
)
def test_a_calibration_that_makes_no_sense(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CalibrationSpec(**fields)


def test_a_photo_that_changes_between_hashing_and_decoding_is_skipped(
    photos: Path, store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchanged = decoding._read

    def rewrite_first(original: Any) -> bytes:
        if original.name == "c.png":
            original.path.write_bytes(b"other")
        return unchanged(original)

    monkeypatch.setattr(decoding, "_read", rewrite_first)
    loaded = load_images(spec(photos), store)
    assert [(Path(item.file).name, item.reason) for item in loaded.skipped] == [
        ("c.png", "the file changed while the workload was read")
    ]
