"""Write folded batch norms into a graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.transforms.graph import (
    GraphDef,
    GraphView,
    NodeDef,
    new_graph_like,
    replace_const_value,
    set_const,
)
from harness.transforms.layers import DT_FLOAT, Layer


@dataclass(frozen=True)
class Fold:
    """``chain``, the nodes after ``layer`` in order, becomes new ``weights`` and one bias of ``offset``.

    ``rearranging`` are those of the chain that stay, after the bias. The chain's last name stays, because its
    consumers read it.
    """

    batch_norm: str
    layer: Layer
    weights_const: str
    weights: NDArray[np.float32]
    offset: NDArray[np.float32]
    has_offset: bool
    chain: tuple[str, ...]
    rearranging: tuple[str, ...]

    @property
    def nodes(self) -> set[str]:
        return {self.layer.name, *self.chain}


def apply_folds(view: GraphView, folds: Sequence[Fold], protected: Collection[str]) -> GraphDef:
    """The graph with all of ``folds`` done; constants nothing reads any more are gone.

    No two of ``folds`` may share a node of their chains. Nodes in ``protected`` stay.
    """
    replaced = {name: fold for fold in folds for name in fold.nodes}
    writer = _Writer(view, set(view.nodes))
    own_weights = {fold.weights_const for fold in folds if _is_exclusive(view, fold, protected)}
    gone = _unused_after(view, replaced, own_weights, protected)
    for name, node in view.nodes.items():
        if name in replaced:
            fold = replaced[name]
            if name == fold.layer.name:
                writer.write(fold, fold.weights_const in own_weights)
        elif name not in gone and name not in own_weights:
            writer.graph.node.add().CopyFrom(node)
    return writer.graph


def _is_exclusive(view: GraphView, fold: Fold, protected: Collection[str]) -> bool:
    """Whether no other node reads the weights, so that the Const may change in place."""
    name, layer = fold.layer.weights.node, fold.layer.name
    consumer = layer
    while True:
        if {use.consumer for use in view.uses(name)} != {consumer} or name in protected:
            return False
        if name == fold.weights_const:
            return True
        consumer, name = name, view.data_inputs(name)[0].node


def _unused_after(
    view: GraphView, replaced: Mapping[str, Fold], own_weights: Collection[str], protected: Collection[str]
) -> set[str]:
    """Nodes that only fed what the folds take away."""
    gone: set[str] = set()
    for name in reversed(view.order):
        uses = view.uses(name)
        if name in replaced or name in own_weights or name in protected or not uses:
            continue
        if view.nodes[name].op.startswith("Placeholder"):
            continue
        if all(
            use.consumer in gone
            or (use.consumer in replaced and name not in _still_read(view, replaced[use.consumer]))
            for use in uses
        ):
            gone.add(name)
    return gone


def _still_read(view: GraphView, fold: Fold) -> set[str]:
    """The nodes that feed what remains of the fold: the layer's data, and all that is waited for."""
    read = {ref.node for index, ref in enumerate(view.inputs(fold.layer.name)) if index != 1}
    for name in fold.chain:
        read |= {ref.node for ref in view.control_inputs(name)}
        if name in fold.rearranging:
            read |= {ref.node for ref in view.data_inputs(name)[1:]}
    return read


class _Writer:
    def __init__(self, view: GraphView, taken: set[str]) -> None:
        self.graph = new_graph_like(view.graph, with_library=True)
        self._view = view
        self._taken = taken

    def write(self, fold: Fold, in_place: bool) -> None:
        """Write the layer, its weights, its bias, and what of the chain stays."""
        tail = fold.chain[-1]
        kept = [name for name in fold.chain if name in fold.rearranging]
        layer = self.graph.node.add()
        layer.CopyFrom(fold.layer.node)
        weights_name = self._weights(fold, in_place)
        layer.input[1] = weights_name
        after = layer
        if fold.has_offset:
            after = self._bias(fold, tail if not kept else self._unique(f"{fold.layer.name}/folded_bias_add"))
        elif not kept:
            layer.name = tail
        for name in kept:
            before, after = after, self.graph.node.add()
            after.CopyFrom(self._view.nodes[name])
            after.input[0] = before.name
            after.name = tail if name == kept[-1] else name
        self._carry_control_inputs(fold, after)

    def _weights(self, fold: Fold, in_place: bool) -> str:
        const = self.graph.node.add()
        if in_place:
            const.name = fold.weights_const
            source = self._view.nodes[fold.weights_const]
            const.op, const.device = source.op, source.device
            const.attr["dtype"].CopyFrom(source.attr["dtype"])
            replace_const_value(const, fold.weights)
        else:
            set_const(const, self._unique(f"{fold.layer.name}/folded_weights"), fold.weights)
        return str(const.name)

    def _bias(self, fold: Fold, name: str) -> NodeDef:
        offset = self.graph.node.add()
        set_const(offset, self._unique(f"{fold.layer.name}/folded_bias"), fold.offset)
        bias = self.graph.node.add()
        bias.name = name
        bias.op = "BiasAdd"
        bias.device = fold.layer.node.device
        bias.input.extend([fold.layer.name, offset.name])
        bias.attr["T"].type = DT_FLOAT
        bias.attr["data_format"].s = fold.layer.data_format
        return bias

    def _carry_control_inputs(self, fold: Fold, last: NodeDef) -> None:
        have = {text for text in last.input if text.startswith("^")}
        for name in fold.chain:
            for ref in self._view.control_inputs(name):
                if str(ref) not in have and ref.node not in fold.nodes:
                    have.add(str(ref))
                    last.input.append(str(ref))

    def _unique(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        return name
