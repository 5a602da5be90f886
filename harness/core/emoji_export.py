"""An exported emoji model: its files, and how each variant of each form compares with the trained network."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from harness.core.emoji_training import Architecture
from harness.core.jobs import Count
from harness.core.value import Value
from harness.core.variants import Recipe

_Share = Annotated[float, Field(ge=0, le=1)]


class Form(StrEnum):
    """How a recurrence is written down; networks without one have only ``while``, which then has no loop."""

    WHILE = "while"
    """A loop of builtin operators, as TensorFlow's converter makes of Keras 3. The default."""
    UNROLLED = "unrolled"
    """Every step written out."""
    FUSED = "fused"
    """One UNIDIRECTIONAL_SEQUENCE_LSTM for each direction. It keeps its state from one text to the next: the program
    that runs it has to reset its variables before each."""
    GRAPH = "graph"
    """The frozen graph of TensorFlow 1, and what is converted from it."""


class Agreement(Value):
    """A .tflite against the trained network, on the same texts one after another in one interpreter.

    ``largest_difference`` is that of a probability. ``top_1`` is the share of texts whose first suggestion is the
    network's, ``right`` that whose first suggestion is the text's own emoji. ``without_reset`` is ``top_1`` where the
    variables are left as the text before left them; only for models that have variables.
    """

    texts: Count
    largest_difference: Annotated[float, Field(ge=0)]
    top_1: _Share
    right: _Share
    without_reset: _Share | None = None
    median_ms: Annotated[float, Field(gt=0)]


class ExportedVariant(Value):
    """A file of the export; ``agreement`` is absent where it does not run, ``problem`` where it does."""

    form: Form
    recipe: Recipe
    file: str | None = None
    file_bytes: Count | None = None
    compressed_bytes: Count | None = None
    agreement: Agreement | None = None
    problem: str | None = None


class Export(Value):
    """``export.json``. ``files`` are the source forms: SavedModel, checkpoint with graph, frozen graph, Keras."""

    version: Literal[1] = 1
    architecture: Architecture
    parameters: Count
    right: _Share
    files: dict[str, str]
    variants: tuple[ExportedVariant, ...]
