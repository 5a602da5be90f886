"""One step in a process of its own: ``python -m harness.transforms.worker REQUEST.json REPLY.json``.

TensorFlow can crash on a hostile or unlucky graph; then only this process dies. What it prints goes to standard
error, and the reply is written last.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError, ModelError, UsageError
from harness.transforms import requests
from harness.transforms.compare_graphs import OutputDifference, compare_graphs, verify_unchanged
from harness.transforms.fold_batch_norms import fold_batch_norms
from harness.transforms.freeze import freeze
from harness.transforms.graph import GraphDef
from harness.transforms.graphdef_file import read_graphdef, write_atomically, write_graphdef
from harness.transforms.memory_map import restore_memory_mapped, write_memory_mapped
from harness.transforms.requests import Answer, Difference, LeftAloneNode, Refusal, Reply, Request
from harness.transforms.round_weights import round_weights
from harness.transforms.strip import strip


def run(request: Request) -> Answer:
    """Do the step.

    Raises:
        ModelError: the graph cannot be used, or a step that must not change values did.
        UsageError: a setting out of its range.
    """
    match request:
        case requests.Strip():
            return _strip(request)
        case requests.FoldBatchNorms():
            return _fold(request)
        case requests.RoundWeights():
            return _round(request)
        case requests.MemoryMap():
            return _memory_map(request)
        case requests.Restore():
            graph = restore_memory_mapped(Path(request.graph))
            return _written(graph, request.result, len(graph.node))
        case requests.Freeze():
            graph = freeze(Path(request.graph), Path(request.checkpoint), outputs=request.outputs)
            return _written(graph, request.result, len(graph.node))
        case requests.Compare():
            before, after = read_graphdef(Path(request.graph)), read_graphdef(Path(request.candidate))
            found = compare_graphs(
                before, after, inputs=request.inputs, outputs=request.outputs, seed=request.seed
            )
            return Answer(
                nodes_before=len(before.node), nodes_after=len(after.node), differences=_differences(found)
            )


def _strip(request: requests.Strip) -> Answer:
    before = read_graphdef(Path(request.graph))
    after = strip(before, inputs=request.inputs, outputs=request.outputs, shapes=request.shapes)
    differences = _verified(before, after, request) if request.verify else ()
    return _written(after, request.result, len(before.node)).model_copy(update={"differences": differences})


def _fold(request: requests.FoldBatchNorms) -> Answer:
    before = read_graphdef(Path(request.graph))
    result = fold_batch_norms(before, outputs=request.outputs)
    differences = _verified(before, result.graph, request) if request.verify else ()
    return _written(result.graph, request.result, len(before.node)).model_copy(
        update={
            "differences": differences,
            "folded": result.folded,
            "left_alone": tuple(LeftAloneNode(node=n.node, reason=n.reason) for n in result.left_alone),
        }
    )


def _verified(
    before: GraphDef, after: GraphDef, request: requests.Strip | requests.FoldBatchNorms
) -> tuple[Difference, ...]:
    return _differences(
        verify_unchanged(before, after, step=request.step, inputs=request.inputs, outputs=request.outputs)
    )


def _round(request: requests.RoundWeights) -> Answer:
    before = read_graphdef(Path(request.graph))
    result = round_weights(
        before,
        levels=request.levels,
        min_elements=request.min_elements,
        keep_zero=request.keep_zero,
        fitted=request.fitted,
    )
    found = compare_graphs(before, result.graph, inputs=request.inputs, outputs=request.outputs)
    return _written(result.graph, request.result, len(before.node)).model_copy(
        update={"differences": _differences(found), "rounded": len(result.rounded)}
    )


def _memory_map(request: requests.MemoryMap) -> Answer:
    graph, path = read_graphdef(Path(request.graph)), Path(request.result)
    written = write_memory_mapped(path, graph, min_bytes=request.min_bytes)
    if not same_values(graph, restore_memory_mapped(path)):
        path.unlink()
        raise ModelError(
            "the memory-mapped graph does not read back as it was",
            where=request.result,
            next_step="Check the disk, and try again.",
        )
    return Answer(
        nodes_before=len(graph.node),
        nodes_after=len(graph.node),
        result_bytes=written.file_bytes,
        mapped_tensors=written.tensors,
        mapped_bytes=written.tensor_bytes,
    )


def same_values(first: GraphDef, second: GraphDef) -> bool:
    """Whether the graphs are equal node by node, however their Consts are encoded."""
    from harness.transforms.graph import const_value

    if len(first.node) != len(second.node) or first.versions != second.versions:
        return False
    for one, other in zip(first.node, second.node, strict=True):
        if (one.name, one.op, list(one.input)) != (other.name, other.op, list(other.input)):
            return False
        if one.op == "Const" and one != other:
            left, right = const_value(one), const_value(other)
            if left.shape != right.shape or left.tobytes() != right.tobytes():
                return False
    return bool(first.library == second.library)


def _written(graph: GraphDef, result: str, nodes_before: int) -> Answer:
    path = Path(result)
    write_graphdef(path, graph)
    return Answer(nodes_before=nodes_before, nodes_after=len(graph.node), result_bytes=path.stat().st_size)


def _differences(found: Sequence[OutputDifference]) -> tuple[Difference, ...]:
    return tuple(
        Difference(
            output=one.output,
            largest_difference=one.largest_difference if math.isfinite(one.largest_difference) else None,
            reference_range=one.reference_range,
            allowed_difference=one.allowed_difference,
            top1_agreement=one.top1_agreement,
        )
        for one in found
    )


def main(arguments: Sequence[str]) -> int:
    """Read the request, do it, write the reply. Returns 0 when a reply was written."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    request_path, reply_path = (Path(argument) for argument in arguments)
    request = requests.REQUEST.validate_json(request_path.read_bytes())
    try:
        reply = Reply(answer=run(request))
    except HarnessError as error:
        refusal = Refusal(
            kind="usage" if isinstance(error, UsageError) else "model",
            problem=error.problem,
            where=error.where or request.graph,
            next_step=error.next_step,
        )
        reply = Reply(refusal=refusal)
    write_atomically(reply_path, [reply.model_dump_json().encode()])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
