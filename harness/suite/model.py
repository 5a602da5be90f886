"""The source model of a suite, and the steps of preparation it is taken through."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from harness.core.chain import Step
from harness.core.model_io import ModelIO
from harness.core.value import Value


class ModelSection(Value):
    """``[model]``: the source model; what of it is fed and compared, where that is not clear."""

    path: str
    input: str = ""
    output: str = ""
    signature: str = ""

    @property
    def io(self) -> ModelIO:
        return ModelIO(input=self.input, output=self.output, signature=self.signature)


class ChainSection(Value):
    """``[chain]``: steps that a frozen graph is taken through, its labels checked after each."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _steps_follow_the_source(self) -> ChainSection:
        if Step.SOURCE in self.steps:
            raise ValueError("source is where the chain starts, not a step of it")
        if Step.STRIP in self.steps[1:]:
            raise ValueError("strip comes first: the other steps need the graph between its input and output")
        if Step.MEMORY_MAP in self.steps[:-1]:
            raise ValueError("memory-map comes last: what it writes is no longer a plain graph")
        return self
