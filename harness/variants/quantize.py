"""Float32 .tflite to its quantized forms with litert-quantizer. Runs only in worker processes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from harness.core.variants import Form, Granularity, Recipe
from harness.errors import BuildError
from harness.models.tflite_contents import OpenedTflite
from harness.variants.activation_ranges import Ranges

_ACTIVATION_BITS: Final = {Recipe.INT8: 8, Recipe.INT16X8: 16}

LEAST_DYNAMIC_ELEMENTS: Final = 1024
"""Layers with fewer weights stay float32 in ``dynamic-int8``, as by TensorFlow's converter: they hold little,
and the first layers of an image model have large activations, which would be quantized at every run."""


def quantize(form: Form, base: Path, ranges: Ranges | None) -> bytes:
    """The float32 model in ``base``, quantized.

    ``ranges`` are those of its activations, for the recipes that need calibration.

    Raises:
        BuildError: the quantizer refused the model, or nothing in it can be quantized.
    """
    from litert_quantizer.quantizer import Quantizer

    kept = kept_in_float(form, base)
    with refused():
        model = base.read_bytes()
        if ranges is not None:
            # They were watched in the model with this signature.
            model, _, _ = with_signature(model)
        quantizer = Quantizer(model, recipe_manager(form, kept).get_quantization_recipe())
        result = quantizer.quantize(
            None if ranges is None else {tensor: dict(sides) for tensor, sides in ranges.items()},
            enable_progress_bar=False,
            enable_progress_report=False,
        )
        return bytes(result.quantized_model)


@contextmanager
def refused() -> Iterator[None]:
    """Turns whatever the quantizer raises (ValueError, RuntimeError, KeyError, NotImplementedError) into an error."""
    try:
        yield
    except Exception as error:
        raise BuildError(
            f"litert-quantizer refused the model: {' '.join(str(error).split())[:500]}",
            next_step="Leave out this recipe; float16 and dynamic-int8 take more kinds of models.",
        ) from error


def recipe_manager(form: Form, kept: Sequence[str]) -> Any:
    """What litert-quantizer does to which operations."""
    from litert_quantizer import qtyping
    from litert_quantizer.algorithm_manager import AlgorithmName
    from litert_quantizer.recipe_manager import RecipeManager

    recipe = form.recipe
    granularity = {
        Granularity.CHANNEL: qtyping.QuantGranularity.CHANNELWISE,
        Granularity.TENSOR: qtyping.QuantGranularity.TENSORWISE,
    }[form.granularity]
    manager = RecipeManager()
    everywhere = {"regex": ".*", "operation_name": qtyping.TFLOperationName.ALL_SUPPORTED}
    if recipe is Recipe.FLOAT16:
        manager.add_weight_only_config(**everywhere, num_bits=16, algorithm_key=AlgorithmName.FLOAT_CASTING)
    elif recipe is Recipe.DYNAMIC_INT8:
        weights = qtyping.TensorQuantizationConfig(num_bits=8, symmetric=True, granularity=granularity)
        config = qtyping.OpQuantizationConfig(
            weight_tensor_config=weights,
            compute_precision=qtyping.ComputePrecision.INTEGER,
            explicit_dequantize=False,
            min_weight_elements=LEAST_DYNAMIC_ELEMENTS,
        )
        manager.add_quantization_config(**everywhere, op_config=config)
    else:
        bits = _ACTIVATION_BITS[recipe]
        manager.add_static_config(
            **everywhere, activation_num_bits=bits, weight_num_bits=8, weight_granularity=granularity
        )
    for tensor in kept:
        manager.add_quantization_config(
            # The quantizer searches in the names of all that an operation gives, each ended by a semicolon.
            regex=f"^{re.escape(tensor)};",
            operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
            algorithm_key=AlgorithmName.NO_QUANTIZE,
        )
    return manager


def kept_in_float(form: Form, base: Path) -> tuple[str, ...]:
    """The tensors that stay float: what ``keep_float`` names, and inputs of the model that only those layers read.

    Raises:
        BuildError: a layer is not there; a misspelt one would be quantized without a word.
    """
    if not form.keep_float:
        return ()
    with OpenedTflite(base) as contents:
        operators = list(contents.operators())
        inputs, _ = contents.interface()
        names = [tensor.name for tensor in inputs]
    unknown = set(form.keep_float) - {gives for gives, _ in operators}
    if unknown:
        raise BuildError(
            f"no operation gives {min(unknown)!r}, which keep_float names",
            next_step="Take the names from 'harness explain RUN VARIANT --json'.",
        )
    quantized_reads = {name for gives, reads in operators if gives not in form.keep_float for name in reads}
    return (*form.keep_float, *(name for name in names if name not in quantized_reads))


def with_signature(model: bytes) -> tuple[bytes, str, str]:
    """The model, its signature's key and the name of its one input.

    Models that TensorFlow 1 converted have no signature, and the calibrator knows no other way to feed a
    model: they are given one.
    """
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.schema_py_generated import SignatureDefT, TensorMapT
    from ai_edge_litert.tools import flatbuffer_utils

    for key, tensors in Interpreter(model_content=model).get_signature_list().items():
        return model, key, tensors["inputs"][0]
    tables = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    graph = tables.subgraphs[0]
    signature = SignatureDefT()
    signature.signatureKey = b"serving_default"
    signature.subgraphIndex = 0
    signature.inputs, signature.outputs = [], []
    for maps, indices in ((signature.inputs, graph.inputs), (signature.outputs, graph.outputs)):
        for index in indices:
            entry = TensorMapT()
            entry.tensorIndex = int(index)
            entry.name = graph.tensors[index].name
            maps.append(entry)
    tables.signatureDefs = [signature]
    named = bytes(flatbuffer_utils.convert_object_to_bytearray(tables))
    return named, "serving_default", graph.tensors[graph.inputs[0]].name.decode()
