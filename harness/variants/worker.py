"""``python -m harness.variants.worker REQUEST``: one build in a process of its own.

Converters, quantizers and interpreters crash and leak; here they take nothing else with them. The request
names a result file, which is written in every case but a crash.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from harness.core.variants import Recipe
from harness.errors import BuildError, HarnessError, ModelError
from harness.models.tflite import read_tflite
from harness.transforms.round_tflite import round_weights
from harness.variants.activation_ranges import from_bytes
from harness.variants.compress import deflated_bytes
from harness.variants.convert import to_float32
from harness.variants.convert_graph import to_graph_form
from harness.variants.quantize import quantize
from harness.variants.recipes import SPECS
from harness.variants.request import BuildRequest, Built, NotBuilt


def carry_out(request: BuildRequest) -> Built:
    """Build, try the file once in LiteRT, and measure its compressed size.

    Raises:
        HarnessError: the model cannot be built with this recipe.
    """
    started = time.perf_counter()
    output = Path(request.output)
    output.write_bytes(_build(request))
    if SPECS[request.form.recipe].is_quantized and read_tflite(output).is_float32:
        raise BuildError(
            f"nothing in the model can be quantized by {request.form.recipe.value}",
            next_step="Leave out this recipe: the file would be the float32 one.",
        )
    run_once(output)
    return Built(
        compressed_bytes=deflated_bytes(output),
        duration_s=time.perf_counter() - started,
    )


def _build(request: BuildRequest) -> bytes:
    path = Path(request.input)
    if request.form.recipe is Recipe.FLOAT32:
        return to_float32(request.input_format, path, request.io, request.input_shape)
    if request.form.recipe.needs_graph:
        return to_graph_form(request.form.recipe, request.input_format, path, request.io, request.input_shape)
    if request.form.recipe in (Recipe.ROUNDED, Recipe.ROUNDED_FITTED):
        fitted = request.form.recipe is Recipe.ROUNDED_FITTED
        return round_weights(path.read_bytes(), read_tflite(path).constants, fitted=fitted).data
    ranges = None if request.ranges is None else from_bytes(Path(request.ranges).read_bytes())
    return quantize(request.form, path, ranges)


def run_once(path: Path) -> None:
    """Load the model in LiteRT, allocate its tensors and invoke it once with zeros.

    Raises:
        ModelError: LiteRT refuses it.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
        for tensor in interpreter.get_input_details():
            interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"LiteRT cannot run the model: {' '.join(str(error).split())[:500]}",
            next_step="If it names a missing operator, convert with LiteRT's builtin operators only.",
        ) from error


def main(arguments: list[str]) -> int:
    request = BuildRequest.model_validate_json(Path(arguments[0]).read_bytes())
    result: Built | NotBuilt
    try:
        result = carry_out(request)
    except HarnessError as error:
        result = NotBuilt(problem=error.problem, next_step=error.next_step)
    Path(request.result).write_text(result.model_dump_json(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
