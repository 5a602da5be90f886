"""Calibration samples that lie in a blob store: read when a conversion needs them, and then verified."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from harness.core.jobs import Blob
from harness.core.variants import Recipe, Variant
from harness.errors import WireError, WorkloadError
from harness.models.source import open_source
from harness.variants.builder import VariantSpec, build_variants
from harness.variants.cache import VariantCache
from harness.variants.calibration import CalibrationData

INT8 = [VariantSpec("int8", Recipe.INT8)]


def store(cache: VariantCache, samples: np.ndarray) -> Blob:
    file = io.BytesIO()
    np.save(file, samples, allow_pickle=False)
    return cache.blobs.put_bytes(file.getvalue())


def damage(path: Path) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_damaged_samples_are_not_calibrated_on(
    float32_tflite: Path, cache: VariantCache, calibration: CalibrationData
) -> None:
    blob = store(cache, calibration.open())
    damage(cache.blobs.path(blob))
    with pytest.raises(WireError, match="do not match the name of the blob"):
        build_variants(open_source(float32_tflite), INT8, CalibrationData.stored(blob, cache.blobs), cache)


def test_samples_that_are_not_finite_are_not_calibrated_on(float32_tflite: Path, cache: VariantCache) -> None:
    blob = store(cache, np.full((2, 8, 8, 3), np.inf, np.float32))
    with pytest.raises(WorkloadError, match="NaN or infinity"):
        build_variants(open_source(float32_tflite), INT8, CalibrationData.stored(blob, cache.blobs), cache)


def test_a_cached_build_does_not_read_the_samples(
    float32_tflite: Path, cache: VariantCache, calibration: CalibrationData
) -> None:
    blob = store(cache, calibration.open())
    source = open_source(float32_tflite)
    (first,) = build_variants(source, INT8, CalibrationData.stored(blob, cache.blobs), cache)
    damage(cache.blobs.path(blob))
    (second,) = build_variants(source, INT8, CalibrationData.stored(blob, cache.blobs), cache)
    assert isinstance(first, Variant) and isinstance(second, Variant)
    assert (first.build.cached, second.build.cached) == (False, True)
    assert second.model == first.model
