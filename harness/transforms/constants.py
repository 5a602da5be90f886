"""Values a graph computes from constants alone, such as ``gamma / sqrt(variance + epsilon)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.transforms.graph import Array, GraphView, TensorRef, const_elements, const_value

LARGEST_ELEMENTS: Final = 1 << 20
"""Larger constants are weights, not the per-channel figures this module is for."""

_DEEPEST: Final = 64
_FLOATING: Final = frozenset({1, 2, 3, 9, 19, 14})  # DT_FLOAT, DOUBLE, INT32, INT64, HALF, BFLOAT16

_UNARY: Final[dict[str, Callable[[Array], Array]]] = {
    "Identity": lambda x: x,
    "StopGradient": lambda x: x,
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Rsqrt": lambda x: 1.0 / np.sqrt(x),
    "Square": np.square,
    "Reciprocal": lambda x: 1.0 / x,
    "Inv": lambda x: 1.0 / x,
}
_BINARY: Final[dict[str, Callable[[Array, Array], Array]]] = {
    "Add": np.add,
    "AddV2": np.add,
    "BiasAdd": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "RealDiv": np.true_divide,
    "Reshape": lambda x, shape: x.reshape(shape.astype(np.int64)),
    "ExpandDims": lambda x, axis: np.expand_dims(x, int(axis.reshape(()))),
}


class Constants:
    """Evaluates what depends on constants only, in float64, without running TensorFlow."""

    def __init__(self, view: GraphView) -> None:
        self._view = view
        self._known: dict[str, NDArray[np.float64] | None] = {}

    def value(self, ref: TensorRef) -> NDArray[np.float64] | None:
        """The tensor's value; ``None`` where it is not constant, too large, or made by an op not known here.

        A Const that waits for a control input counts as not constant: it lives in a branch or a loop.
        """
        return None if ref.port != 0 else self._value(ref.node, 0)

    def uses_rsqrt(self, ref: TensorRef) -> bool:
        """Whether a reciprocal square root is part of the value: the mark of a normalization."""
        before = self._view.ancestors([ref.node])
        return any(self._view.nodes[name].op in ("Rsqrt", "Sqrt") for name in before)

    def _value(self, name: str, depth: int) -> NDArray[np.float64] | None:
        if name not in self._known:
            self._known[name] = self._computed(name, depth)
        return self._known[name]

    def _computed(self, name: str, depth: int) -> NDArray[np.float64] | None:
        node = self._view.nodes[name]
        if depth > _DEEPEST or self._view.control_inputs(name):
            return None
        if node.op == "Const":
            if node.attr["dtype"].type not in _FLOATING or const_elements(node) > LARGEST_ELEMENTS:
                return None
            return const_value(node).astype(np.float64)
        if node.op not in _UNARY and node.op not in _BINARY and node.op != "Squeeze":
            return None
        operands = []
        for ref in self._view.inputs(name):
            operand = self._value(ref.node, depth + 1) if ref.port == 0 else None
            if operand is None:
                return None
            operands.append(operand)
        try:
            # A zero variance without epsilon gives infinity here, as it would in TensorFlow.
            with np.errstate(all="ignore"):
                if node.op == "Squeeze":
                    axes = tuple(node.attr["squeeze_dims"].list.i)
                    return np.asarray(np.squeeze(operands[0], axis=axes or None))
                if node.op == "BiasAdd" and operands[0].ndim > 2 and node.attr["data_format"].s == b"NCHW":
                    return None
                if len(operands) == 1 and node.op in _UNARY:
                    return np.asarray(_UNARY[node.op](operands[0]))
                if len(operands) == 2 and node.op in _BINARY:
                    return np.asarray(_BINARY[node.op](*operands))
        except (ValueError, TypeError):
            return None
        return None
