"""Which control edges of a graph may go.

A control edge ``a → ^b`` says: run ``a`` after ``b``. In a frozen graph that matters only where ``b`` has an
effect that ``a`` could notice, or where ``b`` decides whether ``a`` runs at all (the branches of ``tf.cond``,
the frames of ``tf.while_loop``).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from harness.transforms.graph import CONTROL_FLOW_OPS, GraphDef, GraphView, NodeDef, called_functions

CHECK_OPS: Final = frozenset({"Assert", "CheckNumerics", "CheckNumericsV2", "Print", "PrintV2"})
"""Ops that only look at values: they print, or end the run with an error."""

_CALLING_OPS: Final = frozenset({"If", "Case", "While", "StatefulPartitionedCall"})
"""Ops that count as having effects only because the functions they call might."""


class ControlEdges:
    """Judges the control edges of ``view``."""

    def __init__(self, view: GraphView) -> None:
        self._view = view
        self._behind: dict[str, _Behind] = {}
        effects = _Effects(view.graph)
        for name in view.order:
            node = view.nodes[name]
            before = [self._behind[ref.node] for ref in view.inputs(name) if ref.node in self._behind]
            self._behind[name] = _behind(node, before, effects.has_effect(node))

    def may_go(self, waiting: str, waited_for: str) -> bool:
        """Whether ``waiting`` computes the same without its control input ``^waited_for``."""
        op = self._view.nodes[waited_for].op
        behind = self._behind[waited_for]
        if behind.has_effect or behind.in_loop:
            return False
        if behind.branch_depth == 0:
            return True
        # In a branch it also says that the waiting node belongs there; where data comes in, that says it too. A
        # Merge in a branch is the end of a check's own tf.cond.
        return bool(self._view.data_inputs(waiting)) and (op in CHECK_OPS or op == "Merge")


class _Behind(NamedTuple):
    """What stands at a node or before it. ``branch_depth`` counts the ``tf.cond`` the node is inside of."""

    has_effect: bool
    branch_depth: int
    in_loop: bool


def _behind(node: NodeDef, before: list[_Behind], has_effect: bool) -> _Behind:
    op = node.op.removeprefix("Ref")
    depth = max((behind.branch_depth for behind in before), default=0)
    if op == "Switch":
        depth += 1
    elif op == "Merge":
        depth = max(0, depth - 1)
    loop_op = node.op in CONTROL_FLOW_OPS and op not in ("Switch", "Merge")
    return _Behind(
        has_effect=has_effect or any(behind.has_effect for behind in before),
        branch_depth=depth,
        in_loop=loop_op or any(behind.in_loop for behind in before),
    )


class _Effects:
    """Which nodes do more than compute and check."""

    def __init__(self, graph: GraphDef) -> None:
        self._functions = {function.signature.name: function for function in graph.library.function}
        self._known: dict[str, bool] = {}

    def has_effect(self, node: NodeDef) -> bool:
        from tensorflow.python.framework import op_def_registry

        if node.op in CHECK_OPS:
            return False
        if node.op in self._functions:
            return self._function_has_effect(node.op)
        if node.op in _CALLING_OPS:
            return any(self._function_has_effect(name) for name in called_functions(node))
        definition = op_def_registry.get(node.op)
        # An op this TensorFlow does not know may have any effect.
        return definition is None or bool(definition.is_stateful)

    def _function_has_effect(self, name: str) -> bool:
        if name not in self._known:
            # A function that calls itself has the effects of the rest of its body.
            self._known[name] = False
            function = self._functions.get(name)
            self._known[name] = function is None or any(self.has_effect(node) for node in function.node_def)
        return self._known[name]
