"""Reads a ``.tflite`` for inspection: operators, tensors, signatures, weights.

Unlike ``tflite.read_tflite`` this takes models that the harness could not run, such as one with text inputs. Field
numbers follow ``tensorflow/compiler/mlir/lite/schema/schema.fbs`` (schema version 3).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.core.events import Quantization
from harness.core.inspection import MOST_PLACES, Signature, TensorSummary, WeightTensor, element_count
from harness.core.op_check import OperatorUse
from harness.errors import ModelError
from harness.models.flatbuffer import Flatbuffer, FlatbufferError, Table
from harness.models.op_lists import builtin_names
from harness.models.tflite import IDENTIFIER, SCHEMA_VERSION, TYPE_NAMES
from harness.models.tflite_metadata import METADATA_NAME

_MAKE_ANEW: Final = "Export or copy the model again; the file is damaged or was cut off on the way."
_CUSTOM_CODE: Final = 32
_NUMBERS: Final = frozenset({"float32", "float16", "bfloat16", "float64", "complex64", "complex128"})
_LONGEST_NAME: Final = 1000


class OpenedTflite:
    """The model in a file; every FlatbufferError inside becomes a ModelError that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data: mmap.mmap | None = None
        self._view: memoryview | None = None

    def __enter__(self) -> TfliteContents:
        try:
            with self._path.open("rb") as stream:
                self._data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ModelError(
                f"cannot be read: {error}", where=str(self._path), next_step=_MAKE_ANEW
            ) from error
        self._view = memoryview(self._data)
        try:
            return TfliteContents(self._view)
        except FlatbufferError as error:
            self._close()
            raise self._damaged(error) from error

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._close()
        if isinstance(error, FlatbufferError):
            raise self._damaged(error) from error

    def _close(self) -> None:
        if self._view is not None:
            self._view.release()

    def _damaged(self, error: FlatbufferError) -> ModelError:
        return ModelError(f"is not a complete .tflite: {error}", where=str(self._path), next_step=_MAKE_ANEW)


@dataclass(frozen=True)
class _Graph:
    table: Table
    tensors: tuple[Table, ...]


class TfliteContents:
    """Reads names only where they are shown: a hostile file can give every tensor the same enormous one."""

    def __init__(self, data: memoryview) -> None:
        if bytes(data[4:8]) != IDENTIFIER:
            raise FlatbufferError("it does not carry the identifier TFL3")
        self._table = Flatbuffer(data).root()
        version = self._table.number(0, "<I")
        if version != SCHEMA_VERSION:
            raise FlatbufferError(f"it has schema version {version}, and only {SCHEMA_VERSION} is known")
        self._codes = tuple(_operator_code(table) for table in self._table.tables(1))
        self._graphs = tuple(_Graph(table, tuple(table.tables(0))) for table in self._table.tables(2))
        if not self._graphs:
            raise FlatbufferError("it has no graph")
        self._buffers = tuple(_buffer_bytes(table) for table in self._table.tables(4))

    def operator_uses(self) -> tuple[OperatorUse, ...]:
        """Each kind of operator at each version, the most frequent first."""
        counts: dict[int, int] = {}
        places: dict[int, list[str]] = {}
        for graph_index, graph in enumerate(self._graphs):
            for index, operator in enumerate(graph.table.tables(3)):
                kind = operator.number(0, "<I")
                if kind >= len(self._codes):
                    raise FlatbufferError("it has an operator of a kind that is not listed")
                counts[kind] = counts.get(kind, 0) + 1
                known = places.setdefault(kind, [])
                if len(known) < MOST_PLACES:
                    prefix = f"graph {graph_index} " if graph_index else ""
                    known.append(f"{prefix}#{index} {self._first_output(graph, operator)}".rstrip())
        uses = [
            OperatorUse(
                op=op, version=version, is_custom=is_custom, count=counts[kind], where=tuple(places[kind])
            )
            for kind, (op, version, is_custom) in enumerate(self._codes)
            if kind in counts
        ]
        return tuple(sorted(uses, key=lambda use: (-use.count, use.op, use.version)))

    def operators(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """For each operator of the main graph, in order: the first tensor it gives, and those it reads, by name."""
        graph = self._graphs[0]
        for operator in graph.table.tables(3):
            reads = tuple(
                _name(self._tensor(graph, index)) for index in operator.numbers(1, "i") if index >= 0
            )
            yield self._first_output(graph, operator), reads

    def _first_output(self, graph: _Graph, operator: Table) -> str:
        outputs = operator.numbers(2, "i")
        return _name(self._tensor(graph, outputs[0])) if outputs else ""

    def _tensor(self, graph: _Graph, index: int) -> Table:
        if not 0 <= index < len(graph.tensors):
            raise FlatbufferError("it has an operator or a graph that uses a tensor which does not exist")
        return graph.tensors[index]

    def interface(self) -> tuple[tuple[TensorSummary, ...], tuple[TensorSummary, ...]]:
        graph = self._graphs[0]
        inputs, outputs = (
            tuple(_summary(self._tensor(graph, index)) for index in graph.table.numbers(field, "i"))
            for field in (1, 2)
        )
        return inputs, outputs

    def signatures(self) -> tuple[Signature, ...]:
        found = []
        for table in self._table.tables(7):
            graph_index = table.number(4, "<I")
            if graph_index >= len(self._graphs):
                raise FlatbufferError("it has a signature of a graph that does not exist")
            graph = self._graphs[graph_index]
            inputs, outputs = (
                tuple(
                    _summary(self._tensor(graph, entry.number(1, "<I")), entry.text(0)[:_LONGEST_NAME])
                    for entry in table.tables(field)
                )
                for field in (0, 1)
            )
            found.append(Signature(key=table.text(2)[:_LONGEST_NAME], inputs=inputs, outputs=outputs))
        return tuple(found)

    def weights(self) -> Iterator[WeightTensor]:
        """Every buffer that holds something, once, with the first tensor that uses it."""
        for tensor, size in self._constants():
            yield WeightTensor(
                name=_name(tensor), dtype=_type_name(tensor), shape=tensor.numbers(0, "i"), bytes=size
            )

    def parameters(self) -> int:
        """Elements of constants that are real numbers, quantized or not: shapes and indices do not count."""
        return sum(
            element_count(tensor.numbers(0, "i"))
            for tensor, _ in self._constants()
            if _type_name(tensor) in _NUMBERS or _scales(tensor)
        )

    def _constants(self) -> Iterator[tuple[Table, int]]:
        seen: set[int] = set()
        for graph in self._graphs:
            for tensor in graph.tensors:
                buffer = tensor.number(2, "<I")
                if buffer >= len(self._buffers):
                    raise FlatbufferError(f"it has a tensor whose buffer {buffer} does not exist")
                if buffer not in seen and self._buffers[buffer]:
                    seen.add(buffer)
                    yield tensor, self._buffers[buffer]

    def metadata_bytes(self) -> memoryview | None:
        """The buffer named ``TFLITE_METADATA``."""
        buffers = None
        for table in self._table.tables(6):
            if table.text(0) == METADATA_NAME:
                buffers = buffers or tuple(self._table.tables(4))
                index = table.number(1, "<I")
                if index >= len(buffers):
                    raise FlatbufferError("its metadata is in a buffer that does not exist")
                start, size = _buffer_place(buffers[index])
                return memoryview(table.file.data)[start : start + size]
        return None


def _operator_code(table: Table) -> tuple[str, int, bool]:
    """Name, version, and whether it is custom. The old field holds codes up to 127, the new one all."""
    code = max(table.number(0, "<b"), table.number(3, "<i"))
    version = max(table.number(2, "<i", 1), 0)
    if code == _CUSTOM_CODE:
        return table.text(1)[:_LONGEST_NAME] or "(unnamed custom operator)", version, True
    return builtin_names().get(code, f"builtin operator {code}"), version, False


def _buffer_place(table: Table) -> tuple[int, int]:
    offset, size = table.number(1, "<Q"), table.number(2, "<Q")
    if offset > 1:
        table.file.check(offset, size, "a buffer")
        return offset, size
    return table.vector(0, 1)


def _buffer_bytes(table: Table) -> int:
    return _buffer_place(table)[1]


def _name(tensor: Table) -> str:
    return tensor.text(3)[:_LONGEST_NAME]


def _type_name(tensor: Table) -> str:
    code = tensor.number(1, "<b")
    if not 0 <= code < len(TYPE_NAMES):
        raise FlatbufferError(f"it has a tensor of the unknown type {code}")
    return TYPE_NAMES[code]


def _scales(tensor: Table) -> tuple[float, ...]:
    quantization = tensor.table(4)
    return quantization.floats(2) if quantization else ()


def _summary(tensor: Table, name: str | None = None) -> TensorSummary:
    scales = _scales(tensor)
    quantization = None
    if len(scales) == 1:
        described = tensor.table(4)
        zero_points = described.numbers(3, "q") if described else ()
        try:
            quantization = Quantization(scale=scales[0], zero_point=zero_points[0] if zero_points else 0)
        except ValidationError:
            raise FlatbufferError(f"it has a scale of {scales[0]}") from None
    return TensorSummary(
        name=name or _name(tensor),
        dtype=_type_name(tensor),
        # The signature's shape says which dimensions are open; the other one then has ones in their place.
        shape=tensor.numbers(7, "i") or tensor.numbers(0, "i"),
        quantization=quantization,
    )
