"""Agreement by hand-counted tables: ties, invalid rows, divergence and paired accuracy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from harness.core.agreement import OutputTally, ScoreChunk, accuracy, agreement, dequantize
from harness.core.divergence import softmax
from harness.core.events import Quantization
from harness.core.measurements import Agreement
from harness.core.workload import OutputKind
from harness.errors import ModelError, WorkloadError


def table(*rows: list[float]) -> NDArray[np.float32]:
    return np.array(rows, dtype=np.float32)


def compare(
    reference: NDArray[np.float32],
    outputs: NDArray[np.float32],
    kind: OutputKind = OutputKind.PROBABILITIES,
    truths: list[int | None] | None = None,
) -> Agreement:
    names = [f"i{index}" for index in range(len(reference))]
    return agreement(reference, outputs, names=names, truths=truths or [None] * len(names), output_kind=kind)


def test_disagreements_are_listed_with_the_reference_margin() -> None:
    reference = table([0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6])
    outputs = table([0.4, 0.6, 0.0], [0.1, 0.7, 0.2], [0.9, 0.0, 0.1])
    found = compare(reference, outputs, truths=[1, None, 0])
    assert (found.top1.successes, found.top1.trials) == (1, 3)
    assert found.top5 is None
    assert [(d.input_name, d.reference_class, d.variant_class, d.truth) for d in found.disagreements] == [
        ("i2", 2, 0, 0),
        ("i0", 0, 1, 1),
    ]
    assert found.disagreements[0].margin == pytest.approx(0.4)
    assert found.disagreements[1].margin == pytest.approx(0.2)
    assert found.disagreements[1].reference_score == pytest.approx(0.5)
    assert found.disagreements[1].variant_score == pytest.approx(0.6)
    assert found.largest_absolute_difference == pytest.approx(0.7)
    assert not found.constant_output


def test_ties_go_to_the_lowest_index_on_both_sides() -> None:
    reference = table([0.4, 0.4, 0.2], [0.2, 0.4, 0.4])
    outputs = table([0.4, 0.4, 0.2], [0.4, 0.4, 0.2])
    found = compare(reference, outputs)
    assert found.top1.successes == 1
    assert [(d.reference_class, d.variant_class) for d in found.disagreements] == [(1, 0)]


def test_top5_counts_ties_by_index() -> None:
    reference = table([0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1, 0])
    flat = np.full((2, 7), 1 / 7, dtype=np.float32)
    found = compare(reference, flat)
    # All seven tie: class 4 is the fifth, class 5 the sixth.
    assert found.top5 is not None
    assert (found.top5.successes, found.top5.trials) == (1, 2)
    assert found.top1.successes == 0


@given(st.integers(0, 2**32 - 1))
def test_top5_is_a_stable_sort_by_falling_score(seed: int) -> None:
    generator = np.random.default_rng(seed)
    reference = generator.integers(0, 4, (20, 9)).astype(np.float32)
    outputs = generator.integers(0, 4, (20, 9)).astype(np.float32)
    found = compare(reference, outputs)
    first_five = np.argsort(-outputs, axis=1, kind="stable")[:, :5]
    assert found.top5 is not None
    assert found.top5.successes == (first_five == reference.argmax(axis=1)[:, None]).any(axis=1).sum()
    assert found.top1.successes == (first_five[:, 0] == reference.argmax(axis=1)).sum()
    assert found.top1.successes + len(found.disagreements) == 20


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_output_that_is_not_finite_agrees_with_nothing(bad: float) -> None:
    reference = table([0.9, 0.1, 0, 0, 0, 0], [0.9, 0.1, 0, 0, 0, 0])
    outputs = reference.copy()
    outputs[1, 5] = bad
    found = compare(reference, outputs)
    assert found.invalid_outputs == 1
    assert found.top1.successes == 1
    assert found.top5 is not None and found.top5.successes == 1
    assert found.mean_kl_divergence_nats == 0
    assert found.largest_absolute_difference == 0
    [invalid] = found.disagreements
    assert (invalid.input_index, invalid.variant_class, invalid.variant_score, invalid.margin) == (
        1,
        None,
        None,
        None,
    )


def test_without_a_finite_output_there_is_no_difference_to_tell() -> None:
    found = compare(table([0.9, 0.1], [0.9, 0.1]), np.full((2, 2), np.nan, dtype=np.float32))
    assert found.invalid_outputs == 2
    assert found.largest_absolute_difference is None
    assert found.mean_kl_divergence_nats is None
    assert found.constant_output


def test_a_reference_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ModelError) as raised:
        compare(table([0.9, 0.1], [math.nan, 0.1]), table([0.9, 0.1], [0.9, 0.1]))
    assert raised.value.where == "i1"
    assert "1 of 2" in raised.value.problem


def test_divergence_is_the_textbook_one() -> None:
    found = compare(table([0.5, 0.5], [1.0, 0.0]), table([0.25, 0.75], [1.0, 0.0]))
    first = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert found.mean_kl_divergence_nats == pytest.approx(first / 2)


def test_a_class_rounded_to_zero_costs_the_floor_not_infinity() -> None:
    found = compare(table([0.5, 0.5]), table([1.0, 0.0]))
    assert found.mean_kl_divergence_nats == pytest.approx(0.5 * math.log(0.5) + 0.5 * math.log(0.5 / 1e-7))


def _divergence(reference: list[float], outputs: list[float], output_step: float) -> float | None:
    return agreement(
        table(reference),
        table(outputs),
        names=["i0"],
        truths=[None],
        output_kind=OutputKind.PROBABILITIES,
        output_step=output_step,
    ).mean_kl_divergence_nats


def test_the_zeros_of_a_quantized_row_share_what_is_left_of_one() -> None:
    found = _divergence([0.7, 0.1, 0.2], [0.75, 0.0, 0.0], 1 / 256)
    expected = 0.7 * math.log(0.7 / 0.75) + 0.1 * math.log(0.1 / 0.125) + 0.2 * math.log(0.2 / 0.125)
    assert found == pytest.approx(expected, rel=1e-5)


def test_where_nothing_is_left_the_zeros_share_half_a_step() -> None:
    found = _divergence([0.5, 0.5], [1.0, 0.0], 1 / 256)
    whole = 1 + 1 / 512
    assert found == pytest.approx(0.5 * math.log(0.5 * whole) + 0.5 * math.log(0.5 * 512 * whole))


@given(
    arrays(np.float64, (4, 6), elements=st.floats(0.001, 1)),
    arrays(np.float64, (4, 6), elements=st.floats(0.001, 1)),
)
def test_a_divergence_is_never_negative(reference: NDArray[np.float64], outputs: NDArray[np.float64]) -> None:
    reference /= reference.sum(axis=1, keepdims=True)
    outputs /= outputs.sum(axis=1, keepdims=True)
    quantized = np.round(outputs * 256) / 256
    for rows in (outputs, quantized):
        for one, other in zip(reference, rows, strict=True):
            found = _divergence(list(one), list(other), 1 / 256)
            assert found is None or found >= 0


@pytest.mark.parametrize("row", [[0.3, 0.1], [0.9, 0.8], [1.2, -0.2]])
def test_what_is_no_distribution_has_no_divergence(row: list[float]) -> None:
    assert compare(table([0.5, 0.5]), table(row)).mean_kl_divergence_nats is None
    assert compare(table(row), table([0.5, 0.5])).mean_kl_divergence_nats is None


def test_a_quantized_distribution_is_normalized_a_reference_is_held_to_its_sum() -> None:
    found = compare(table([0.5, 0.5]), table([0.5, 0.25]))
    assert found.mean_kl_divergence_nats == pytest.approx(
        0.5 * math.log(0.5 / (2 / 3)) + 0.5 * math.log(0.5 / (1 / 3))
    )
    assert compare(table([0.5, 0.25]), table([0.5, 0.5])).mean_kl_divergence_nats is None


def test_logits_are_softmaxed_for_scores_not_for_differences() -> None:
    reference, outputs = table([1000.0, 998.0]), table([998.0, 1000.0])
    found = compare(reference, outputs, OutputKind.LOGITS)
    high = 1 / (1 + math.exp(-2))
    [flip] = found.disagreements
    assert flip.reference_score == flip.variant_score == pytest.approx(high)
    assert flip.margin == pytest.approx(2 * high - 1)
    assert found.largest_absolute_difference == 2
    assert found.mean_kl_divergence_nats == pytest.approx((2 * high - 1) * 2)


@given(st.integers(0, 2**32 - 1), st.floats(-1e4, 1e4))
def test_softmax_does_not_change_with_an_offset(seed: int, offset: float) -> None:
    logits = np.random.default_rng(seed).normal(0, 5, (3, 7))
    assert softmax(logits + offset) == pytest.approx(softmax(logits), abs=1e-9)
    assert softmax(logits).sum(axis=1) == pytest.approx([1, 1, 1])


def test_the_same_output_for_every_input_is_noticed() -> None:
    same = table([0.9, 0.1], [0.9, 0.1])
    assert compare(same, same).constant_output
    assert not compare(same[:1], same[:1]).constant_output


@given(st.integers(0, 2**32 - 1))
def test_chunks_in_any_order_count_as_the_whole(seed: int) -> None:
    generator = np.random.default_rng(seed)
    reference = generator.dirichlet(np.ones(7), 12).astype(np.float32)
    outputs = generator.dirichlet(np.ones(7), 12).astype(np.float32)
    outputs[3, 2] = math.nan
    truths: list[int | None] = [
        None if truth == 7 else truth for truth in generator.integers(0, 8, 12).tolist()
    ]
    tally = OutputTally([f"i{index}" for index in range(12)], truths, OutputKind.PROBABILITIES)
    for rows in np.array_split(generator.permutation(12), 4):
        tally.add(ScoreChunk(rows, reference[rows], outputs[rows]))
    whole = compare(reference, outputs, truths=truths)
    found = tally.agreement()
    assert found.mean_kl_divergence_nats == pytest.approx(whole.mean_kl_divergence_nats)
    assert found.model_copy(update={"mean_kl_divergence_nats": whole.mean_kl_divergence_nats}) == whole
    assert tally.accuracy() == accuracy(reference, outputs, truths)


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="two equal tables"):
        compare(table([0.5, 0.5]), table([0.5, 0.5], [0.5, 0.5]))
    with pytest.raises(ValueError, match="truths"):
        compare(table([0.5, 0.5]), table([0.5, 0.5]), truths=[0, 1])


def test_accuracy_pairs_only_inputs_with_truth() -> None:
    reference = table([1, 0], [1, 0], [0, 1], [0, 1], [1, 0])
    outputs = table([1, 0], [0, 1], [1, 0], [0, 1], [math.nan, 0])
    found = accuracy(reference, outputs, [0, 0, 0, None, 0])
    assert found is not None
    # Right: reference on 0, 1, 4; variant on 0, 2; input 3 has no truth, the NaN of 4 is wrong.
    assert (found.reference.successes, found.variant.successes, found.variant.trials) == (3, 2, 4)
    assert (found.only_reference_right, found.only_variant_right) == (2, 1)
    assert found.drop.value == pytest.approx(0.25)
    assert found.mcnemar_p == 1


def test_accuracy_is_absent_without_truth_and_refuses_an_unknown_class() -> None:
    scores = table([1, 0], [0, 1])
    assert accuracy(scores, scores, [None, None]) is None
    with pytest.raises(WorkloadError, match="truth 2 is not a class"):
        accuracy(scores, scores, [0, 2])


def test_dequantize_is_scale_times_the_distance_from_zero_point() -> None:
    raw = np.array([[-128, 0, 127]], dtype=np.int8)
    real = dequantize(raw, Quantization(scale=1 / 256, zero_point=-128))
    assert real.dtype == np.float32
    assert real.tolist() == [[0.0, 0.5, 255 / 256]]
    assert dequantize(
        np.array([0, 255], dtype=np.uint8), Quantization(scale=2.0, zero_point=255)
    ).tolist() == [-510, 0]
    assert dequantize(np.array([1.5], dtype=np.float32), None).tolist() == [1.5]
