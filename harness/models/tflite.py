"""``.tflite``: checked and described from its bytes alone; nothing is executed and no runtime is imported.

Field numbers follow ``tensorflow/compiler/mlir/lite/schema/schema.fbs`` (schema version 3).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.core.events import Quantization, TensorInfo
from harness.core.jobs import DType
from harness.errors import ModelError
from harness.models.flatbuffer import Flatbuffer, FlatbufferError, Table

IDENTIFIER: Final = b"TFL3"
SCHEMA_VERSION: Final = 3

TYPE_NAMES: Final = (
    *("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8"),
    *("float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16"),
    *("int2", "uint4"),
)
_QUANTIZED_TYPES: Final = frozenset({"int8", "uint8", "int16", "int4", "int2", "uint4"})
_WIRE_TYPES: Final = tuple(dtype.value for dtype in DType)
_MAKE_ANEW: Final = "Export or copy the model again; the file is damaged or was cut off on the way."


@dataclass(frozen=True)
class WeightBuffer:
    """A float32 constant inside the file: ``elements`` little-endian numbers from byte ``offset_bytes``."""

    name: str
    shape: tuple[int, ...]
    offset_bytes: int
    elements: int


@dataclass(frozen=True)
class TfliteModel:
    """What a .tflite says of itself.

    ``inputs`` and ``outputs`` carry the names of the model's signature where it has one, else the tensors'
    own; a dimension that is fixed only at run time is -1. ``constants`` are float32 and used by no tensor of
    another type. ``is_float32`` is false where any tensor is quantized or any constant is float16.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    constants: tuple[WeightBuffer, ...]
    is_float32: bool


def read_tflite(path: Path) -> TfliteModel:
    """Check and describe the model in ``path``.

    Raises:
        ModelError: the file cannot be read, is truncated or is not a .tflite; see ``parse_tflite``.
    """
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            view = memoryview(data)
            try:
                return parse_tflite(view, where=str(path))
            finally:
                view.release()
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot be read: {error}", where=str(path), next_step=_MAKE_ANEW) from error


def parse_tflite(data: bytes | bytearray | memoryview, *, where: str) -> TfliteModel:
    """Check and describe the model in ``data``; ``where`` names it in errors.

    Every table, every index between tables and the place of every buffer is checked, also of buffers that lie
    outside the flatbuffer (``Buffer.offset`` and ``size``).

    Raises:
        ModelError: something points outside the file, or an input or output has a type that cannot cross the
        wire.
    """
    try:
        if bytes(data[4:8]) != IDENTIFIER:
            raise FlatbufferError("it does not carry the identifier TFL3")
        return _Parser(Flatbuffer(data).root(), where).parse()
    except FlatbufferError as error:
        raise ModelError(f"is not a complete .tflite: {error}", where=where, next_step=_MAKE_ANEW) from error


@dataclass(frozen=True)
class _Tensor:
    name: str
    type_name: str
    shape: tuple[int, ...]
    buffer: int
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]


class _Parser:
    def __init__(self, model: Table, where: str) -> None:
        self._model = model
        self._where = where

    def parse(self) -> TfliteModel:
        version = self._model.number(0, "<I")
        if version != SCHEMA_VERSION:
            raise FlatbufferError(f"it has schema version {version}, and only {SCHEMA_VERSION} is known")
        buffers = [self._buffer(table) for table in self._model.tables(4)]
        operator_codes = sum(1 for _ in self._model.tables(1))
        subgraphs = list(self._model.tables(2))
        if not subgraphs:
            raise FlatbufferError("it has no graph")
        by_subgraph = [list(self._tensors(graph, len(buffers))) for graph in subgraphs]
        for graph, tensors in zip(subgraphs, by_subgraph, strict=True):
            _check_operators(graph, len(tensors), operator_codes)
        every_tensor = [tensor for tensors in by_subgraph for tensor in tensors]
        inputs, outputs = self._interface(subgraphs[0], by_subgraph[0])
        return TfliteModel(
            inputs=inputs,
            outputs=outputs,
            constants=tuple(_float_constants(every_tensor, buffers)),
            is_float32=not any(_is_reduced(tensor, buffers) for tensor in every_tensor),
        )

    def _buffer(self, table: Table) -> tuple[int, int]:
        """Position and size of a buffer's bytes; with an offset of 0 or 1 they are in the flatbuffer."""
        offset, size = table.number(1, "<Q"), table.number(2, "<Q")
        if offset > 1:
            table.file.check(offset, size, "a buffer")
            return offset, size
        return table.vector(0, 1)

    def _tensors(self, graph: Table, buffer_count: int) -> Iterator[_Tensor]:
        for table in graph.tables(0):
            name, type_code, buffer = table.text(3), table.number(1, "<b"), table.number(2, "<I")
            if not 0 <= type_code < len(TYPE_NAMES):
                raise FlatbufferError(f"it has a tensor ({name!r}) of the unknown type {type_code}")
            if buffer >= buffer_count:
                raise FlatbufferError(f"it has a tensor ({name!r}) whose buffer {buffer} does not exist")
            shape = table.numbers(7, "i") or table.numbers(0, "i")
            quantization = table.table(4)
            yield _Tensor(
                name=name,
                type_name=TYPE_NAMES[type_code],
                shape=shape,
                buffer=buffer,
                scales=quantization.floats(2) if quantization else (),
                zero_points=quantization.numbers(3, "q") if quantization else (),
            )

    def _interface(
        self, graph: Table, tensors: list[_Tensor]
    ) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        signature = next((table for table in self._model.tables(7) if table.number(4, "<I") == 0), None)
        described = []
        for field in (1, 2):
            indices = graph.numbers(field, "i")
            _check_indices(indices, len(tensors), least=0)
            # Names and the order of a signature may differ from the graph's; the graph's order is the
            # runtime's.
            maps = signature.tables(field - 1) if signature else ()
            names = {entry.number(1, "<I"): entry.text(0) for entry in maps}
            described.append(tuple(self._tensor_info(tensors[index], names.get(index)) for index in indices))
        return described[0], described[1]

    def _tensor_info(self, tensor: _Tensor, signature_name: str | None) -> TensorInfo:
        name = signature_name or tensor.name
        if tensor.type_name not in _WIRE_TYPES:
            raise ModelError(
                f"its input or output {name!r} is of type {tensor.type_name}",
                where=self._where,
                next_step=f"Export the model with inputs and outputs of one of {', '.join(_WIRE_TYPES)}.",
            )
        quantization = None
        if len(tensor.scales) == 1 and tensor.type_name in _QUANTIZED_TYPES:
            try:
                zero_point = tensor.zero_points[0] if tensor.zero_points else 0
                quantization = Quantization(scale=tensor.scales[0], zero_point=zero_point)
            except ValidationError:
                raise FlatbufferError(f"it has a scale of {tensor.scales[0]} at {name!r}") from None
        return TensorInfo(
            name=name, dtype=DType(tensor.type_name), shape=tensor.shape, quantization=quantization
        )


def _check_operators(graph: Table, tensor_count: int, operator_codes: int) -> None:
    for operator in graph.tables(3):
        if operator.number(0, "<I") >= operator_codes:
            raise FlatbufferError("it has an operator of a kind that is not listed")
        # -1 stands for an optional input that is left out.
        _check_indices(operator.numbers(1, "i"), tensor_count, least=-1)
        _check_indices(operator.numbers(2, "i"), tensor_count, least=0)


def _check_indices(indices: tuple[int, ...], tensor_count: int, *, least: int) -> None:
    if any(not least <= index < tensor_count for index in indices):
        raise FlatbufferError("it has an operator or a graph that uses a tensor which does not exist")


def _is_reduced(tensor: _Tensor, buffers: list[tuple[int, int]]) -> bool:
    """Quantized, or a float16 constant."""
    if tensor.type_name in _QUANTIZED_TYPES:
        return bool(tensor.scales)
    return tensor.type_name == "float16" and buffers[tensor.buffer][1] > 0


def _float_constants(tensors: list[_Tensor], buffers: list[tuple[int, int]]) -> Iterator[WeightBuffer]:
    """Each buffer once, however many tensors share it."""
    users: dict[int, list[_Tensor]] = {}
    for tensor in tensors:
        users.setdefault(tensor.buffer, []).append(tensor)
    for buffer, sharing in users.items():
        offset, size = buffers[buffer]
        # Buffer 0 is empty by convention: tensors that are computed refer to it.
        if size > 0 and all(tensor.type_name == "float32" for tensor in sharing):
            if size % 4:
                raise FlatbufferError(f"it has {size} bytes of float32 weights at {sharing[0].name!r}")
            yield WeightBuffer(sharing[0].name, sharing[0].shape, offset, size // 4)
