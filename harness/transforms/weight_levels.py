"""Which values a tensor's weights are rounded to: evenly spaced, or where the weights are.

Evenly spaced levels are what TensorFlow's tool of 2016 used. They do badly where a few channels are much larger than
the rest, as in depthwise convolutions after batch norms were folded into them: most weights then share a few levels.
Placing the same number of levels by Lloyd's method (S. Lloyd, "Least squares quantization in PCM", IEEE Transactions
on Information Theory 28(2), 1982) gives the least squared error that many levels can, at the price of a somewhat
larger archive, since all levels are used.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_ROUNDS: Final = 30
_BINS: Final = 4096


def fitted_levels(weights: NDArray[np.float32], levels: int) -> NDArray[np.float64]:
    """At most ``levels`` values, ascending, that minimize the squared error of ``weights`` locally.

    Deterministic. Exact zeros keep a level of their own where there are any, so that pruned weights stay zero.
    ``weights`` must be finite; any shape.
    """
    ordered = np.sort(weights.reshape(-1).astype(np.float64))
    distinct = np.unique(ordered)
    if distinct.size <= levels:
        return distinct
    if np.any(ordered == 0.0):
        rest = fitted_levels(weights.reshape(-1)[weights.reshape(-1) != 0.0], levels - 1)
        return np.unique(np.append(rest, 0.0))
    centres = _companded(ordered, levels)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    for _ in range(_ROUNDS):
        edges = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
        first, last = np.append(0, edges), np.append(edges, ordered.size)
        counts = last - first
        means = (sums[last] - sums[first]) / np.maximum(counts, 1)
        moved = np.where(counts > 0, means, centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.unique(centres.astype(np.float32)).astype(np.float64)


def _companded(ordered: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """Levels as dense as the cube root of the weights' density: the optimum for many levels (Panter and Dite, 1951)."""
    density, edges = np.histogram(ordered, bins=_BINS)
    share = np.concatenate([[0.0], np.cumsum(np.cbrt(density))])
    return np.asarray(np.interp((np.arange(levels) + 0.5) / levels, share / share[-1], edges))


def to_nearest(weights: NDArray[np.float32], values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Each weight as the nearest of ``values`` (ascending); same shape."""
    index = np.searchsorted((values[1:] + values[:-1]) / 2, weights.reshape(-1))
    return values.astype(np.float32)[index].reshape(weights.shape)
