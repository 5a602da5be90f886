"""Which nodes of a graph are its input and output: those that are named, else those that leave no choice.

For worker processes: reading a graph imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from harness.core.model_io import ModelIO
from harness.errors import ModelError
from harness.transforms.graph import VARIABLE_OPS, GraphDef, GraphView, copy_used_library, parse_ref

_PLACEHOLDERS: Final = frozenset({"Placeholder", "PlaceholderV2"})
_NO_RESULT: Final = frozenset(
    {
        *_PLACEHOLDERS,
        *VARIABLE_OPS,
        *("Const", "NoOp", "Assert", "Print", "PrintV2", "CheckNumerics", "CheckNumericsV2"),
        *("PlaceholderWithDefault", "MergeV2Checkpoints", "RestoreV2", "Restore", "RestoreSlice"),
    }
)
_NO_RESULT_BEGINNINGS: Final = ("Assign", "Apply", "Save", "ResourceApply", "SparseApply", "Scatter", "Queue")
_SCORES: Final = frozenset({"Softmax", "LogSoftmax", "Sigmoid"})
_LAYERS: Final = frozenset(
    {"Conv2D", "DepthwiseConv2dNative", "MatMul", "Conv1D", "Conv3D", "BatchMatMulV2", "MaxPool", "AvgPool"}
)
_WRITING: Final = frozenset(
    {
        *("WriteFile", "Save", "SaveV2", "SaveSlices", "MergeV2Checkpoints", "PyFunc", "PyFuncStateless"),
        *("EagerPyFunc", "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "CreateSummaryFileWriter"),
        *("CreateSummaryDbWriter", "DatasetToTFRecord", "SaveDataset", "SaveDatasetV2", "DistributedSave"),
    }
)
"""Ops that write files, send values elsewhere or call Python; a model that is only run needs none of them."""
_SAVER: Final = frozenset({"SaveV2", "MergeV2Checkpoints"})
_DT_STRING: Final = 7
_LISTED: Final = 8
_FREEZE: Final = (
    "Freeze it: name the folder that holds the graph with its checkpoint (.index, .data files) as model.path."
)


class Ends(NamedTuple):
    """Names of tensors or nodes, as they were given where they were given."""

    input: str
    output: str


def tensor_name(name: str) -> str:
    """The name with its port: a node's is that of its first tensor, ``:0``."""
    ref = parse_ref(name)
    return f"{ref.node}:{ref.port}"


def find_ends(view: GraphView, io: ModelIO) -> Ends:
    """The graph's input and output.

    Raises:
        ModelError: a name is not in the graph, or none was given and there is not exactly one candidate; the
            error lists them.
    """
    output = io.output or _only_output(view)
    view.node(parse_ref(output).node)
    given = io.input or _only_input(view, output)
    view.node(parse_ref(given).node)
    return Ends(given, output)


def check_frozen(view: GraphView, ends: Ends) -> set[str]:
    """The nodes that lead to the output, those before the input included.

    Raises:
        ModelError: the output does not come from the input, or also from another placeholder; the graph still has
            variables there; a node there writes files or calls Python; the input takes image files.
    """
    given, output = parse_ref(ends.input).node, parse_ref(ends.output).node
    needed = view.ancestors([output], stop={given})
    if given not in needed:
        raise ModelError(
            f"the output {ends.output!r} does not depend on the input {ends.input!r}",
            next_step="Check model.input and model.output: the output must be computed from the input.",
        )
    variables = [name for name in needed if view.nodes[name].op in VARIABLE_OPS]
    if variables:
        raise ModelError(
            f"the graph is not frozen: it reads {len(variables)} variables, such as {min(variables)!r}",
            next_step=_FREEZE,
        )
    others = [name for name in needed if view.nodes[name].op in _PLACEHOLDERS and name != given]
    if others:
        raise ModelError(
            f"the output {ends.output!r} also needs the placeholder{'s' if len(others) > 1 else ''} "
            f"{_quoted(sorted(others))}",
            next_step="Set model.input to a tensor behind all of them, or export the graph with those fixed.",
        )
    needed_graph = type(view.graph)()
    needed_graph.node.extend(view.nodes[name] for name in needed)
    copy_used_library(view.graph, needed_graph)
    refuse_writing(needed_graph)
    if given == output:
        raise ModelError(f"{output!r} is the input and the output", next_step="Name two different tensors.")
    return view.ancestors([output])


def takes_image_files(view: GraphView, ends: Ends) -> bool:
    """Whether the input takes text: the bytes of image files, to be decoded in the graph."""
    node = view.node(parse_ref(ends.input).node)
    return node.op in _PLACEHOLDERS and node.attr["dtype"].type == _DT_STRING


def refuse_image_files(view: GraphView, ends: Ends) -> None:
    """For where inputs are numbers.

    Raises:
        ModelError: the input takes image files; the next step names the tensor that takes pixels.
    """
    if not takes_image_files(view, ends):
        return
    pixels = _before_first_layer(view, parse_ref(ends.input).node)
    such = f", such as {pixels!r}" if pixels else ""
    raise ModelError(
        f"the input {ends.input!r} takes the bytes of image files, not pixels",
        next_step=f"Set model.input to the tensor behind decoding and scaling{such}.",
    )


def _only_output(view: GraphView) -> str:
    results = [name for name in view.order if _is_result(view, name)]
    sinks = [name for name in results if not any(use.port >= 0 for use in view.uses(name))]
    scores = [name for name in results if view.nodes[name].op in _SCORES and name not in sinks]
    # A loss is computed from the labels too, which are fed like an input: the scores before it are not.
    if len(sinks) == 1:
        fed = len(_fed(view, sinks[0]))
        if fed < 2 or all(len(_fed(view, name)) >= fed for name in scores):
            return sinks[0]
    candidates = scores + sinks
    if not candidates:
        raise ModelError(
            "the graph computes nothing from a placeholder, so that its output is not known",
            next_step="Set model.input and model.output in the suite (or --input and --output).",
        )
    raise ModelError(
        f"the graph has {len(candidates)} nodes that may be its output: {_quoted(candidates)}",
        next_step=f'Set model.output in the suite (or --output), such as "{candidates[0]}".',
    )


def _is_result(view: GraphView, name: str) -> bool:
    op = view.nodes[name].op
    if op in _NO_RESULT or op.startswith(_NO_RESULT_BEGINNINGS) or op.endswith("Summary"):
        return False
    return any(
        view.nodes[other].op in _PLACEHOLDERS or view.nodes[other].op == "PlaceholderWithDefault"
        for other in view.ancestors([name])
    )


def _only_input(view: GraphView, output: str) -> str:
    fed = _fed(view, parse_ref(output).node)
    if len(fed) == 1:
        return fed[0]
    if not fed:
        raise ModelError(
            f"no placeholder feeds the output {output!r}",
            next_step="Set model.input in the suite (or --input) to the tensor that takes the input.",
        )
    raise ModelError(
        f"{len(fed)} placeholders feed the output {output!r}: {_quoted(fed)}",
        next_step="Set model.input in the suite (or --input) to one of them, or to a tensor behind all of them.",
    )


def _fed(view: GraphView, output: str) -> list[str]:
    """The placeholders before ``output``; those with a default only where there are no others."""
    needed = view.ancestors([output])
    return sorted(name for name in needed if view.nodes[name].op in _PLACEHOLDERS) or sorted(
        name for name in needed if view.nodes[name].op == "PlaceholderWithDefault"
    )


def refuse_writing(graph: GraphDef, *, with_saver: bool = False) -> None:
    """Refuse a graph that does more than compute.

    ``with_saver``: what a SavedModel is written with may be in it; it is not run.

    Raises:
        ModelError: a node of it or of a function writes files, sends values elsewhere or calls Python.
    """
    refused = _WRITING - _SAVER if with_saver else _WRITING
    called = [(node.name, node.op) for node in graph.node]
    for function in graph.library.function:
        called += [(f"{function.signature.name}/{node.name}", node.op) for node in function.node_def]
    for name, op in called:
        if op in refused:
            raise ModelError(
                f"the node {name!r} ({op}) writes files or calls Python, and is not run",
                next_step="Name an output that does not need it, or export the model without it.",
            )


def _before_first_layer(view: GraphView, name: str) -> str:
    """The node whose value goes into the first layer behind ``name``; empty where there is none."""
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        consumers = [use.consumer for use in view.uses(name) if use.port >= 0]
        if any(view.nodes[consumer].op in _LAYERS for consumer in consumers):
            return name
        if not consumers:
            break
        name = consumers[0]
    return ""


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_LISTED])
    return f"{shown}, …" if len(names) > _LISTED else shown
