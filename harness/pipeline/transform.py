"""One step on a graph, and what it did in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import InputError
from harness.transforms.requests import Answer, Request
from harness.transforms.steps import run_step


def carry_out(request: Request) -> Answer:
    """Do the step in a process of its own.

    Raises:
        InputError: the graph is not there.
        ModelError: the step refused the graph or changed what it must not change.
    """
    if not Path(request.graph).is_file():
        raise InputError(
            "there is no such file", where=request.graph, next_step="Name a frozen graph (.pb or .pbtxt)."
        )
    return run_step(request)


def described(request: Request, answer: Answer) -> Iterator[str]:
    """What the step did, a line for each figure that applies to it."""
    if answer.nodes_after is not None:
        yield f"nodes        {answer.nodes_before} -> {answer.nodes_after}"
    if answer.folded:
        yield f"folded       {len(answer.folded)} batch norms"
    for node in answer.left_alone:
        yield f"left alone   {node.node}: {node.reason}"
    if answer.rounded is not None:
        yield f"rounded      {answer.rounded} weight tensors"
    if answer.mapped_tensors is not None and answer.mapped_bytes is not None:
        yield f"mapped       {answer.mapped_tensors} tensors, {answer.mapped_bytes} bytes"
    for difference in answer.differences:
        largest = difference.largest_difference
        yield (
            f"difference   {difference.output}: "
            + (
                "not finite"
                if largest is None
                else f"{largest:.3g} of a range of {difference.reference_range:.3g}"
            )
            + (
                f", same top label {difference.top1_agreement:.1%}"
                if difference.top1_agreement is not None
                else ""
            )
        )
    if answer.result_bytes is not None:
        yield f"written      {getattr(request, 'result', '')}, {answer.result_bytes} bytes"
