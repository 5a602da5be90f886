"""Ops that act on each channel alone: ``y = x * scale + offset`` with constant figures.

A batch norm at inference is such a step, whether one op computes it or several; so are a bias and a constant
factor. Steps after one another are again such a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.transforms.constants import Constants
from harness.transforms.graph import GraphView, NodeDef, TensorRef
from harness.transforms.layers import DT_FLOAT, Layer

FUSED_OPS: Final = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
OLD_OP: Final = "BatchNormWithGlobalNormalization"
BATCH_NORM_OPS: Final = FUSED_OPS | {OLD_OP}
ADD_OPS: Final = frozenset({"Add", "AddV2", "BiasAdd", "Sub"})

_DEFAULT_EPSILON: Final = 0.0001  # of the FusedBatchNorm ops' definitions, where the attribute is absent


@dataclass(frozen=True)
class Step:
    """``y = x * scale + offset`` for each channel, float64."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]

    def then(self, after: Step) -> Step:
        return Step(self.scale * after.scale, self.offset * after.scale + after.offset)


def data_and_constant(constants: Constants, view: GraphView, name: str) -> tuple[TensorRef, TensorRef] | None:
    """The computed and the constant operand of a node; ``None`` where it has not one of each."""
    refs = view.data_inputs(name)
    if len(refs) != 2:
        return None
    known = [constants.value(ref) is not None for ref in refs]
    if known == [False, True]:
        return refs[0], refs[1]
    if known == [True, False]:
        return refs[1], refs[0]
    return None


def step_of(
    constants: Constants, view: GraphView, name: str, data: str, layer: Layer, channels: int
) -> Step | str:
    """What node ``name`` does to the output of node ``data``, or why it is no per-channel step."""
    node = view.nodes[name]
    if node.op in BATCH_NORM_OPS:
        return _batch_norm(constants, view, node, layer, channels)
    operands = data_and_constant(constants, view, name)
    if operands is None or operands[0].node != data:
        return f"the other operand of {name!r} ({node.op}) is not a constant"
    constant = constants.value(operands[1])
    assert constant is not None
    per_channel = _bias if node.op == "BiasAdd" else _broadcast
    figures = per_channel(node, constant, layer, channels)
    if figures is None:
        shape = "x".join(str(size) for size in constant.shape) or "scalar"
        return f"the constant of {name!r} ({shape}) is not one figure for each of {channels} channels"
    if node.op == "Mul":
        return Step(figures, np.zeros(channels))
    if node.op == "Sub":
        if view.data_inputs(name)[0].node != data:
            return f"{name!r} subtracts from a constant"
        return Step(np.ones(channels), -figures)
    return Step(np.ones(channels), figures)


def _broadcast(
    node: NodeDef, constant: NDArray[np.float64], layer: Layer, channels: int
) -> NDArray[np.float64] | None:
    return layer.per_channel(constant, channels)


def _bias(
    node: NodeDef, bias: NDArray[np.float64], layer: Layer, channels: int
) -> NDArray[np.float64] | None:
    data_format = node.attr["data_format"].s if "data_format" in node.attr else b"NHWC"
    if layer.rank == 4 and data_format != layer.data_format:
        return None
    return bias if bias.shape == (channels,) else None


def _batch_norm(
    constants: Constants, view: GraphView, node: NodeDef, layer: Layer, channels: int
) -> Step | str:
    """Sources: the kernels' definition; y = (x - mean) / sqrt(variance + epsilon) * gamma + beta."""
    if node.op == OLD_OP:
        order = ("mean", "variance", "beta", "gamma")
        epsilon = node.attr["variance_epsilon"].f
        data_format = b"NHWC"
    else:
        order = ("gamma", "beta", "mean", "variance")
        epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else _DEFAULT_EPSILON
        data_format = node.attr["data_format"].s if "data_format" in node.attr else b"NHWC"
        if "is_training" not in node.attr or node.attr["is_training"].b:
            return "it is in training mode: it uses the batch's own statistics"
        if node.attr["T"].type != DT_FLOAT:
            return "it does not compute in float32"
    if layer.rank != 4 or data_format != layer.data_format:
        return f"its data_format differs from that of {layer.name!r}"
    refs = view.data_inputs(node.name)
    if len(refs) != 5:
        return f"it has {len(refs)} inputs"
    figures: dict[str, NDArray[np.float64]] = {}
    for what, ref in zip(order, refs[1:], strict=True):
        value = constants.value(ref)
        if value is None:
            return f"its {what} ({str(ref)!r}) is not a constant"
        if value.shape != (channels,):
            return f"its {what} has shape {list(value.shape)}, and {layer.name!r} has {channels} channels"
        figures[what] = value
    if node.op == OLD_OP and not node.attr["scale_after_normalization"].b:
        figures["gamma"] = np.ones(channels)
    spread = figures["variance"] + epsilon
    if not np.all(spread > 0):
        return "its variance plus epsilon is not above zero everywhere"
    scale = figures["gamma"] / np.sqrt(spread)
    return Step(scale, figures["beta"] - figures["mean"] * scale)
