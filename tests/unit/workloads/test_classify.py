from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.core.preprocessing import Preprocessing
from harness.errors import UsageError, WorkloadError
from harness.wire.blobs import BlobStore
from harness.workloads.classify import classify
from harness.workloads.images import ImageWorkloadSpec

SavePhoto = Callable[..., Path]

MODEL = Path(__file__).parents[3] / "fixtures" / "tiny" / "image_float32.tflite"
PREPROCESSING = Preprocessing(size=(8, 8), mean=(127.5,), scale=(127.5,))


@pytest.fixture
def photos(save_photo: SavePhoto) -> Path:
    folder = save_photo("b.png", 1).parent
    save_photo("a.png", 2)
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


def labels(tmp_path: Path, count: int) -> str:
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"kind {index}\n" for index in range(count)))
    return str(path)


def test_the_best_labels_of_each_photo(photos: Path, store: BlobStore, tmp_path: Path) -> None:
    spec = ImageWorkloadSpec(inputs=(str(photos),), preprocessing=PREPROCESSING, labels=labels(tmp_path, 10))
    result = classify(MODEL, "tflite", spec, store, top=3)
    assert [photo.name for photo in result.photos] == ["a.png", "b.png"]
    assert [Path(item.file).name for item in result.skipped] == ["broken.jpg"]
    everything = classify(MODEL, "tflite", spec, store, top=99)
    for photo, whole in zip(result.photos, everything.photos, strict=True):
        assert photo.best == whole.best[:3]
        assert [scored.label for scored in photo.best] == [f"kind {scored.index}" for scored in photo.best]
        scores = [scored.score for scored in whole.best]
        assert scores == sorted(scores, reverse=True)
        assert sorted(scored.index for scored in whole.best) == list(range(10))
        assert np.isclose(sum(scores), 1.0, atol=1e-6)
    assert result.photos[0].best != result.photos[1].best


def test_classes_are_numbered_without_labels(photos: Path, store: BlobStore) -> None:
    spec = ImageWorkloadSpec(inputs=(str(photos),), preprocessing=PREPROCESSING)
    best = classify(MODEL, "tflite", spec, store, top=1).photos[0].best[0]
    assert best.label == f"class {best.index}"


def test_labels_of_another_model(photos: Path, store: BlobStore, tmp_path: Path) -> None:
    spec = ImageWorkloadSpec(inputs=(str(photos),), preprocessing=PREPROCESSING, labels=labels(tmp_path, 9))
    with pytest.raises(WorkloadError, match="9 labels for 10 outputs"):
        classify(MODEL, "tflite", spec, store)


def test_no_labels_wanted(photos: Path, store: BlobStore) -> None:
    spec = ImageWorkloadSpec(inputs=(str(photos),), preprocessing=PREPROCESSING)
    with pytest.raises(UsageError, match="top is 0"):
        classify(MODEL, "tflite", spec, store, top=0)
