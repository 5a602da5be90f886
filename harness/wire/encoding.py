"""How a record becomes the elements of an input tensor.

The rules are "Encodings" in docs/wire-format.md. The C++ core follows the same text in its own code;
these functions are its twin, for the desktop reference and for the tests that compare the two. The
other direction is ``harness.core.agreement.dequantize``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.jobs import CharacterEncoding, DType, Encoding, PixelEncoding
from harness.errors import WireError

_NUMPY_DTYPES: Final[dict[DType, np.dtype[Any]]] = {
    DType.FLOAT32: np.dtype("<f4"),
    DType.INT8: np.dtype("i1"),
    DType.UINT8: np.dtype("u1"),
    DType.INT16: np.dtype("<i2"),
    DType.INT32: np.dtype("<i4"),
    DType.INT64: np.dtype("<i8"),
    DType.BOOL: np.dtype("?"),
}

QUANTIZED: Final = frozenset({DType.INT8, DType.UINT8, DType.INT16})

# Both hold every number of a character exactly.
_CHARACTER_DTYPES: Final = frozenset({DType.INT64, DType.FLOAT32})


def numpy_dtype(dtype: DType) -> np.dtype[Any]:
    """The little-endian numpy type of a wire type."""
    return _NUMPY_DTYPES[dtype]


def record_layout(encoding: Encoding) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Element type and shape of one record: ``[height, width, channels]`` or ``[1, ...]``."""
    if isinstance(encoding, PixelEncoding):
        return np.dtype("u1"), encoding.shape
    return numpy_dtype(DType(encoding.dtype)), encoding.shape


def normalize_pixels(
    pixels: NDArray[np.uint8], mean: Sequence[float], scale: Sequence[float]
) -> NDArray[np.float32]:
    """``(pixel - mean[c]) / scale[c]`` in float32: one subtraction, one division.

    Args:
        pixels: ``[..., channels]``.
        mean, scale: one number for each channel, in pixel units; rounded to float32 first.
    """
    centred = pixels.astype(np.float32)
    centred -= np.asarray(mean, np.float32)
    centred /= np.asarray(scale, np.float32)
    return centred


def round_half_away(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest whole number, halves away from zero: C's ``roundf``.

    ``floor(x + 0.5)`` is not it: in float32 the sum 0.49999997 + 0.5 is already 1.
    """
    whole = np.trunc(values)
    # Exact: a float and its whole part share their leading bits, and from 2^23 on there is no fraction.
    # An infinity has a NaN here, which is not >= 0.5, and so stays what it is.
    with np.errstate(invalid="ignore"):
        fraction = np.abs(values - whole)
    return np.where(fraction >= 0.5, whole + np.copysign(np.float32(1), values), whole).astype(np.float32)


def quantize(values: NDArray[np.float32], scale: float, zero_point: int, dtype: DType) -> NDArray[Any]:
    """``round(value / scale) + zero_point``, halves away from zero, clamped to ``dtype``.

    Args:
        values: real numbers, any shape; infinities clamp.
        scale: of the tensor, positive; the division is in float32.
        dtype: int8, uint8 or int16.

    Raises:
        ValueError: a NaN, a scale that is not positive and finite, or another dtype.
    """
    if dtype not in QUANTIZED:
        raise ValueError(f"{dtype} is not a quantized type")
    scale_float32 = np.float32(scale)
    if not (np.isfinite(scale_float32) and scale_float32 > 0):
        raise ValueError(f"the scale of a quantized tensor must be positive, not {scale}")
    if np.isnan(values).any():
        raise ValueError("NaN has no quantized value")
    bounds = np.iinfo(numpy_dtype(dtype))
    with np.errstate(over="ignore"):
        rounded = round_half_away(values.astype(np.float32) / scale_float32)
    # float64 holds every float32 and the sum exactly wherever the sum is not clamped anyway.
    shifted = rounded.astype(np.float64) + zero_point
    return np.clip(shifted, bounds.min, bounds.max).astype(numpy_dtype(dtype))


def to_elements(
    record: NDArray[Any],
    encoding: Encoding,
    tensor_dtype: DType,
    tensor_scale: float | None,
    tensor_zero_point: int = 0,
) -> NDArray[Any]:
    """The elements that reach an input tensor, in the record's shape and the tensor's type.

    Args:
        record: as ``record_layout`` describes it.
        tensor_scale: of the input tensor, or None where it is not quantized.

    Raises:
        WireError: the encoding does not fit the tensor's type.
    """
    quantized = tensor_dtype in QUANTIZED and tensor_scale is not None
    if isinstance(encoding, PixelEncoding):
        real = normalize_pixels(record, encoding.mean, encoding.scale)
    elif encoding.dtype == tensor_dtype:
        return record
    elif isinstance(encoding, CharacterEncoding) and not quantized and tensor_dtype in _CHARACTER_DTYPES:
        return record.astype(numpy_dtype(tensor_dtype))
    elif encoding.dtype == DType.FLOAT32 and quantized:
        real = record
    else:
        raise _mismatch(DType(encoding.dtype).value, tensor_dtype)
    if tensor_dtype == DType.FLOAT32:
        return real
    if not quantized:
        raise _mismatch("pixels", tensor_dtype)
    assert tensor_scale is not None
    return quantize(real, tensor_scale, tensor_zero_point, tensor_dtype)


def _mismatch(given: str, tensor_dtype: DType) -> WireError:
    return WireError(
        f"the input tensor takes {tensor_dtype.value} elements without a quantization scale, "
        f"the workload gives {given}"
        if tensor_dtype in QUANTIZED
        else f"the input tensor takes {tensor_dtype.value} elements, the workload gives {given}",
        next_step=f"Give the workload as plain tensors of type {tensor_dtype.value}.",
    )
