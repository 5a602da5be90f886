"""The forms of a graph: each converts, runs and says the same; other sources are refused without a conversion."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.variants import FailedBuild, Recipe, Variant, VariantSpec
from harness.models.source import ModelIO, open_source
from harness.models.tflite import read_tflite
from harness.variants.builder import build_variants
from harness.variants.cache import VariantCache

FORMS = [VariantSpec(recipe.value, recipe) for recipe in Recipe if recipe.needs_graph]
POETS = Path(__file__).parents[3] / "fixtures" / "cache" / "poets" / "retrained_graph.pb"
TFLITE = Path(__file__).parents[3] / "fixtures" / "tiny" / "image_float32.tflite"


def test_another_source_is_refused_with_what_to_give(tmp_path: Path) -> None:
    states: list[str] = []
    results = build_variants(
        open_source(TFLITE),
        FORMS,
        None,
        VariantCache(tmp_path),
        on_progress=lambda name, state, seconds: states.append(state),
    )
    assert [type(result) for result in results] == [FailedBuild] * 3
    assert all(isinstance(one, FailedBuild) and "the source is tflite" in one.problem for one in results)
    assert set(states) == {"failed"}


@pytest.mark.slow
def test_each_form_of_a_graph_is_built(tmp_path: Path) -> None:
    cache = VariantCache(tmp_path)
    results = build_variants(
        open_source(POETS),
        [*FORMS, VariantSpec("float32", Recipe.FLOAT32)],
        None,
        cache,
        io=ModelIO(input="Mul", output="final_result"),
        input_shape=(1, 224, 224, 3),
    )
    built = {one.recipe: one for one in results if isinstance(one, Variant)}
    assert set(built) == {Recipe.STRIPPED, Recipe.FOLDED, Recipe.MEMORY_MAPPED, Recipe.FLOAT32}
    for variant in built.values():
        model = read_tflite(cache.blobs.path(variant.model))
        assert model.inputs[0].shape == (1, 224, 224, 3)
        assert model.outputs[0].shape == (1, 10)
    # What the memory-mapped file gives back is the folded graph, bit for bit.
    assert built[Recipe.MEMORY_MAPPED].model == built[Recipe.FOLDED].model == built[Recipe.FLOAT32].model
