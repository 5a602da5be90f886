"""What each recipe does, by which tool, and what it needs; docs/decisions/0001-quantizer.md says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from harness.core.variants import Recipe
from harness.errors import BuildError
from harness.models.source import SourceFormat

# The same TensorFlow under the name of its builds; the first that is installed counts.
_TENSORFLOW: Final = ("tensorflow", "tensorflow-cpu", "tensorflow-macos")
_LITERT: Final = ("ai-edge-litert",)
_QUANTIZER: Final = ("litert-quantizer",)
_NUMPY: Final = ("numpy",)


@dataclass(frozen=True)
class RecipeSpec:
    """``base`` is the recipe whose file this one starts from; ``None``: the source model."""

    summary: str
    base: Recipe | None
    tools: tuple[tuple[str, ...], ...]

    @property
    def is_quantized(self) -> bool:
        """Whether the file must differ from float32 in its types."""
        return _QUANTIZER in self.tools


SPECS: Final[Mapping[Recipe, RecipeSpec]] = {
    Recipe.FLOAT32: RecipeSpec("float32 weights and arithmetic, batch of one", None, (_LITERT,)),
    Recipe.FLOAT16: RecipeSpec(
        "weights stored as float16, float32 arithmetic", Recipe.FLOAT32, (_QUANTIZER, _LITERT)
    ),
    Recipe.DYNAMIC_INT8: RecipeSpec(
        "int8 weights per channel; activations quantized while running; float32 inputs and outputs",
        Recipe.FLOAT32,
        (_QUANTIZER, _LITERT),
    ),
    Recipe.INT8: RecipeSpec(
        "int8 weights per channel, int8 activations, inputs and outputs; calibrated",
        Recipe.FLOAT32,
        (_QUANTIZER, _LITERT),
    ),
    Recipe.INT16X8: RecipeSpec(
        "int8 weights per channel, int16 activations, inputs and outputs; calibrated",
        Recipe.FLOAT32,
        (_QUANTIZER, _LITERT),
    ),
    Recipe.ROUNDED: RecipeSpec(
        "float32 weights rounded to 256 values each: same size, compresses better",
        Recipe.FLOAT32,
        (_NUMPY, _LITERT),
    ),
    Recipe.ROUNDED_FITTED: RecipeSpec(
        "float32 weights rounded to 256 values each, placed for the least squared error",
        Recipe.FLOAT32,
        (_NUMPY, _LITERT),
    ),
    Recipe.STRIPPED: RecipeSpec(
        "the graph between its input and output, batch norms left as they are", None, (_LITERT,)
    ),
    Recipe.FOLDED: RecipeSpec("the stripped graph with its batch norms folded", None, (_LITERT,)),
    Recipe.MEMORY_MAPPED: RecipeSpec(
        "the folded graph in TensorFlow's memory-mapped format, read back from it", None, (_LITERT,)
    ),
}

_SOURCE_TOOLS: Final[Mapping[SourceFormat, tuple[tuple[str, ...], ...]]] = {
    SourceFormat.KERAS: (_TENSORFLOW, ("keras",)),
    SourceFormat.KERAS_H5: (_TENSORFLOW, ("keras",)),
    SourceFormat.GRAPHDEF: (_TENSORFLOW,),
    SourceFormat.SAVED_MODEL: (_TENSORFLOW,),
    SourceFormat.CHECKPOINT: (_TENSORFLOW,),
    SourceFormat.TFLITE: (),
}


def tools_of(recipe: Recipe, source_format: SourceFormat) -> dict[str, str]:
    """Name and version of every tool on the way from the source to the variant. Imports none of them.

    Raises:
        BuildError: one of them is not installed.
    """
    tools: dict[str, str] = {}
    step: Recipe | None = recipe
    while step is not None:
        tools.update(_version(names) for names in SPECS[step].tools)
        step = SPECS[step].base
    tools.update(_version(names) for names in _SOURCE_TOOLS[source_format])
    return dict(sorted(tools.items()))


def no_graph(source_format: SourceFormat) -> BuildError:
    """The error of a recipe that is a form of a graph where the source is none."""
    return BuildError(
        f"is a form of a TensorFlow graph, and the source is {source_format.value}",
        next_step="Leave out this recipe, or give a frozen graph, a checkpoint with its graph or a SavedModel of "
        "TensorFlow 1.",
    )


def no_calibration() -> BuildError:
    """The error of a recipe that needs calibration inputs where there are none."""
    return BuildError(
        "needs calibration inputs, and there are none",
        next_step="Set workload.calibration in the suite to inputs like those the model will see "
        "(100 are enough), or leave out this recipe.",
    )


def _version(names: tuple[str, ...]) -> tuple[str, str]:
    for name in names:
        try:
            return names[0], version(name)
        except PackageNotFoundError:
            continue
    raise BuildError(
        f"{names[0]} is not installed", next_step=f"Install it: pip install {names[0]} (see pyproject.toml)."
    )
