"""Which control edges of a graph may go.

A control edge ``a → ^b`` says: run ``a`` after ``b``. In a frozen graph that matters only where ``b`` has an
effect that ``a`` could notice, or where ``b`` decides whether ``a`` runs at all (the branches of ``tf.cond``,
the frames of ``tf.while_loop``).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from harness.transforms.graph import CONTROL_FLOW_OPS, GraphView

CHECK_OPS: Final = frozenset({"Assert", "CheckNumerics", "CheckNumericsV2", "Print", "PrintV2"})
"""Ops that only look at values: they print, or end the run with an error."""

_LOOP_OPS: Final = frozenset(
    {
        op
        for op in CONTROL_FLOW_OPS
        if op.removeprefix("Ref") in ("Enter", "Exit", "NextIteration", "LoopCond")
    }
)


class _Behind(NamedTuple):
    """What stands at a node or before it."""

    has_effect: bool
    branches: bool
    loops: bool


class ControlEdges:
    """Judges the control edges of ``view``."""

    def __init__(self, view: GraphView) -> None:
        from tensorflow.python.framework import op_def_registry

        self._view = view
        self._behind: dict[str, _Behind] = {}
        for name in view.order:
            op = view.nodes[name].op
            definition = op_def_registry.get(op)
            # An op this TensorFlow does not know may have any effect.
            effect = (definition is None or definition.is_stateful) and op not in CHECK_OPS
            control_flow = op in CONTROL_FLOW_OPS
            before = [self._behind[ref.node] for ref in view.inputs(name) if ref.node in self._behind]
            self._behind[name] = _Behind(
                has_effect=effect or any(behind.has_effect for behind in before),
                branches=(control_flow and op not in _LOOP_OPS) or any(behind.branches for behind in before),
                loops=op in _LOOP_OPS or any(behind.loops for behind in before),
            )

    def may_go(self, waiting: str, waited_for: str) -> bool:
        """Whether ``waiting`` computes the same without its control input ``^waited_for``."""
        op = self._view.nodes[waited_for].op
        behind = self._behind[waited_for]
        if op in CHECK_OPS:
            # A check in a branch or a loop also says where the waiting node runs; data inputs say it too.
            return bool(self._view.data_inputs(waiting)) or not (behind.branches or behind.loops)
        if behind.has_effect or behind.loops:
            return False
        # After a Merge the branch is over: tf.Assert's own guard is a tf.cond that ends so.
        return not behind.branches or (op == "Merge" and bool(self._view.data_inputs(waiting)))
