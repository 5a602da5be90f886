"""What a step of preparation is asked for and answers: one JSON file each way between host and worker."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.core.value import Value

Names = Annotated[tuple[str, ...], Field(min_length=1)]
Dimensions = tuple[int | None, ...]


LEAST_ELEMENTS = 1024
"""Rounding leaves smaller constants alone: they hardly count in the size, but a bias moves a whole channel."""


class Strip(Value):
    """Cut ``graph`` down to what leads from ``inputs`` to ``outputs``; write it to ``result``."""

    step: Literal["strip"] = "strip"
    graph: str
    result: str
    inputs: Names
    outputs: Names
    shapes: dict[str, Dimensions] = Field(default_factory=dict)
    verify: bool = True


class FoldBatchNorms(Value):
    """Fold batch norms of ``graph``; ``inputs`` are what random values are fed to for the comparison."""

    step: Literal["fold"] = "fold"
    graph: str
    result: str
    inputs: Names
    outputs: Names
    verify: bool = True


class RoundWeights(Value):
    """Round the weights of ``graph``."""

    step: Literal["round"] = "round"
    graph: str
    result: str
    inputs: Names
    outputs: Names
    levels: int = 256
    min_elements: int = LEAST_ELEMENTS
    keep_zero: bool = False
    fitted: bool = False


class MemoryMap(Value):
    """Write ``graph`` memory-mapped, then restore it and compare."""

    step: Literal["memory-map"] = "memory-map"
    graph: str
    result: str
    min_bytes: int = 10_000


class Restore(Value):
    """Turn a memory-mapped graph back into a GraphDef."""

    step: Literal["restore"] = "restore"
    graph: str
    result: str


class Freeze(Value):
    """Replace the variables of ``graph`` by the values in ``checkpoint``."""

    step: Literal["freeze"] = "freeze"
    graph: str
    checkpoint: str
    result: str
    outputs: Names


class Compare(Value):
    """Run ``graph`` and ``candidate`` on the same random values."""

    step: Literal["compare"] = "compare"
    graph: str
    candidate: str
    inputs: Names
    outputs: Names
    seed: int = 0


Request = Strip | FoldBatchNorms | RoundWeights | MemoryMap | Restore | Freeze | Compare
REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="step")])


class Difference(Value):
    """How far one output is from the graph's before the step (see ``compare_graphs.OutputDifference``).

    ``largest_difference`` is absent where an output became NaN or infinite.
    """

    output: str
    largest_difference: float | None
    reference_range: float
    allowed_difference: float
    top1_agreement: float | None


class LeftAloneNode(Value):
    """A batch norm that stayed, and why."""

    node: str
    reason: str


class Answer(Value):
    """What a step did. What does not apply to the step is empty or absent; what was not compared, too."""

    nodes_before: int
    nodes_after: int | None = None
    result_bytes: int | None = None
    differences: tuple[Difference, ...] = ()
    folded: tuple[str, ...] = ()
    left_alone: tuple[LeftAloneNode, ...] = ()
    rounded: int | None = None
    """Consts rounded."""
    mapped_tensors: int | None = None
    mapped_bytes: int | None = None


class Refusal(Value):
    """A step that ended in an error a user can cause."""

    kind: Literal["model", "usage"]
    problem: str
    where: str | None
    next_step: str


class Reply(Value):
    """Exactly one of the two."""

    answer: Answer | None = None
    refusal: Refusal | None = None
