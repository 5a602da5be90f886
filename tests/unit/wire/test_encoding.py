from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.agreement import dequantize
from harness.core.events import Quantization
from harness.core.jobs import CharacterEncoding, DType, PixelEncoding, TensorEncoding
from harness.errors import WireError
from harness.wire.encoding import (
    normalize_pixels,
    quantize,
    record_layout,
    round_half_away,
    to_elements,
)

PIXELS = PixelEncoding(shape=(1, 2, 3), mean=(127.0, 0.0, 255.0), scale=(128.0, 255.0, 0.5))


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, 1.0),
        (-0.5, -1.0),
        (1.5, 2.0),
        (2.5, 3.0),
        (-2.5, -3.0),
        (0.49999997, 0.0),
        (-0.49999997, 0.0),
        (0.50000006, 1.0),
        (4194303.5, 4194304.0),
        (8388607.0, 8388607.0),
        (8388609.0, 8388609.0),
        (16777217.0, 16777216.0),
        (math.inf, math.inf),
        (0.0, 0.0),
    ],
)
def test_halves_round_away_from_zero(value: float, expected: float) -> None:
    assert round_half_away(f32(value))[0] == expected


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_rounding_agrees_with_exact_arithmetic(value: float) -> None:
    magnitude = abs(Fraction(value))
    nearest = math.floor(magnitude + Fraction(1, 2))
    assert round_half_away(f32(value))[0] == math.copysign(nearest, value)


def test_normalizing_is_one_subtraction_and_one_division_in_float32() -> None:
    pixels = np.array([[[0, 255, 255], [255, 51, 254]]], np.uint8)
    real = normalize_pixels(pixels, PIXELS.mean, PIXELS.scale)
    assert real.dtype == np.float32
    assert real.tolist() == [[[-127 / 128, 1.0, 0.0], [1.0, float(np.float32(51) / np.float32(255)), -2.0]]]


def test_mean_and_scale_are_rounded_to_float32_before_they_are_used() -> None:
    mean, scale = 123.675, 58.395
    pixels = np.arange(256, dtype=np.uint8)[:, None]
    real = normalize_pixels(pixels, (mean,), (scale,))[:, 0]
    expected = [(np.float32(p) - np.float32(mean)) / np.float32(scale) for p in range(256)]
    assert real.tolist() == [float(value) for value in expected]
    multiplied = (pixels[:, 0].astype(np.float32) - np.float32(mean)) * np.float32(1 / scale)
    assert (real != multiplied).any(), "the numbers no longer tell a division from a multiplication"


@pytest.mark.parametrize(
    ("value", "zero_point", "dtype", "expected"),
    [
        (0.25, 0, DType.INT8, 1),
        (-0.25, 0, DType.INT8, -1),
        (0.25, 10, DType.INT8, 11),
        # The rounding comes first: -0.5 goes to -1, whatever the zero point.
        (-0.25, 10, DType.INT8, 9),
        (-0.25, 128, DType.UINT8, 127),
        (1e30, 0, DType.INT8, 127),
        (-1e30, 0, DType.INT8, -128),
        (63.5, 0, DType.INT8, 127),
        (63.75, 0, DType.INT8, 127),
        (-64.25, 0, DType.INT8, -128),
        (-1.0, 0, DType.UINT8, 0),
        (math.inf, -5, DType.UINT8, 255),
        (-math.inf, 5, DType.INT16, -32768),
        (16383.25, 0, DType.INT16, 32767),
        (-16384.0, 0, DType.INT16, -32768),
    ],
)
def test_quantizing_with_scale_one_half(value: float, zero_point: int, dtype: DType, expected: int) -> None:
    assert quantize(f32(value), 0.5, zero_point, dtype).tolist() == [expected]


def test_the_division_is_in_float32() -> None:
    # On the same float32 numbers 0.03 / 0.012 is 2.5 in float32, but 2.49999992 in float64.
    assert float(np.float64(np.float32(0.03)) / np.float64(np.float32(0.012))) < 2.5
    assert quantize(f32(0.03), 0.012, 0, DType.INT8).tolist() == [3]


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf, 1e-60])
def test_a_scale_that_is_not_positive_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        quantize(f32(1.0), scale, 0, DType.INT8)


def test_nan_and_unquantized_types_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        quantize(f32(math.nan), 1.0, 0, DType.INT8)
    with pytest.raises(ValueError, match="int32 is not a quantized type"):
        quantize(f32(1.0), 1.0, 0, DType.INT32)


@given(
    st.integers(-128, 127),
    st.integers(-128, 127),
    st.floats(2**-20, 2**10, width=32),
)
def test_quantizing_a_dequantized_number_gives_it_back(value: int, zero_point: int, scale: float) -> None:
    real = dequantize(np.array([value], np.int8), Quantization(scale=scale, zero_point=zero_point))
    assert quantize(real, scale, zero_point, DType.INT8).tolist() == [value]


def test_pixels_reach_float_and_quantized_tensors() -> None:
    pixels = np.array([[[127, 0, 255], [255, 255, 254]]], np.uint8)
    assert record_layout(PIXELS) == (np.dtype("u1"), (1, 2, 3))
    real = to_elements(pixels, PIXELS, DType.FLOAT32, None)
    assert real.tolist() == [[[0.0, 0.0, 0.0], [1.0, 1.0, -2.0]]]
    quantized = to_elements(pixels, PIXELS, DType.INT8, 1 / 128, -1)
    assert quantized.dtype == np.int8
    assert quantized.tolist() == [[[-1, -1, -1], [127, 127, -128]]]


def test_tensors_are_copied_unless_float32_meets_a_quantized_tensor() -> None:
    whole = TensorEncoding(dtype=DType.INT8, shape=(1, 2))
    record = np.array([[3, -4]], np.int8)
    assert to_elements(record, whole, DType.INT8, 0.1, 7).tolist() == [[3, -4]]
    real = TensorEncoding(dtype=DType.FLOAT32, shape=(1, 2))
    assert to_elements(f32(0.75, -0.75), real, DType.UINT8, 0.5, 3).tolist() == [5, 1]


@pytest.mark.parametrize(
    ("given_dtype", "tensor_dtype", "scale"),
    [
        (DType.INT64, DType.INT32, None),
        (DType.UINT8, DType.FLOAT32, None),
        (DType.FLOAT32, DType.INT32, None),
        (DType.FLOAT32, DType.UINT8, None),
        (DType.UINT8, DType.INT8, 0.5),
    ],
)
def test_any_other_difference_of_type_is_an_error(
    given_dtype: DType, tensor_dtype: DType, scale: float | None
) -> None:
    encoding = TensorEncoding(dtype=given_dtype, shape=(1,))
    with pytest.raises(WireError, match=f"takes {tensor_dtype}.*gives {given_dtype}"):
        to_elements(np.zeros(1), encoding, tensor_dtype, scale)


def test_pixels_are_not_for_unquantized_integer_tensors() -> None:
    with pytest.raises(WireError, match="without a quantization scale"):
        to_elements(np.zeros((1, 2, 3), np.uint8), PIXELS, DType.UINT8, None)


def test_characters_are_copied_or_converted_exactly() -> None:
    encoding = CharacterEncoding(shape=(1, 3), alphabet="ab", lowercase=False)
    assert record_layout(encoding) == (np.dtype("<i4"), (1, 3))
    record = np.array([[2, 65537, 0]], np.int32)
    assert to_elements(record, encoding, DType.INT32, None) is record
    for dtype in (DType.INT64, DType.FLOAT32):
        elements = to_elements(record, encoding, dtype, None)
        assert elements.dtype.name == dtype.value and elements.tolist() == [[2, 65537, 0]]
    with pytest.raises(WireError, match="takes int8"):
        to_elements(record, encoding, DType.INT8, 0.1)
