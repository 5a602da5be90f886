"""Rounds float32 weights to 256 values each, in place: the file keeps its size, but compresses far better.

The values are evenly spaced, or fitted to the weights (``weight_levels``).

The idea is TensorFlow's ``round_weights`` graph transform of 2016 ("Optimizing TensorFlow models for
mobile"): an app store compresses what it delivers, and bytes that repeat cost little. Unlike that tool, which
takes the centres of 256 buckets over [min, max], one of the values here is exactly zero, so that weights
which were pruned to zero stay zero. The price is an error of at most range/510 instead of range/512.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.errors import ModelError
from harness.transforms.weight_levels import fitted_levels, to_nearest

LEVELS: Final = 256
LEAST_ELEMENTS: Final = 1024
"""Smaller constants hardly count in the file's size, but rounding a bias moves a whole channel."""


class FloatConstant(Protocol):
    """A float32 constant inside the file."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def offset_bytes(self) -> int: ...
    @property
    def elements(self) -> int: ...


@dataclass(frozen=True)
class RoundedTensor:
    """What rounding did to one tensor.

    With evenly spaced values ``largest_error`` is at most ``bound``, but for float32's rounding.
    """

    name: str
    elements: int
    range: float
    largest_error: float

    @property
    def bound(self) -> float:
        return self.range / (2 * (LEVELS - 1))


@dataclass(frozen=True)
class RoundedModel:
    """The new bytes, as long as the old ones, and the tensors that were rounded."""

    data: bytes
    tensors: tuple[RoundedTensor, ...]


def is_weight(constant: FloatConstant) -> bool:
    """Whether a constant is rounded: at least 1024 elements along two or more axes, so no bias."""
    return constant.elements >= LEAST_ELEMENTS and sum(extent > 1 for extent in constant.shape) >= 2


def round_weights(data: bytes, constants: Sequence[FloatConstant], *, fitted: bool = False) -> RoundedModel:
    """``data`` with every weight among ``constants`` rounded to at most 256 values, evenly spaced or ``fitted``.

    ``constants`` are the model's float32 constants, wherever in the file they lie. Tensors with an infinity
    or NaN (masks) are left as they are.

    Raises:
        ModelError: none of the constants is a weight.
    """
    patched = bytearray(data)
    rounded = []
    for constant in constants:
        if not is_weight(constant):
            continue
        weights = np.frombuffer(patched, "<f4", count=constant.elements, offset=constant.offset_bytes)
        if not np.isfinite(weights).all():
            continue
        values = to_nearest(weights, fitted_levels(weights, LEVELS)) if fitted else round_to_levels(weights)
        error = np.abs(values.astype(np.float64) - weights).max()
        spread = float(weights.max()) - float(weights.min())
        rounded.append(RoundedTensor(constant.name, constant.elements, spread, float(error)))
        weights[:] = values
    if not rounded:
        raise ModelError(
            f"has no float32 weights of at least {LEAST_ELEMENTS} elements to round",
            next_step="Leave out the recipe 'rounded', or give the float32 model.",
        )
    return RoundedModel(bytes(patched), tuple(rounded))


def round_to_levels(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest of 256 evenly spaced values from min to max; same shape. All must be finite.

    Where the range spans zero the values are shifted by less than half a step, so that zero is one of them.
    """
    low, high = float(weights.min()), float(weights.max())
    step = (high - low) / (LEVELS - 1)
    if step == 0.0:
        return weights.copy()
    origin = low
    if low < 0.0 < high:
        origin = -step * math.floor(-low / step + 0.5)
    index = np.clip(np.rint((weights.astype(np.float64) - origin) / step), 0, LEVELS - 1)
    # Index times step rather than a running sum: zero comes out as exactly zero.
    return ((index + round(origin / step)) * step if origin != low else low + index * step).astype(np.float32)
