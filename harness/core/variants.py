"""Variants: built forms of the source model, named by their recipe."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from harness.core.jobs import Accelerator, Blob, Count, Loading, RunSettings
from harness.core.value import Value

VariantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Recipe(StrEnum):
    """How a variant is built. The value is what a suite file says."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC_INT8 = "dynamic-int8"
    INT8 = "int8"
    INT16X8 = "int16x8"
    ROUNDED = "rounded"
    ROUNDED_FITTED = "rounded-fitted"
    STRIPPED = "stripped"
    FOLDED = "folded"
    MEMORY_MAPPED = "memory-mapped"

    @property
    def needs_calibration(self) -> bool:
        return self in (Recipe.INT8, Recipe.INT16X8)

    @property
    def needs_graph(self) -> bool:
        """Whether it is a form of a TensorFlow graph, and so takes no other source."""
        return self in (Recipe.STRIPPED, Recipe.FOLDED, Recipe.MEMORY_MAPPED)

    @property
    def is_mixable(self) -> bool:
        """Whether the quantizer can leave some layers of it in float."""
        return self in (Recipe.FLOAT16, Recipe.DYNAMIC_INT8, Recipe.INT8, Recipe.INT16X8)


class Granularity(StrEnum):
    """How many scales a quantized weight tensor has: one for each output channel, or one."""

    CHANNEL = "channel"
    TENSOR = "tensor"


class Form(Value):
    """All that decides the bytes of a variant, given its source: the recipe, and what it leaves out.

    ``keep_float`` names layers by the first tensor they give, as ``harness explain`` lists them; those stay in float.
    """

    recipe: Recipe
    keep_float: tuple[str, ...] = ()
    granularity: Granularity = Granularity.CHANNEL

    @property
    def is_plain(self) -> bool:
        return not self.keep_float and self.granularity is Granularity.CHANNEL


@dataclass(frozen=True)
class VariantSpec:
    """A variant to build, what it is called, and how it runs where that differs from the run's settings."""

    name: VariantName
    recipe: Recipe
    loading: Loading | None = None
    threads: int | None = None
    accelerator: Accelerator | None = None
    profile: int | None = None
    keep_float: tuple[str, ...] = ()
    granularity: Granularity = Granularity.CHANNEL

    @property
    def form(self) -> Form:
        return Form(recipe=self.recipe, keep_float=self.keep_float, granularity=self.granularity)

    def settings(self, of_run: RunSettings) -> RunSettings:
        """How its jobs run."""
        own = {
            "loading": self.loading,
            "threads": self.threads,
            "accelerator": self.accelerator,
            "profile": self.profile,
        }
        return of_run.model_copy(update={key: value for key, value in own.items() if value is not None})


class Build(Value):
    """How a variant came to be."""

    duration_s: Annotated[float, Field(ge=0)]
    cached: bool
    tools: dict[str, str]
    """Name and version of every tool that had a hand in it."""


class Variant(Value):
    """A built .tflite: its bytes, its size, and its size as an .ipa compresses it (deflate)."""

    name: VariantName
    recipe: Recipe
    model: Blob
    compressed_bytes: Count
    build: Build
    keep_float: tuple[str, ...] = ()
    """Layers that a mixed variant keeps in float."""

    @property
    def file_bytes(self) -> int:
        return self.model.bytes


class FailedBuild(Value):
    """A variant that could not be built, with the reason a person reads."""

    name: VariantName
    recipe: Recipe
    problem: str
    next_step: str
