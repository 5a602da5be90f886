"""Ranges of activations, shard by shard: the bytes of the quantized model are those of one pass over all samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.core.variants import Form, Recipe, Variant, VariantSpec
from harness.errors import BuildError
from harness.models.source import open_source
from harness.models.tflite import read_tflite
from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.shard_pools import shard_pool
from harness.shards.pool import OneProcess
from harness.shards.request import BATCH
from harness.variants import activation_ranges
from harness.variants.activation_ranges import Ranges, calibrate, from_bytes, merge, to_bytes
from harness.variants.builder import build_variants
from harness.variants.cache import VariantCache
from harness.variants.calibration import CalibrationData
from harness.variants.quantize import recipe_manager, with_signature

TINY = Path(__file__).parents[3] / "fixtures" / "tiny"
INTEGER = (Recipe.INT8, Recipe.INT16X8)


def in_one_pass(base: Path, recipe: Recipe, samples: np.ndarray) -> bytes:
    """By the library alone, all samples in one call."""
    from litert_quantizer.calibrator import Calibrator
    from litert_quantizer.quantizer import Quantizer
    from litert_quantizer.utils import qsv_utils

    manager = recipe_manager(Form(recipe=recipe), ())
    model, signature, name = with_signature(base.read_bytes())
    calibrator = Calibrator(model, num_threads=2, qsv_update_func=qsv_utils.min_max_update)
    calibrator.calibrate({signature: [{name: sample[np.newaxis]} for sample in samples]}, manager)
    quantizer = Quantizer(model, manager.get_quantization_recipe())
    return bytes(quantizer.quantize(calibrator.get_model_qsvs()).quantized_model)


@pytest.mark.parametrize(
    ("count", "size", "on_cores"), [(1, BATCH, False), (70, BATCH, False), (70, 1, False), (70, 9, True)]
)
def test_the_bytes_do_not_depend_on_the_shards(
    float32_tflite: Path,
    cache: VariantCache,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    size: int,
    on_cores: bool,
) -> None:
    monkeypatch.setattr(activation_ranges, "BATCH", size)
    monkeypatch.setattr(activation_ranges, "pool_for", lambda inputs, given: given)
    samples = np.random.default_rng(1).normal(size=(count, 8, 8, 3)).astype(np.float32)
    source = open_source(float32_tflite)
    specs = [VariantSpec(recipe.value, recipe) for recipe in INTEGER]
    with shard_pool(TargetSettings(cache=cache.blobs.root)) as cores:
        found = build_variants(
            source, specs, CalibrationData.of(samples), cache, pool=cores if on_cores else OneProcess()
        )
    for built in found:
        assert isinstance(built, Variant), built
        model = cache.blobs.path(built.model).read_bytes()
        assert model == in_one_pass(float32_tflite, built.recipe, samples)


def test_a_sample_does_not_see_the_state_that_another_left(cache: VariantCache) -> None:
    path = TINY / "stateful_int32.tflite"
    base = cache.blobs.put_file(path)
    samples = np.random.default_rng(1).integers(0, 50, (4, 12)).astype(np.int32)
    form = Form(recipe=Recipe.INT8)
    (tensor,) = read_tflite(path).inputs

    def ranges(part: np.ndarray) -> Ranges:
        return calibrate(base, form, tensor, CalibrationData.of(part), cache.blobs, None)

    apart = merge(merge(ranges(samples[3:]), ranges(samples[:1])), ranges(samples[1:3]))
    together = ranges(samples)
    assert together.keys() == apart.keys()
    for name, sides in together.items():
        for side, values in sides.items():
            np.testing.assert_array_equal(values, apart[name][side], err_msg=f"{side} of {name}")


def test_characters_enter_a_tensor_of_another_type(cache: VariantCache, float32_tflite: Path) -> None:
    tensor = read_tflite(float32_tflite).inputs[0]
    numbers = np.arange(2 * 8 * 8 * 3, dtype=np.int32).reshape(2, 8, 8, 3)
    base = cache.blobs.put_file(float32_tflite)
    form = Form(recipe=Recipe.INT8)
    found = [
        calibrate(base, form, tensor, CalibrationData.of(each), cache.blobs, None)
        for each in (numbers, numbers.astype(np.float32))
    ]
    assert to_bytes(found[0]) == to_bytes(found[1])
    with pytest.raises(BuildError, match=r"int64 \[8, 8, 3\], and the model's input image is float32"):
        calibrate(base, form, tensor, CalibrationData.of(numbers.astype(np.int64)), cache.blobs, None)


def test_a_crash_while_watching_is_a_failed_build(
    float32_tflite: Path, cache: VariantCache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from harness.shards import engines

    (tmp_path / "crashing_engine.py").write_text("import os\nos.abort()\n")
    monkeypatch.setitem(engines.MODULES, "ranges", "crashing_engine")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    data = CalibrationData.of(np.zeros((3, 8, 8, 3), np.float32))
    specs = [VariantSpec("int8", Recipe.INT8), VariantSpec("half", Recipe.FLOAT16)]
    failed, built = build_variants(open_source(float32_tflite), specs, data, cache)
    assert isinstance(built, Variant)
    assert not isinstance(failed, Variant)
    assert "crashed LiteRT" in failed.problem and "SIGABRT" in failed.problem


def values(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


def test_ranges_merge_as_the_library_merges_them() -> None:
    from litert_quantizer.utils import qsv_utils

    one: Ranges = {
        "both": {"min": values(-1, 2), "max": values(3, np.inf)},
        "nan": {"min": values(0), "max": values(np.nan)},
        "constant": {},
        "first": {"min": values(5), "max": values(6)},
    }
    other: Ranges = {
        "both": {"min": values(-2, 4), "max": values(1, 5)},
        "nan": {"min": values(-1), "max": values(1)},
        "constant": {},
        "second": {"min": values(7), "max": values(8)},
    }
    merged = merge(one, other)
    assert list(merged) == ["both", "nan", "constant", "first", "second"]
    for name in ("both", "nan"):
        expected = qsv_utils.min_max_update(dict(one[name]), dict(other[name]))
        for side in ("min", "max"):
            np.testing.assert_array_equal(merged[name][side], expected[side])
    assert merged["constant"] == {}
    assert merged["first"] == one["first"] and merged["second"] == other["second"]
    with pytest.raises(BuildError, match="for some inputs"):
        merge(one, {"both": {"min": values(1), "max": values(1)}})


def test_ranges_cross_as_they_are() -> None:
    ranges: Ranges = {
        "a/b;ü": {"min": values(-0.0, 1e-45), "max": values(np.nan, np.inf)},
        "scalar": {"min": np.array(1, np.int64), "max": np.array(2, np.int64)},
        "constant": {},
    }
    read = from_bytes(to_bytes(ranges))
    assert list(read) == list(ranges)
    for name, sides in ranges.items():
        for side, numbers in sides.items():
            assert read[name][side].tobytes() == numbers.tobytes()
            assert (read[name][side].dtype, read[name][side].shape) == (numbers.dtype, numbers.shape)


GOOD = to_bytes({"t": {"min": values(0), "max": values(1)}})


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        GOOD[:-1],
        GOOD + b"x",
        GOOD.replace(b"<f4", b"|O8"),
        GOOD.replace(b"[1]", b"[2]"),
        GOOD.replace(b"[1]", b"[-1]"),
        GOOD.replace(b"[1]", b"[4294967296,4294967296,4294967296]"),
        b'{"ranges":[{"tensor":"t","dtype":"<f4","shape":null},{"tensor":"t","dtype":"<f4","shape":null}]}\n',
        b"\xff\xfe\n",
    ],
)
def test_damaged_ranges_are_refused(damaged: bytes) -> None:
    with pytest.raises(BuildError, match="damaged"):
        from_bytes(damaged)
