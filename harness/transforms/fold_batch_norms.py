"""Fold batch norms into the weights of the layer before them.

At inference a batch norm multiplies each channel by a constant and adds one: the layer's weights can carry
the factor, and one bias the rest. Known are the ops BatchNormWithGlobalNormalization and FusedBatchNorm, V2
and V3, and the same computed by Mul, Add, AddV2, Sub, Rsqrt and Neg (``tf.nn.batch_normalization`` in all its
spellings, with or without gamma and beta, as Keras 3 emits it too), after Conv2D, DepthwiseConv2dNative,
Conv2DBackpropInput and MatMul. A bias, an Identity or a dilated convolution's BatchToSpaceND may stand
between.

What is not exactly that is left alone, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harness.transforms.channel_steps import ADD_OPS, BATCH_NORM_OPS, Step, data_and_constant, step_of
from harness.transforms.constants import Constants
from harness.transforms.fold_edits import Fold, apply_folds
from harness.transforms.graph import GraphDef, GraphView, const_value, parse_ref
from harness.transforms.layers import DT_FLOAT, LAYER_OPS, Layer, layer_of

_REARRANGES: Final = "BatchToSpaceND"
_LONGEST_CHAIN: Final = 16


@dataclass(frozen=True)
class LeftAlone:
    """A node a pass did not change although it looks like one it is for, and why."""

    node: str
    reason: str


@dataclass(frozen=True)
class FoldResult:
    """The new graph, the batch norms that are no longer in it, and those that still are."""

    graph: GraphDef
    folded: tuple[str, ...]
    left_alone: tuple[LeftAlone, ...]


@dataclass(frozen=True)
class _Chain:
    """A layer and the nodes after it up to the batch norm, each the only consumer of the one before."""

    layer: Layer
    names: tuple[str, ...]
    rearranging: tuple[str, ...]


def fold_batch_norms(graph: GraphDef, *, outputs: Sequence[str] = ()) -> FoldResult:
    """Fold what can be folded without changing any other value.

    ``outputs`` are nodes read from outside, whose values must stay as they are; a node that nothing in the
    graph consumes is one anyway. Folded weights are computed in float64 and stored as float32. ``versions``
    and the function library stay.

    Raises:
        ModelError: the graph does not hang together (see ``GraphView``).
    """
    folded: list[str] = []
    while True:
        view = GraphView(graph)
        finder = _Finder(view, {parse_ref(name).node for name in outputs})
        folds, left_alone, waiting = finder.find()
        if not folds:
            return FoldResult(graph, tuple(folded), tuple(left_alone))
        graph = apply_folds(view, folds, finder.protected)
        folded.extend(fold.batch_norm for fold in folds)
        # Two batch norms after one another share nodes: the second is folded into the result of the first.
        if not waiting:
            return FoldResult(graph, tuple(folded), tuple(left_alone))


class _Finder:
    def __init__(self, view: GraphView, protected: set[str]) -> None:
        self.view = view
        self.protected = protected
        self.constants = Constants(view)

    def find(self) -> tuple[list[Fold], list[LeftAlone], bool]:
        folds: list[Fold] = []
        left_alone: list[LeftAlone] = []
        touched: set[str] = set()
        waiting = False
        for name in self.view.order:
            op = self.view.nodes[name].op
            if op not in BATCH_NORM_OPS and not (op == "Mul" and self._is_scale(name)):
                continue
            found = self._fold(name)
            if isinstance(found, str):
                if op in BATCH_NORM_OPS or self._normalizes(name):
                    left_alone.append(LeftAlone(name, found))
            elif touched & found.nodes:
                waiting = True
            else:
                touched |= found.nodes
                folds.append(found)
        return folds, left_alone, waiting

    def _is_scale(self, name: str) -> bool:
        if self.view.nodes[name].attr["T"].type != DT_FLOAT:
            return False
        operands = data_and_constant(self.constants, self.view, name)
        value = self.constants.value(operands[1]) if operands else None
        return value is not None and value.ndim > 0

    def _normalizes(self, name: str) -> bool:
        operands = data_and_constant(self.constants, self.view, name)
        return operands is not None and self.constants.uses_rsqrt(operands[1])

    def _fold(self, anchor: str) -> Fold | str:
        chain = self._chain(anchor)
        if isinstance(chain, str):
            return chain
        layer, view = chain.layer, self.view
        weights_name = self._weights_const(layer)
        if weights_name is None:
            return f"the weights of {layer.name!r} are not a constant"
        shape = tuple(dim.size for dim in view.nodes[weights_name].attr["value"].tensor.tensor_shape.dim)
        channels = layer.channels(shape)
        if not channels:
            return f"the weights of {layer.name!r} have shape {list(shape)}"
        step = self._composed(chain, channels)
        if isinstance(step, str):
            return step
        names = self._with_trailing_add(chain, channels)
        if names != chain.names:
            last = step_of(self.constants, view, names[-1], names[-2], layer, channels)
            assert isinstance(last, Step)
            step = step.then(last)
        offset = step.offset.astype(np.float32)
        weights = layer.scaled(const_value(view.nodes[weights_name]), step.scale)
        if not (np.all(np.isfinite(weights)) and np.all(np.isfinite(offset))):
            return "the folded weights are not finite"
        return Fold(
            batch_norm=anchor,
            layer=layer,
            weights_const=weights_name,
            weights=weights,
            offset=offset,
            has_offset=any(view.nodes[name].op in ADD_OPS | BATCH_NORM_OPS for name in names),
            chain=names,
            rearranging=chain.rearranging,
        )

    def _chain(self, anchor: str) -> _Chain | str:
        """Walk back from the batch norm to its layer."""
        view, names = self.view, [anchor]
        rearranging: list[str] = []
        further = {use.port for use in view.uses(anchor)} - {0, -1}
        if further:
            return "its further outputs (batch statistics) are used"
        while len(names) < _LONGEST_CHAIN:
            current = names[0]
            node = view.nodes[current]
            if node.op in ("Mul", *ADD_OPS):
                operands = data_and_constant(self.constants, view, current)
                if operands is None:
                    return f"an operand of {current!r} ({node.op}) is not a constant"
                source = operands[0]
            else:
                source = view.data_inputs(current)[0]
            if source.port != 0:
                return f"its input {str(source)!r} is not a layer's output"
            alone = self._only_consumer(source.node)
            if alone:
                return alone
            op = view.nodes[source.node].op
            if op in LAYER_OPS:
                layer = layer_of(view, source.node)
                return layer if isinstance(layer, str) else _Chain(layer, tuple(names), tuple(rearranging))
            if op == _REARRANGES:
                if not self._moves_only_space(source.node):
                    return f"{source.node!r} ({op}) may move channels"
                rearranging.insert(0, source.node)
            elif op not in ("Identity", "Mul", *ADD_OPS, *BATCH_NORM_OPS):
                return f"its input {source.node!r} is a {op}, not a convolution or matrix product"
            names.insert(0, source.node)
        return "no layer stands close before it"

    def _only_consumer(self, name: str) -> str | None:
        uses = self.view.uses(name)
        if name in self.protected:
            return f"{name!r} is also an output of the graph"
        if len(uses) > 1:
            others = sorted({use.consumer for use in uses})
            return f"the output of {name!r} is used by {' and '.join(repr(other) for other in others)}"
        return None

    def _moves_only_space(self, name: str) -> bool:
        block = self.constants.value(self.view.data_inputs(name)[1])
        return block is not None and block.shape == (2,)

    def _weights_const(self, layer: Layer) -> str | None:
        """The Const that holds the weights, through Identity nodes."""
        ref, depth = layer.weights, 0
        while ref.port == 0 and depth < _LONGEST_CHAIN and not self.view.control_inputs(ref.node):
            node = self.view.nodes[ref.node]
            if node.op == "Const" and node.attr["dtype"].type == DT_FLOAT:
                return ref.node
            if node.op != "Identity":
                return None
            ref, depth = self.view.data_inputs(ref.node)[0], depth + 1
        return None

    def _composed(self, chain: _Chain, channels: int) -> Step | str:
        step = Step(np.ones(channels), np.zeros(channels))
        data = chain.layer.name
        for name in chain.names:
            op = self.view.nodes[name].op
            if op == _REARRANGES and chain.layer.data_format != b"NHWC":
                return f"{name!r} moves channels: the layer's data_format is NCHW"
            if op not in ("Identity", _REARRANGES):
                found = step_of(self.constants, self.view, name, data, chain.layer, channels)
                if isinstance(found, str):
                    return found
                step = step.then(found)
            data = name
        return step

    def _with_trailing_add(self, chain: _Chain, channels: int) -> tuple[str, ...]:
        """The chain with the addition of the decomposed form's offset, where it directly follows."""
        last = chain.names[-1]
        if self.view.nodes[last].op != "Mul" or self._only_consumer(last) or not self.view.uses(last):
            return chain.names
        after = self.view.uses(last)[0].consumer
        if self.view.nodes[after].op not in ADD_OPS or self.view.uses(last)[0].port != 0:
            return chain.names
        step = step_of(self.constants, self.view, after, last, chain.layer, channels)
        return chain.names if isinstance(step, str) else (*chain.names, after)
