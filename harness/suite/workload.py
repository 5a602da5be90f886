"""The workload of a suite: inputs, labels, truth, preprocessing, calibration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from harness.core.preprocessing import Preprocessing
from harness.core.value import Value
from harness.core.workload import OutputKind, Task


class CalibrationSection(Value):
    """``[workload.calibration]``: inputs that integer recipes are calibrated on; never evaluated."""

    inputs: str | None = None
    views: Annotated[int, Field(ge=1, le=1000)] = 1
    hold_out: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_way(self) -> CalibrationSection:
        if (self.inputs is None) == (self.hold_out == 0):
            raise ValueError(
                "give either inputs (other files) or hold_out (a number of originals to take out)"
            )
        return self


class WorkloadSection(Value):
    """``[workload]``: inputs, labels, truth."""

    task: Task
    inputs: str
    tensor: str = ""
    labels: str | None = None
    truth: str | None = None
    output: OutputKind = OutputKind.PROBABILITIES
    background_class: bool = False
    views: Annotated[int, Field(ge=1, le=1000)] = 1
    seed: int = 0
    preprocess: Preprocessing | None = None
    calibration: CalibrationSection | None = None

    @model_validator(mode="after")
    def _images_are_preprocessed(self) -> WorkloadSection:
        if self.task is Task.IMAGE_CLASSIFICATION and self.preprocess is None:
            raise ValueError("images need a [workload.preprocess] table with at least size, mean and scale")
        if self.task is Task.TENSORS and self.preprocess is not None:
            raise ValueError("tensors are taken as they are: remove [workload.preprocess]")
        return self
