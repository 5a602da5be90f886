"""Where on the way from the reference to the device a label was lost."""

from __future__ import annotations

import numpy as np

from harness.core.explanation import Factor, begins_at, first_labels, link


def test_a_disagreement_begins_where_it_lasts_from() -> None:
    reference = np.array([0, 0, 0, 0, 0])
    converted = np.array([0, 1, 1, 0, 1])
    quantized = np.array([0, 1, 0, 2, 2])
    device = np.array([0, 1, 3, 2, 0])
    assert begins_at([reference, converted, quantized, device]).tolist() == [-1, 0, 2, 1, -1]


def test_an_output_that_is_not_finite_has_no_label() -> None:
    outputs = np.array([[0.1, 0.9], [np.nan, 0.5], [0.7, 0.3]], np.float32)
    assert first_labels(outputs).tolist() == [1, -1, 0]


def test_a_link_compares_label_by_label() -> None:
    a = np.array([[0.9, 0.1], [0.4, 0.6]], np.float32)
    b = np.array([[0.8, 0.2], [0.7, 0.3]], np.float32)
    made = link(Factor.QUANTIZATION, ("a", "b"), (a, b), 1, 0.95)
    assert (made.agreement.successes, made.agreement.trials) == (1, 2)
    assert made.largest_difference is not None
    assert round(made.largest_difference, 6) == 0.3
    assert not made.bit_identical
    assert link(Factor.RUNNER, ("a", "a"), (a, a.copy()), 0, 0.95).bit_identical


def test_scores_that_are_not_finite_have_no_largest_difference() -> None:
    a = np.array([[np.inf, 0.1]], np.float32)
    assert link(Factor.DEVICE, ("a", "b"), (a, a), None, 0.95).largest_difference is None
