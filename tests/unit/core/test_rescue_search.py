"""The order in which mixed forms are tried, and which one is taken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.agreement import proportion
from harness.core.rescue import Candidate, search, smallest
from harness.core.variants import Form, Granularity, Recipe
from harness.core.verdict import Answer

INT8 = Form(recipe=Recipe.INT8)
LAYERS = [f"layer{index}" for index in range(16)]


def trial(passes: Callable[[Form], bool]) -> Callable[[Form], Candidate]:
    """Each kept layer costs a hundred bytes; a scale for each tensor saves one."""

    def attempt(form: Form) -> Candidate:
        size = 1000 + 100 * len(form.keep_float) - (form.granularity is Granularity.TENSOR)
        return Candidate(
            form=form,
            file_bytes=size,
            compressed_bytes=size,
            agreement=proportion(99, 100),
            answer=Answer.PASS if passes(form) else Answer.FAIL,
            reason="r",
        )

    return attempt


def needs(*layers: str, tensor_is_enough: bool = False) -> Callable[[Form], bool]:
    def passes(form: Form) -> bool:
        fine = tensor_is_enough or form.granularity is Granularity.CHANNEL
        return fine and set(layers) <= set(form.keep_float)

    return passes


def found(passes: Callable[[Form], bool], budget: int = 100) -> tuple[Candidate | None, list[Candidate]]:
    tried = list(search(INT8, LAYERS, trial(passes), budget))
    return smallest(tried), tried


def test_one_that_passes_as_it_is_needs_no_search() -> None:
    best, tried = found(lambda form: True)
    assert best is not None and best.form == INT8
    assert len(tried) == 1


def test_layers_that_turn_out_not_to_be_needed_are_quantized_again() -> None:
    best, tried = found(needs("layer1", "layer5"))
    assert best is not None
    assert best.form.keep_float == ("layer1", "layer5")
    assert best.form.granularity is Granularity.CHANNEL
    assert [len(one.form.keep_float) for one in tried[:5]] == [0, 1, 2, 4, 8]


def test_one_scale_for_each_tensor_is_taken_where_it_passes() -> None:
    best, _ = found(needs("layer0", tensor_is_enough=True))
    assert best is not None
    assert (best.form.keep_float, best.form.granularity) == (("layer0",), Granularity.TENSOR)


def test_where_nothing_passes_all_layers_were_tried() -> None:
    best, tried = found(lambda form: False)
    assert best is None
    assert [len(one.form.keep_float) for one in tried] == [0, 1, 2, 4, 8, 15, 16]


def test_a_form_that_the_quantizer_refuses_is_passed_over() -> None:
    plain = trial(lambda form: False)
    tried = list(search(INT8, LAYERS[:3], lambda form: plain(form) if len(form.keep_float) < 3 else None, 9))
    assert [len(one.form.keep_float) for one in tried] == [0, 1, 2]


def test_the_budget_holds() -> None:
    best, tried = found(needs("layer15"), budget=3)
    assert (best, len(tried)) == (None, 3)


def test_without_layers_only_the_plain_form_is_tried() -> None:
    tried = list(search(INT8, [], trial(lambda form: False), 10))
    assert [one.form for one in tried] == [INT8]


@given(needed=st.sets(st.sampled_from(LAYERS), max_size=5), budget=st.integers(1, 60))
def test_what_is_found_passes_and_no_form_is_tried_twice(needed: set[str], budget: int) -> None:
    best, tried = found(needs(*needed), budget)
    assert len(tried) <= budget
    assert len({one.form for one in tried}) == len(tried)
    if best is not None:
        assert set(needed) <= set(best.form.keep_float)
    if budget == 60:
        assert best is not None and set(best.form.keep_float) == needed


@pytest.mark.parametrize("bytes_", [(10, 20), (20, 10)])
def test_the_smallest_that_passes_is_taken(bytes_: tuple[int, int]) -> None:
    both = [trial(lambda form: True)(INT8).model_copy(update={"file_bytes": size}) for size in bytes_]
    best = smallest(both)
    assert best is not None and best.file_bytes == 10
