"""Outputs of a .tflite, one input at a time. Imported by worker processes only."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.agreement import dequantize
from harness.core.events import Quantization
from harness.core.jobs import DType
from harness.core.model_io import ModelIO, same_tensor
from harness.errors import ModelError
from harness.shards.request import InputTensor, Kernels, ReferenceEngine
from harness.wire.encoding import QUANTIZED, to_elements
from harness.workloads.fitting import Rows, Shape, input_shape, match_tensors, score_rows

_CONVERT_AGAIN: Final = "Convert the model again, with built-in operators only, and try it once in LiteRT."


def open_litert(source: str, engine: ReferenceEngine) -> Rows:
    """The .tflite, one input at a time.

    The default op resolver has XNNPACK; ``Kernels.BUILTIN`` leaves it out. Variables are reset before each input:
    a recurrent model that keeps its state must not see the input before.

    Raises:
        ModelError: LiteRT refuses the model, fails on an input, or there is no vector of scores.
        WorkloadError, WireError: the records do not fit.
    """
    model = LitertModel.open(source, engine.inputs, kernels=engine.kernels)
    interpreter = model.interpreter
    output = _output(interpreter, engine.io, source)

    def rows(records: Sequence[NDArray[Any]], first: int) -> Iterator[NDArray[np.float32]]:
        for position in range(len(records[0])):
            model.set_inputs(records, position)
            with failing(f"run input {first + position}", source):
                interpreter.invoke()
            raw = interpreter.get_tensor(output["index"])
            yield score_rows(dequantize(raw, quantization_of(output)), 1, output["name"], source)

    return rows


@dataclass(frozen=True)
class LitertModel:
    """A .tflite that is ready to run, with the workload's tensors bound to its inputs."""

    path: str
    interpreter: Any
    inputs: tuple[InputTensor, ...]
    takes: tuple[dict[str, Any], ...]
    """For each of ``inputs`` what the interpreter says of the tensor that takes it."""
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def open(
        cls,
        path: str,
        inputs: tuple[InputTensor, ...],
        *,
        kernels: Kernels = Kernels.DEFAULT,
        keep_all_tensors: bool = False,
    ) -> LitertModel:
        """Load ``path`` and allocate its tensors; ``keep_all_tensors``: those between inputs and outputs too.

        It runs by one thread: some kernels share a sum between threads, and then their number decides the last bits.

        Raises:
            ModelError: LiteRT refuses the model.
            WorkloadError: the records do not fit its inputs.
        """
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        resolver = OpResolverType.AUTO
        if kernels is Kernels.BUILTIN:
            resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        with failing("open the model", path), warnings.catch_warnings():
            # It warns that keeping tensors takes memory.
            warnings.simplefilter("ignore")
            interpreter = Interpreter(
                model_path=path,
                num_threads=1,
                experimental_op_resolver_type=resolver,
                experimental_preserve_all_tensors=keep_all_tensors,
            )
        details = interpreter.get_input_details()
        names = _signature_names(interpreter, details, "input")
        order = match_tensors([item.tensor for item in inputs], names, path)
        takes = tuple(details[index] for index in order)
        shapes = tuple(
            input_shape(item.encoding, _shape(detail), path)
            for item, detail in zip(inputs, takes, strict=True)
        )
        for detail, shape in zip(takes, shapes, strict=True):
            if tuple(detail["shape"]) != shape:
                interpreter.resize_tensor_input(detail["index"], shape, strict=True)
        with failing("prepare the model", path):
            interpreter.allocate_tensors()
        return cls(path, interpreter, inputs, takes, shapes)

    def set_inputs(self, records: Sequence[NDArray[Any]], position: int) -> None:
        """Give it the records at ``position`` and reset its variables."""
        self.interpreter.reset_all_variables()
        for item, array, detail, shape in zip(self.inputs, records, self.takes, self.shapes, strict=True):
            elements = to_elements(array[position], item.encoding, *_element_type(detail, self.path))
            self.interpreter.set_tensor(detail["index"], elements.reshape(shape))


@contextmanager
def failing(doing: str, source: str) -> Iterator[None]:
    """Turns what LiteRT raises into an error that says what it was doing."""
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:400]
        raise ModelError(
            f"LiteRT cannot {doing}: {reason}", where=source, next_step=_CONVERT_AGAIN
        ) from error


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


def _element_type(detail: dict[str, Any], path: str) -> tuple[DType, float | None, int]:
    try:
        dtype = DType(np.dtype(detail["dtype"]).name)
    except ValueError as error:
        raise ModelError(
            f"the input {detail['name']} takes {np.dtype(detail['dtype']).name} elements, "
            "which cannot be sent to a model",
            where=path,
            next_step=_CONVERT_AGAIN,
        ) from error
    quantization = quantization_of(detail)
    if quantization is None:
        return dtype, None, 0
    return dtype, quantization.scale, quantization.zero_point


def quantization_of(detail: dict[str, Any]) -> Quantization | None:
    """Of a tensor as the interpreter describes it; ``None`` where it holds real numbers as they are."""
    scale, zero_point = detail["quantization"]
    quantized = {dtype.value for dtype in QUANTIZED}
    if scale <= 0 or np.dtype(detail["dtype"]).name not in quantized:
        return None
    return Quantization(scale=float(scale), zero_point=int(zero_point))


def _output(interpreter: Any, io: ModelIO, source: str) -> dict[str, Any]:
    details: list[dict[str, Any]] = interpreter.get_output_details()
    if not io.output:
        return details[0]
    names = _signature_names(interpreter, details, "output")
    for detail, known in zip(details, names, strict=True):
        if any(same_tensor(io.output, name) for name in known):
            return detail
    raise ModelError(
        f"the model has no output {io.output!r}, it has {', '.join(known[0] for known in names)}",
        where=source,
        next_step="Name one of them.",
    )
