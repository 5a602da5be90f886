"""The workload: inputs, their preprocessing and their labels, as a value."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from harness.core.jobs import Blob, Encoding, PositiveCount
from harness.core.value import Value


class Task(StrEnum):
    """What the model does, which decides how its outputs are compared."""

    IMAGE_CLASSIFICATION = "image-classification"
    TEXT_CLASSIFICATION = "text-classification"
    TENSORS = "tensors"


class OutputKind(StrEnum):
    """What the class scores are."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"


class WorkloadInput(Value):
    """One input: where it came from and, where known, its true class index.

    ``group`` names the original it was made from: views of one photo share a group, and are not
    independent samples.
    """

    name: str
    group: str
    file: Annotated[str | None, Field(description="path of the original, for showing it")] = None
    truth: Annotated[int, Field(ge=0)] | None = None


class TensorRecords(Value):
    """The records of one more input tensor, named as in the model's signature: as many as inputs."""

    tensor: Annotated[str, Field(min_length=1)]
    records: Blob
    encoding: Encoding


class GivenTensor(NamedTuple):
    """The records of one input tensor. ``tensor`` is its name, empty for a model's only one."""

    tensor: str
    records: Blob
    encoding: Encoding


class Workload(Value):
    """Inputs in order, their bytes as one blob, and what is needed to read the outputs."""

    task: Task
    inputs: Annotated[tuple[WorkloadInput, ...], Field(min_length=1)]
    records: Blob
    encoding: Encoding
    tensor: str = ""
    further_tensors: tuple[TensorRecords, ...] = ()
    """For a model with several input tensors: those after the first, ``tensor``."""
    labels: tuple[str, ...] | None = None
    output_kind: OutputKind = OutputKind.PROBABILITIES
    calibration: Blob | None = None
    calibration_count: int = 0
    typed: tuple[str, ...] = ()
    """Texts whose keystrokes are measured."""
    typing_pause_ns: int = 0
    """Before each keystroke."""

    @model_validator(mode="after")
    def _records_match_inputs(self) -> Workload:
        for given in self.tensors:
            expected = given.encoding.record_bytes * len(self.inputs)
            if given.records.bytes != expected:
                raise ValueError(
                    f"records have {given.records.bytes} bytes, {len(self.inputs)} inputs need {expected}"
                )
        return self

    @model_validator(mode="after")
    def _tensors_have_names(self) -> Workload:
        names = [given.tensor for given in self.tensors]
        if len(names) > 1 and ("" in names or len(set(names)) != len(names)):
            raise ValueError("several input tensors need a name each")
        return self

    @property
    def tensors(self) -> tuple[GivenTensor, ...]:
        """All input tensors: ``tensor`` itself, then ``further_tensors``."""
        first = GivenTensor(self.tensor, self.records, self.encoding)
        further = (GivenTensor(item.tensor, item.records, item.encoding) for item in self.further_tensors)
        return (first, *further)

    @property
    def digest(self) -> str:
        """Names what reaches the model, bytes and encoding, not the labels: two runs with it are comparable."""
        text = "\n".join(
            f"{given.records.sha256} {given.encoding.model_dump_json()} {given.tensor}"
            for given in self.tensors
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def label(self, index: int) -> str:
        """The text of class ``index``; its number where there is no text."""
        if self.labels is not None and 0 <= index < len(self.labels):
            return self.labels[index]
        return f"class {index}"


class Reference(Value):
    """The source model's outputs on the desktop: float32 ``[inputs, classes]``, C order, as a blob."""

    outputs: Blob
    classes: PositiveCount
    engine: str
    """What computed it, with version: ``keras 3.15.1 / tensorflow 2.21.0`` or ``LiteRT 2.3.0``."""
