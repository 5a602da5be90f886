"""Levels fitted to the weights: never more than asked for, zeros kept, and less error than evenly spaced ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.transforms.round_tflite import round_to_levels
from harness.transforms.weight_levels import fitted_levels, to_nearest

finite = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)


@given(arrays(np.float32, st.integers(1, 2000), elements=finite), st.integers(2, 64))
def test_levels_are_few_ascending_and_within_the_range(weights: np.ndarray, levels: int) -> None:
    values = fitted_levels(weights, levels)
    assert 1 <= values.size <= levels
    assert np.all(np.diff(values) > 0)
    assert values[0] >= weights.min() - 1e-6 * abs(float(weights.min()))
    assert values[-1] <= weights.max() + 1e-6 * abs(float(weights.max()))
    rounded = to_nearest(weights, values)
    assert rounded.shape == weights.shape and rounded.dtype == np.float32
    assert np.all(rounded[weights == 0.0] == 0.0)


def test_few_distinct_weights_stay_as_they_are() -> None:
    weights = np.array([[0.5, -1.0], [0.5, 3.0]], np.float32)
    np.testing.assert_array_equal(to_nearest(weights, fitted_levels(weights, 256)), weights)


@pytest.mark.parametrize("largest", [1.0, 30.0])
def test_one_large_channel_does_not_cost_the_others_their_levels(largest: float) -> None:
    weights = np.random.default_rng(5).normal(0, 0.05, (3, 3, 64)).astype(np.float32)
    weights[..., 0] *= largest / 0.05

    def error(rounded: np.ndarray) -> float:
        return float(np.abs(rounded[..., 1:] - weights[..., 1:]).mean())

    fitted = to_nearest(weights, fitted_levels(weights, 256))
    assert len(np.unique(fitted)) <= 256
    assert error(fitted) < error(round_to_levels(weights)) / (2 if largest == 1.0 else 20)


def test_the_result_is_the_same_every_time() -> None:
    weights = np.random.default_rng(6).normal(size=50_000).astype(np.float32)
    np.testing.assert_array_equal(fitted_levels(weights, 256), fitted_levels(weights.copy(), 256))
