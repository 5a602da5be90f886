"""Round the weights of a GraphDef to a few values each, so that the file compresses.

The weights stay float32 and the file keeps its size; an .ipa or .zip of it becomes much smaller. Fold batch
norms first: folding, or converting to .tflite, multiplies the rounded values apart again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.transforms.graph import (
    Array,
    GraphDef,
    GraphView,
    NodeDef,
    const_elements,
    const_value,
    new_graph_like,
    replace_const_value,
)
from harness.transforms.layers import DT_FLOAT
from harness.transforms.requests import LEAST_ELEMENTS
from harness.transforms.weight_levels import fitted_levels, to_nearest

LEVELS: Final = 256

_BLOCK_ELEMENTS: Final = 1 << 18


@dataclass(frozen=True)
class RoundedConst:
    """A Const that was rounded. With evenly spaced values ``largest_change`` is at most half a step."""

    node: str
    elements: int
    largest_change: float


@dataclass(frozen=True)
class RoundResult:
    """The new graph and what was rounded; ``not_finite`` are Consts left alone for a NaN or infinity."""

    graph: GraphDef
    rounded: tuple[RoundedConst, ...]
    not_finite: tuple[str, ...]


def round_weights(
    graph: GraphDef,
    *,
    levels: int = LEVELS,
    min_elements: int = LEAST_ELEMENTS,
    keep_zero: bool = False,
    fitted: bool = False,
) -> RoundResult:
    """Round every float32 Const of at least ``min_elements`` elements to ``levels`` values.

    As TensorFlow's ``quantize_graph --mode=weights_rounded`` did in 2016: the range [min, max] of the Const
    is cut into ``levels`` buckets of one width, and each weight becomes the centre of its bucket. That tool
    took every float Const (``min_elements=1``); otherwise constants with only one axis longer than 1, such as biases,
    are left alone too. Exact zeros move by up to half a bucket, unless ``keep_zero``:
    then the values are the multiples of one step that cover the range and zero. ``fitted`` places the values for the
    least squared error instead (``weight_levels``).

    Raises:
        UsageError: ``levels`` is not 2 to 65,536.
        ModelError: the graph does not hang together, or a value does not fit its shape.
    """
    if not 2 <= levels <= 65536:
        raise UsageError(f"levels is {levels}", next_step="Give 2 to 65536; 256 is usual.")
    result = new_graph_like(graph, with_library=True)
    rounded: list[RoundedConst] = []
    not_finite: list[str] = []
    for name, node in GraphView(graph).nodes.items():
        if node.op != "Const" or node.attr["dtype"].type != DT_FLOAT:
            result.node.add().CopyFrom(node)
            continue
        if const_elements(node) < min_elements or (min_elements > 1 and not _has_two_axes(node)):
            result.node.add().CopyFrom(node)
            continue
        value = const_value(node)
        if not np.isfinite(value).all():
            not_finite.append(name)
            result.node.add().CopyFrom(node)
            continue
        if fitted:
            new = to_nearest(value, fitted_levels(value, levels))
        else:
            new = round_to(value, bucket_values(value, levels, keep_zero=keep_zero))
        copy = result.node.add()
        copy.name, copy.op, copy.device = node.name, node.op, node.device
        copy.input.extend(node.input)
        for key, attribute in node.attr.items():
            if key != "value":
                copy.attr[key].CopyFrom(attribute)
        replace_const_value(copy, new)
        rounded.append(RoundedConst(name, value.size, _largest_change(value, new)))
    return RoundResult(result, tuple(rounded), tuple(not_finite))


def _has_two_axes(node: NodeDef) -> bool:
    """Whether two axes or more are longer than 1: a bias has one."""
    return sum(int(dim.size > 1) for dim in node.attr["value"].tensor.tensor_shape.dim) >= 2


def bucket_values(value: Array, levels: int, *, keep_zero: bool) -> NDArray[np.float32]:
    """The values weights are rounded to, ascending and evenly spaced."""
    low, high = float(value.min()), float(value.max())
    if low == high:
        return np.array([low], np.float32)
    if keep_zero:
        low, high = min(low, 0.0), max(high, 0.0)
        step = (high - low) / (levels - 1)
        zero = round(-low / step)
        return ((np.arange(levels) - zero) * step).astype(np.float32)
    width = (high - low) / levels
    return (low + width * (np.arange(levels) + 0.5)).astype(np.float32)


def round_to(value: Array, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each element as the nearest of ``values``, which are ascending and evenly spaced."""
    if values.size == 1:
        return np.full(value.shape, values[0], np.float32)
    first = float(values[0])
    step = (float(values[-1]) - first) / (values.size - 1)
    result = np.empty(value.shape, np.float32)
    source, target = value.reshape(-1), result.reshape(-1)
    for block in _blocks(source.size):
        position = (source[block] - np.float64(first)) / step
        index = np.clip(np.rint(position), 0, values.size - 1).astype(np.int32)
        target[block] = values[index]
    return result


def _largest_change(before: Array, after: Array) -> float:
    first, second = before.reshape(-1), after.reshape(-1)
    return max(float(np.max(np.abs(first[block] - second[block]))) for block in _blocks(first.size))


def _blocks(size: int) -> Iterator[slice]:
    # Blocks keep the intermediate float64 values in the processor's cache and out of the memory's peak.
    for start in range(0, size, _BLOCK_ELEMENTS):
        yield slice(start, min(start + _BLOCK_ELEMENTS, size))
