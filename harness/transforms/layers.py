"""Layers whose weights can take up a scale for each output channel: convolutions and matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.transforms.graph import GraphView, NodeDef, TensorRef

_RANK: Final = {"Conv2D": 4, "DepthwiseConv2dNative": 4, "Conv2DBackpropInput": 4, "MatMul": 2}
LAYER_OPS: Final = frozenset(_RANK)

DT_FLOAT: Final = 1


@dataclass(frozen=True)
class Layer:
    """One such node. ``rank`` is of its output, ``channel_axis`` the output's axis of channels."""

    node: NodeDef
    rank: int
    channel_axis: int
    weights: TensorRef

    @property
    def name(self) -> str:
        return str(self.node.name)

    @property
    def data_format(self) -> bytes:
        return b"NCHW" if self.channel_axis == 1 and self.rank == 4 else b"NHWC"

    @property
    def _weights_channel_axes(self) -> tuple[int, ...]:
        """The axes of the weights that make up the output's channels.

        Source: the op definitions; Conv2D has [height, width, in, out], the depthwise one [height, width, in,
        multiplier] with channel = in * multipliers + multiplier, the transposed one [height, width, out, in].
        """
        if self.node.op == "DepthwiseConv2dNative":
            return (2, 3)
        if self.node.op == "Conv2DBackpropInput":
            return (2,)
        if self.node.op == "MatMul":
            return (0,) if self.node.attr["transpose_b"].b else (1,)
        return (3,)

    def channels(self, weights_shape: tuple[int, ...]) -> int | None:
        """How many output channels weights of this shape give; ``None`` where the rank is wrong."""
        if len(weights_shape) != self.rank:
            return None
        return int(np.prod([weights_shape[axis] for axis in self._weights_channel_axes]))

    def scaled(self, weights: NDArray[np.float32], scale: NDArray[np.float64]) -> NDArray[np.float32]:
        """``weights`` with each output channel times its entry of ``scale``; computed in float64."""
        axes = self._weights_channel_axes
        factors = scale.reshape([size if axis in axes else 1 for axis, size in enumerate(weights.shape)])
        result = np.empty_like(weights)
        # With `out`, numpy converts in small buffers: no float64 copy of the weights is made. What is too
        # large for float32 becomes infinite, and the caller refuses it.
        with np.errstate(all="ignore"):
            np.multiply(weights, factors, out=result, dtype=np.float64, casting="unsafe")
        return result

    def per_channel(self, value: NDArray[np.float64], channels: int) -> NDArray[np.float64] | None:
        """``value`` as one figure a channel, where broadcasting it over the output means that."""
        if value.ndim == 0 or value.ndim > self.rank or value.size != channels:
            return None
        axis = value.ndim - (self.rank - self.channel_axis)
        if axis < 0 or value.shape[axis] != channels:
            return None
        return value.reshape(channels)


def layer_of(view: GraphView, name: str) -> Layer | str:
    """The node as a layer, or why it is none."""
    node = view.nodes[name]
    if node.op not in LAYER_OPS:
        return f"its input {name!r} is a {node.op}, not a convolution or matrix product"
    if node.attr["T"].type != DT_FLOAT:
        return f"{name!r} does not compute in float32"
    refs = view.data_inputs(name)
    if len(refs) != (3 if node.op == "Conv2DBackpropInput" else 2):
        return f"{name!r} has {len(refs)} inputs"
    rank = _RANK[node.op]
    data_format = node.attr["data_format"].s if "data_format" in node.attr else b"NHWC"
    if data_format not in (b"NHWC", b"NCHW"):
        return f"{name!r} has data_format {data_format.decode('utf-8', 'replace')}"
    channel_axis = 1 if rank == 4 and data_format == b"NCHW" else rank - 1
    return Layer(node, rank, channel_axis, refs[1])
