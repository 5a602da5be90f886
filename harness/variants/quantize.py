"""Float32 .tflite to its quantized forms with litert-quantizer. Runs only in the worker process."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.events import TensorInfo
from harness.core.jobs import DType
from harness.core.variants import Form, Granularity, Recipe
from harness.errors import BuildError
from harness.models.tflite import read_tflite
from harness.models.tflite_contents import OpenedTflite
from harness.variants.recipes import no_calibration

_ACTIVATION_BITS: Final = {Recipe.INT8: 8, Recipe.INT16X8: 16}

LEAST_DYNAMIC_ELEMENTS: Final = 1024
"""Layers with fewer weights stay float32 in ``dynamic-int8``, as by TensorFlow's converter: they hold little,
and the first layers of an image model have large activations, which would be quantized at every run."""


def quantize(form: Form, base: Path, samples: NDArray[Any] | None, *, threads: int) -> bytes:
    """The float32 model in ``base``, quantized.

    ``samples`` is ``[n, *input_shape]`` for the recipes that need calibration.

    Raises:
        BuildError: the samples do not fit the model, or nothing in the model can be quantized.
    """
    samples = _checked_samples(base, samples) if form.recipe.needs_calibration else None
    kept = _kept_in_float(form, base)
    try:
        return _quantized(form, kept, base, samples, threads)
    # The quantizer raises whatever it meets: ValueError, RuntimeError, KeyError, NotImplementedError.
    except Exception as error:
        raise BuildError(
            f"litert-quantizer refused the model: {' '.join(str(error).split())[:500]}",
            next_step="Leave out this recipe; float16 and dynamic-int8 take more kinds of models.",
        ) from error


def _quantized(
    form: Form, kept: Sequence[str], base: Path, samples: NDArray[Any] | None, threads: int
) -> bytes:
    from litert_quantizer.quantizer import Quantizer

    manager = _recipe_manager(form, kept)
    model = base.read_bytes()
    ranges = None
    if samples is not None:
        model, signature, input_name = _with_signature(model)
        data = {signature: [{input_name: sample[np.newaxis]} for sample in samples]}
        ranges = _activation_ranges(model, data, manager, threads)
    quantizer = Quantizer(model, manager.get_quantization_recipe())
    result = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def _recipe_manager(form: Form, kept: Sequence[str]) -> Any:
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


def _kept_in_float(form: Form, base: Path) -> tuple[str, ...]:
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


def _activation_ranges(model: bytes, data: dict[str, list[Any]], manager: Any, threads: int) -> Any:
    """Least and greatest value of every activation over all samples."""
    from litert_quantizer.calibrator import CalibrationMode, Calibrator
    from litert_quantizer.utils import qsv_utils

    calibrator = Calibrator(
        model,
        num_threads=threads,
        mode=CalibrationMode.CALIBRATION_PRESERVE_ALL_TENSORS,
        # The default, a moving average, clips peaks and depends on the order of the samples: on
        # EfficientNet-Lite0 it cost 2.5 points of agreement (docs/decisions/0001-quantizer.md).
        qsv_update_func=qsv_utils.min_max_update,
    )
    calibrator.calibrate(data, manager)
    return calibrator.get_model_qsvs()


def _checked_samples(base: Path, samples: NDArray[Any] | None) -> NDArray[Any]:
    inputs = read_tflite(base).inputs
    if len(inputs) != 1:
        raise BuildError(
            f"the model has {len(inputs)} inputs, and calibration inputs are given for one",
            next_step="Use the recipes float16 or dynamic-int8, which need no calibration.",
        )
    return checked_samples(samples, inputs[0])


def checked_samples(samples: NDArray[Any] | None, tensor: TensorInfo) -> NDArray[Any]:
    """``samples``, which fit ``tensor`` in type and shape.

    Raises:
        BuildError: they do not, or there are none.
    """
    if samples is None or len(samples) < 1:
        raise no_calibration()
    if samples.dtype == np.int32 and tensor.dtype in (DType.INT64, DType.FLOAT32):
        # Characters' numbers, which such a tensor holds as exactly (docs/wire-format.md, "Encodings").
        samples = samples.astype(tensor.dtype.value)
    expected = tuple(tensor.shape[1:])
    fits = len(expected) == samples.ndim - 1 and all(
        extent in (-1, given) for extent, given in zip(expected, samples.shape[1:], strict=True)
    )
    if not fits or samples.dtype != np.dtype(tensor.dtype.value):
        raise BuildError(
            f"calibration inputs are {samples.dtype} {list(samples.shape[1:])}, and the model's input "
            f"{tensor.name} is {tensor.dtype.value} {list(expected)}",
            next_step="Check the size in workload.preprocess, or the file that workload.calibration names.",
        )
    return samples


def _with_signature(model: bytes) -> tuple[bytes, str, str]:
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
