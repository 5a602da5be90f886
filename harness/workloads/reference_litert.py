"""Outputs of a .tflite, one input at a time. Imported by the reference worker only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.agreement import dequantize
from harness.core.events import Quantization
from harness.core.jobs import DType
from harness.core.model_io import same_tensor
from harness.errors import ModelError
from harness.wire.encoding import QUANTIZED, to_elements
from harness.workloads.fitting import Shape, input_shape, match_tensors, score_rows
from harness.workloads.reference import Kernels, ReferenceRequest

_CONVERT_AGAIN: Final = "Convert the model again, with built-in operators only, and try it once in LiteRT."


def litert_outputs(request: ReferenceRequest, records: list[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
    """A row ``[1, classes]`` for each of ``records`` (one array for each input tensor).

    The default op resolver has XNNPACK; ``Kernels.BUILTIN`` leaves it out. Variables are reset before each input:
    a recurrent model that keeps its state must not see the input before.

    Raises:
        ModelError: LiteRT refuses the model, fails on an input, or there is no vector of scores.
        WorkloadError, WireError: the records do not fit.
    """
    interpreter = _open(request)
    takes = interpreter.get_input_details()
    names = _signature_names(interpreter, takes, "input")
    order = match_tensors([item.tensor for item in request.inputs], names, request.source)
    shapes = [
        input_shape(item.encoding, _shape(takes[index]), request.source)
        for item, index in zip(request.inputs, order, strict=True)
    ]
    for index, shape in zip(order, shapes, strict=True):
        if tuple(takes[index]["shape"]) != shape:
            interpreter.resize_tensor_input(takes[index]["index"], shape, strict=True)
    with _failing("prepare the model", request.source):
        interpreter.allocate_tensors()
    output = _output(interpreter, request)
    for position in range(request.input_count):
        interpreter.reset_all_variables()
        for item, array, index, shape in zip(request.inputs, records, order, shapes, strict=True):
            elements = to_elements(array[position], item.encoding, *_element_type(takes[index], request))
            interpreter.set_tensor(takes[index]["index"], elements.reshape(shape))
        with _failing(f"run input {position}", request.source):
            interpreter.invoke()
        raw = interpreter.get_tensor(output["index"])
        yield score_rows(dequantize(raw, _quantization(output)), 1, output["name"], request.source)


@contextmanager
def _failing(doing: str, source: str) -> Iterator[None]:
    """Turns what LiteRT raises into an error that says what it was doing."""
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:400]
        raise ModelError(
            f"LiteRT cannot {doing}: {reason}", where=source, next_step=_CONVERT_AGAIN
        ) from error


def _open(request: ReferenceRequest) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.AUTO
    if request.kernels is Kernels.BUILTIN:
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with _failing("open the model", request.source):
        return Interpreter(
            model_path=request.source, num_threads=request.threads, experimental_op_resolver_type=resolver
        )


def _shape(detail: dict[str, Any]) -> Shape:
    signature = detail["shape_signature"]
    shape = signature if len(signature) else detail["shape"]
    return tuple(None if axis < 0 else int(axis) for axis in shape)


def _signature_names(interpreter: Any, details: list[dict[str, Any]], kind: str) -> list[list[str]]:
    """For each tensor its name in the first signature, if there is one, and its own."""
    names: dict[int, str] = {}
    if interpreter.get_signature_list():
        key = next(iter(interpreter.get_signature_list()))
        runner = interpreter.get_signature_runner(key)
        found = runner.get_input_details() if kind == "input" else runner.get_output_details()
        names = {detail["index"]: name for name, detail in found.items()}
    return [[*filter(None, [names.get(detail["index"])]), detail["name"]] for detail in details]


def _element_type(detail: dict[str, Any], request: ReferenceRequest) -> tuple[DType, float | None, int]:
    try:
        dtype = DType(np.dtype(detail["dtype"]).name)
    except ValueError as error:
        raise ModelError(
            f"the input {detail['name']} takes {np.dtype(detail['dtype']).name} elements, "
            "which cannot be sent to a model",
            where=request.source,
            next_step=_CONVERT_AGAIN,
        ) from error
    quantization = _quantization(detail)
    if quantization is None:
        return dtype, None, 0
    return dtype, quantization.scale, quantization.zero_point


def _quantization(detail: dict[str, Any]) -> Quantization | None:
    scale, zero_point = detail["quantization"]
    quantized = {dtype.value for dtype in QUANTIZED}
    if scale <= 0 or np.dtype(detail["dtype"]).name not in quantized:
        return None
    return Quantization(scale=float(scale), zero_point=int(zero_point))


def _output(interpreter: Any, request: ReferenceRequest) -> dict[str, Any]:
    details: list[dict[str, Any]] = interpreter.get_output_details()
    if not request.io.output:
        return details[0]
    names = _signature_names(interpreter, details, "output")
    for detail, known in zip(details, names, strict=True):
        if any(same_tensor(request.io.output, name) for name in known):
            return detail
    raise ModelError(
        f"the model has no output {request.io.output!r}, it has {', '.join(known[0] for known in names)}",
        where=request.source,
        next_step="Name one of them.",
    )
