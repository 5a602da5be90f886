"""The chain of preparation, as the tutorial told it: each step of a graph, its size, and its labels checked again."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from harness.core.jobs import Blob, Count, PositiveCount
from harness.core.measurements import Agreement, Proportion
from harness.core.value import Value


class Step(StrEnum):
    """The steps on a GraphDef. The value is what a suite file says; ``source`` is the graph as it came."""

    SOURCE = "source"
    STRIP = "strip"
    FOLD = "fold"
    ROUND = "round"
    MEMORY_MAP = "memory-map"

    @property
    def keeps_values(self) -> bool:
        """Whether outputs may differ only by float rounding."""
        return self is not Step.ROUND


class TopLabel(Value):
    """A class and its score."""

    label: str
    score: float


class ChainStep(Value):
    """A graph after a step, and what it says about the workload beside the graph as it came.

    ``agreement`` is with the source's outputs; ``accuracy`` where truth is known; ``top_labels`` of the chain's
    shown input, best first. ``remarks`` say what the step did, and what it left alone and why.
    """

    step: Step
    graph: Blob
    compressed_bytes: Count
    nodes: PositiveCount
    duration_s: Annotated[float, Field(ge=0)]
    remarks: tuple[str, ...]
    agreement: Agreement
    accuracy: Proportion | None
    top_labels: tuple[TopLabel, ...]

    @property
    def variant_name(self) -> str:
        """The variant that a run measures for this step, if the suite asks for it."""
        return _VARIANTS.get(self.step, self.step.value)


_VARIANTS = {
    Step.STRIP: "stripped",
    Step.FOLD: "folded",
    Step.ROUND: "rounded",
    Step.MEMORY_MAP: "memory-mapped",
}


class Chain(Value):
    """``chain.json`` of a run: the source first, then each step on the result of the one before."""

    shown_input: str
    steps: tuple[ChainStep, ...]
