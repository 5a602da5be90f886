"""What the builder asks of a worker process, and what it gets back; both as JSON files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.core.jobs import Count, Dimension
from harness.core.model_io import ModelIO
from harness.core.value import Value
from harness.core.variants import Form
from harness.models.source import SourceFormat


class BuildRequest(Value):
    """What to build. ``input`` is the source model, or the float32 .tflite that the recipe starts from.

    ``io`` and ``input_shape`` (batch axis included) are for source models that leave them open.
    """

    form: Form
    input: str
    input_format: SourceFormat
    ranges: str | None
    """The file of ``harness.variants.activation_ranges``, for recipes that need calibration."""
    output: str
    result: str
    io: ModelIO = ModelIO()
    input_shape: tuple[Dimension, ...] | None = None


class Built(Value):
    """The file stands at ``BuildRequest.output`` and ran once."""

    outcome: Literal["built"] = "built"
    compressed_bytes: Count
    duration_s: Annotated[float, Field(ge=0)]


class NotBuilt(Value):
    """Why there is no file."""

    outcome: Literal["failed"] = "failed"
    problem: str
    next_step: str


RESULT_ADAPTER: TypeAdapter[Built | NotBuilt] = TypeAdapter(
    Annotated[Built | NotBuilt, Field(discriminator="outcome")]
)
