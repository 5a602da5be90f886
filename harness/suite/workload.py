"""The workload of a suite: inputs, labels, truth, preprocessing, calibration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from harness.core.preprocessing import Preprocessing
from harness.core.text_encoding import DEFAULT_LENGTH, Alphabet, TextLength
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


class TextSection(Value):
    """``[workload.text]``: how a text becomes numbers, and how many texts are typed key by key.

    ``alphabet`` is the file that training wrote beside the model. Without it ``characters`` is the alphabet itself.
    """

    alphabet: str | None = None
    characters: Alphabet | None = None
    lowercase: bool = True
    length: TextLength = DEFAULT_LENGTH
    keystrokes: Annotated[int, Field(ge=0, le=1000)] = 0
    keystroke_pause_ms: Annotated[float, Field(ge=0, le=10_000)] = 0.0

    @model_validator(mode="after")
    def _one_encoding(self) -> TextSection:
        if (self.alphabet is None) == (self.characters is None):
            raise ValueError(
                "give either alphabet (the file beside the model) or characters (the alphabet itself)"
            )
        if self.alphabet is not None and {"lowercase", "length"} & self.model_fields_set:
            raise ValueError("lowercase and length stand in the alphabet file: remove them here")
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
    text: TextSection | None = None
    calibration: CalibrationSection | None = None

    @model_validator(mode="after")
    def _images_are_preprocessed(self) -> WorkloadSection:
        if self.task is Task.IMAGE_CLASSIFICATION and self.preprocess is None:
            raise ValueError("images need a [workload.preprocess] table with at least size, mean and scale")
        if self.task is not Task.IMAGE_CLASSIFICATION and self.preprocess is not None:
            raise ValueError("only images are preprocessed so: remove [workload.preprocess]")
        return self

    @model_validator(mode="after")
    def _texts_are_encoded(self) -> WorkloadSection:
        if self.task is not Task.TEXT_CLASSIFICATION:
            if self.text is not None:
                raise ValueError("[workload.text] is for text-classification: remove it")
            return self
        if self.text is None:
            raise ValueError("texts need a [workload.text] table with alphabet, the file beside the model")
        if self.truth is not None:
            raise ValueError('texts carry their labels, {"text": "...", "label": "..."}: remove truth')
        if self.views > 1 or (self.calibration is not None and self.calibration.views > 1):
            raise ValueError("views are made of photos: a text has one")
        return self
