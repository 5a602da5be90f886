from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from harness.core.variants import FailedBuild, Recipe, Variant, VariantSpec
from harness.models.source import open_source
from harness.models.tflite import read_tflite
from harness.variants.builder import BuildState, build_variants
from harness.variants.cache import VariantCache
from harness.variants.calibration import CalibrationData

ALL = [VariantSpec(recipe.value, recipe) for recipe in Recipe if not recipe.needs_graph]
ROUNDED = [VariantSpec("rounded", Recipe.ROUNDED)]


class Recorder:
    """What the builder reported, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reports: list[tuple[str, BuildState]] = []

    def __call__(self, name: str, state: BuildState, seconds: float) -> None:
        with self._lock:
            self.reports.append((name, state))

    def names(self, state: BuildState) -> list[str]:
        return [name for name, found in self.reports if found == state]


def outputs(path: Path, images: np.ndarray) -> np.ndarray:
    """Probabilities of a model with float or quantized inputs and outputs."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for image in images:
        value = image[np.newaxis]
        if given["dtype"] != np.float32:
            scale, zero_point = given["quantization"]
            limits = np.iinfo(given["dtype"])
            value = np.clip(np.rint(value / scale) + zero_point, limits.min, limits.max).astype(
                given["dtype"]
            )
        interpreter.set_tensor(given["index"], value)
        interpreter.invoke()
        probabilities = interpreter.get_tensor(taken["index"])[0].astype(np.float64)
        if taken["dtype"] != np.float32:
            scale, zero_point = taken["quantization"]
            probabilities = (probabilities - zero_point) * scale
        found.append(probabilities)
    return np.array(found)


def test_every_recipe_of_a_tflite(
    float32_tflite: Path, cache: VariantCache, calibration: CalibrationData
) -> None:
    progress = Recorder()
    source = open_source(float32_tflite)
    built = build_variants(source, ALL, calibration, cache, on_progress=progress)

    assert [variant.name for variant in built] == [spec.name for spec in ALL]
    variants = {variant.recipe: variant for variant in built if isinstance(variant, Variant)}
    assert set(variants) == {recipe for recipe in Recipe if not recipe.needs_graph}
    paths = {recipe: cache.blobs.path(variant.model) for recipe, variant in variants.items()}
    float32 = variants[Recipe.FLOAT32]
    assert paths[Recipe.FLOAT32].read_bytes() == float32_tflite.read_bytes()
    assert float32.build.tools.keys() == {"ai-edge-litert"}
    assert variants[Recipe.INT8].build.tools.keys() == {"ai-edge-litert", "litert-quantizer"}
    assert not any(variant.build.cached for variant in variants.values())

    dtypes = {recipe: read_tflite(path).inputs[0].dtype.value for recipe, path in paths.items()}
    assert dtypes == {
        Recipe.FLOAT32: "float32",
        Recipe.FLOAT16: "float32",
        Recipe.DYNAMIC_INT8: "float32",
        Recipe.INT8: "int8",
        Recipe.INT16X8: "int16",
        Recipe.ROUNDED: "float32",
        Recipe.ROUNDED_FITTED: "float32",
    }
    for recipe in (Recipe.ROUNDED, Recipe.ROUNDED_FITTED):
        assert variants[recipe].file_bytes == float32.file_bytes
        assert variants[recipe].compressed_bytes < float32.compressed_bytes
    for recipe in (Recipe.FLOAT16, Recipe.DYNAMIC_INT8, Recipe.INT8, Recipe.INT16X8):
        assert variants[recipe].file_bytes < float32.file_bytes

    images = np.random.default_rng(9).uniform(-1, 1, (8, 8, 8, 3)).astype(np.float32)
    reference = outputs(float32_tflite, images)
    # The mean, because random weights make a softmax that jumps from one class to another.
    differences = {recipe: np.abs(outputs(path, images) - reference).mean() for recipe, path in paths.items()}
    assert differences[Recipe.FLOAT32] == 0.0
    for recipe, difference in differences.items():
        assert difference < 0.01, recipe
        assert recipe is Recipe.FLOAT32 or difference > 0, recipe

    assert sorted(progress.names("converting")) == sorted(spec.name for spec in ALL)
    assert sorted(progress.names("done")) == sorted(spec.name for spec in ALL)
    first_done = progress.reports.index(("float32", "done"))
    assert all(
        progress.reports.index((name, "converting")) > first_done
        for name in progress.names("converting")
        if name != "float32"
    )

    again = Recorder()
    rebuilt = build_variants(source, ALL, calibration, cache, on_progress=again)
    assert sorted(again.names("cached")) == sorted(spec.name for spec in ALL)
    assert again.names("converting") == []
    for before, after in zip(built, rebuilt, strict=True):
        assert isinstance(before, Variant) and isinstance(after, Variant)
        assert after.build.cached
        assert (after.model, after.compressed_bytes) == (before.model, before.compressed_bytes)

    # Other calibration inputs are another int8, and nothing else.
    other = Recorder()
    changed = CalibrationData.of(calibration.open()[:5])
    build_variants(source, ALL, changed, cache, on_progress=other)
    assert sorted(other.names("converting")) == ["int16x8", "int8"]


def test_the_base_is_kept_even_where_nobody_asked_for_it(float32_tflite: Path, cache: VariantCache) -> None:
    source = open_source(float32_tflite)
    progress = Recorder()
    build_variants(source, ROUNDED, None, cache, on_progress=progress)
    assert progress.names("done") == ["float32", "rounded"]
    later = Recorder()
    build_variants(source, [VariantSpec("plain", Recipe.FLOAT32)], None, cache, on_progress=later)
    assert later.reports == [("plain", "cached")]


def test_two_names_for_one_recipe_are_one_build(float32_tflite: Path, cache: VariantCache) -> None:
    specs = [VariantSpec("a", Recipe.ROUNDED), VariantSpec("b", Recipe.ROUNDED)]
    first, second = build_variants(open_source(float32_tflite), specs, None, cache)
    assert isinstance(first, Variant) and isinstance(second, Variant)
    assert (first.name, second.name) == ("a", "b")
    assert first.model == second.model


def test_a_damaged_model_in_the_cache_is_built_anew(float32_tflite: Path, cache: VariantCache) -> None:
    source = open_source(float32_tflite)
    (variant,) = build_variants(source, ROUNDED, None, cache)
    assert isinstance(variant, Variant)
    path = cache.blobs.path(variant.model)
    content = bytearray(path.read_bytes())
    content[-200] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    progress = Recorder()
    (rebuilt,) = build_variants(source, ROUNDED, None, cache, on_progress=progress)
    assert progress.names("converting") == ["rounded"]
    assert isinstance(rebuilt, Variant)
    assert rebuilt.model == variant.model
    cache.blobs.verify(rebuilt.model)


def test_integer_recipes_without_calibration_say_what_to_set(
    float32_tflite: Path, cache: VariantCache
) -> None:
    specs = [VariantSpec("int8", Recipe.INT8), VariantSpec("float32", Recipe.FLOAT32)]
    for nothing in (None, CalibrationData.of(np.zeros((0, 8, 8, 3), np.float32))):
        failed, built = build_variants(open_source(float32_tflite), specs, nothing, cache)
        assert isinstance(failed, FailedBuild)
        assert failed.problem == "needs calibration inputs, and there are none"
        assert "workload.calibration" in failed.next_step
        assert isinstance(built, Variant)


def test_calibration_of_another_shape_is_a_failed_build(float32_tflite: Path, cache: VariantCache) -> None:
    wrong = CalibrationData.of(np.zeros((4, 3, 8, 8), np.float32))
    (failed,) = build_variants(open_source(float32_tflite), [VariantSpec("q", Recipe.INT8)], wrong, cache)
    assert isinstance(failed, FailedBuild)
    assert "[3, 8, 8]" in failed.problem and "[8, 8, 3]" in failed.problem


def test_a_model_with_two_inputs_cannot_be_calibrated(
    cache: VariantCache, calibration: CalibrationData
) -> None:
    source = open_source(Path(__file__).parents[3] / "fixtures" / "tiny" / "two_in_two_out.tflite")
    (failed,) = build_variants(source, [VariantSpec("q", Recipe.INT8)], calibration, cache)
    assert isinstance(failed, FailedBuild)
    assert failed.problem.startswith("the model has 2 inputs")


def test_a_quantized_source_is_refused_by_every_recipe(
    float32_tflite: Path, cache: VariantCache, calibration: CalibrationData
) -> None:
    source = open_source(float32_tflite.with_name("image_int8.tflite"))
    for failed in build_variants(source, ALL, calibration, cache):
        assert isinstance(failed, FailedBuild)
        assert "already quantized" in failed.problem
        assert failed.next_step == "Give the float32 model it was made from."


def test_a_crash_of_the_worker_is_a_failed_build_that_names_the_signal(
    crashing_tflite: Path, float32_tflite: Path, cache: VariantCache
) -> None:
    (failed,) = build_variants(
        open_source(crashing_tflite), [VariantSpec("float32", Recipe.FLOAT32)], None, cache
    )
    assert isinstance(failed, FailedBuild)
    assert "SIGSEGV" in failed.problem
    assert failed.next_step
    # Nothing of the failed build is kept, and the next one is not hindered.
    assert not (cache.root / "variants").exists()
    (built,) = build_variants(
        open_source(float32_tflite), [VariantSpec("float32", Recipe.FLOAT32)], None, cache
    )
    assert isinstance(built, Variant)


def test_a_build_that_takes_too_long_is_ended(float32_tflite: Path, cache: VariantCache) -> None:
    (failed,) = build_variants(open_source(float32_tflite), ROUNDED, None, cache, timeout_s=0.001)
    assert isinstance(failed, FailedBuild)
    assert "ended after 0.001 s" in failed.problem


def test_a_cache_that_cannot_be_written_is_a_failed_build(float32_tflite: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = VariantCache(tmp_path / "file")
    (failed,) = build_variants(
        open_source(float32_tflite), [VariantSpec("float32", Recipe.FLOAT32)], None, cache
    )
    assert isinstance(failed, FailedBuild)
    assert "cannot be stored" in failed.problem
    assert "HARNESS_CACHE" in failed.next_step


def test_an_interruption_ends_the_conversions(float32_tflite: Path, cache: VariantCache) -> None:
    def interrupt(name: str, state: BuildState, seconds: float) -> None:
        if state == "converting":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_variants(open_source(float32_tflite), ROUNDED, None, cache, on_progress=interrupt)
    assert not (cache.root / "variants").exists()
