"""What the host asks the inspection worker, and what it gets back; both as JSON files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.core.events import Bytes
from harness.core.inspection import Inspection
from harness.core.jobs import Sha256
from harness.core.op_check import GraphOps, Proof
from harness.core.value import Value

GraphFormat = Literal["graphdef", "saved-model", "keras", "keras-h5", "checkpoint"]


class Inspect(Value):
    """Describe the model in ``path``; its size and hash are passed through."""

    task: Literal["inspect"] = "inspect"
    path: str
    format: GraphFormat
    bytes: Bytes
    sha256: Sha256


class Check(Value):
    """Find the ops that the model in ``path`` needs, and try to convert it."""

    task: Literal["check"] = "check"
    path: str
    format: GraphFormat
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    signature: str = ""
    wants_header: bool = False


class Load(Value):
    """Load the .tflite in ``path``."""

    task: Literal["load"] = "load"
    path: str


Request = Inspect | Check | Load
REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="task")])


class Refusal(Value):
    """A task that ended in an error a user can cause."""

    problem: str
    where: str | None
    next_step: str


class Reply(Value):
    """One of the four. A check replies twice: with its ops before the conversion is tried, then with the proof."""

    inspection: Inspection | None = None
    ops: GraphOps | None = None
    proof: Proof | None = None
    refusal: Refusal | None = None
