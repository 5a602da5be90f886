"""What the export's workers are asked."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from harness.core.emoji_export import Form
from harness.core.emoji_training import Architecture
from harness.core.value import Value

INPUT: Final = "characters"
OUTPUT: Final = "probabilities"


class ExportRequest(Value):
    """Write ``form`` of the trained network in ``trained``; ``output`` is a file, of ``graph`` a folder.

    ``saved_model`` is where the SavedModel that the .tflite is converted from goes; not given, it is not kept.
    """

    trained: str
    architecture: Architecture
    vocabulary_size: int
    length: int
    labels: int
    form: Form
    output: str
    saved_model: str | None = None


class ReferenceRequest(Value):
    """What the trained network answers to ``inputs``, written to ``output``; both are .npy files."""

    trained: str
    inputs: str
    output: str


class CheckRequest(Value):
    """Compare ``model``, a .tflite, with ``reference``.

    ``inputs`` is ``[n, length]`` int32, ``reference`` ``[n, labels]`` float32, ``truth`` ``[n]`` int32; .npy files.
    """

    model: str
    inputs: str
    reference: str
    truth: str
    threads: Annotated[int, Field(ge=1)] = 1
