"""SavedModel folders: recognised and checked without TensorFlow.

Field numbers follow tensorflow/core/protobuf/saved_model.proto and meta_graph.proto.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.errors import ModelError
from harness.models.checkpoint import check_shards
from harness.models.files import files_below
from harness.models.graphdef import nodes
from harness.models.protobuf_wire import (
    LENGTH_DELIMITED,
    VARINT,
    Buffer,
    Field,
    ProtobufError,
    fields,
    mapped,
)

BINARY_NAME: Final = "saved_model.pb"
TEXT_NAME: Final = "saved_model.pbtxt"

_META_GRAPH: Final = 2
_GRAPH: Final = 2
_OBJECTS: Final = 7
_VARIABLE_OPS: Final = frozenset({"Variable", "VariableV2", "VarHandleOp", "VarHandlesOp"})
_EXPORT_AGAIN: Final = "Copy or export the SavedModel again; it is damaged or was cut off on the way."


def is_saved_model(folder: Path) -> bool:
    return (folder / BINARY_NAME).is_file() or (folder / TEXT_NAME).is_file()


def is_saved_model_file(head: bytes) -> bool:
    """Whether a file begins as ``saved_model.pb``: schema version 1, then a MetaGraphDef with its info."""
    return head[:3] == b"\x08\x01\x12" and b"\x0a" in head[4:10]


def check_saved_model(folder: Path) -> None:
    """Check that the graph is whole and that the variables it reads are there.

    Raises:
        ModelError: truncated, without a graph, without its variables, or with links out of the folder.
    """
    files_below(folder)
    if not (folder / BINARY_NAME).is_file():
        return
    path = folder / BINARY_NAME
    with mapped(path) as data:
        try:
            graphs = [graph for meta in _meta_graphs(data) for graph in _graphs(data, meta)]
            reads_variables = _has_objects(data) or any(
                node.op in _VARIABLE_OPS for graph in graphs for node in nodes(data, graph.start, graph.end)
            )
        except ProtobufError as error:
            raise _damaged(path, error) from error
    if not graphs:
        raise ModelError("holds no graph", where=str(path), next_step=_EXPORT_AGAIN)
    if reads_variables:
        try:
            check_shards(folder / "variables" / "variables")
        except ModelError as error:
            raise ModelError(
                "the SavedModel's variables are missing",
                where=error.where,
                next_step="Copy the whole folder, with variables/variables.index and variables.data-….",
            ) from None


def is_served(folder: Path) -> bool:
    """Whether TensorFlow 2 wrote the SavedModel: one graph, with Python objects beside it; one in text counts as not.

    Raises:
        ModelError: it is damaged.
    """
    path = folder / BINARY_NAME
    if not path.is_file():
        return False
    with mapped(path) as data:
        try:
            return _has_objects(data)
        except ProtobufError as error:
            raise _damaged(path, error) from error


def _has_objects(data: Buffer) -> bool:
    metas = _meta_graphs(data)
    return len(metas) == 1 and any(
        field.number == _OBJECTS and field.end > field.start
        for field in fields(data, metas[0].start, metas[0].end)
    )


def _damaged(path: Path, error: ProtobufError) -> ModelError:
    return ModelError(f"is truncated or damaged: {error}", where=str(path), next_step=_EXPORT_AGAIN)


def _meta_graphs(data: Buffer) -> list[Field]:
    found = []
    for field in fields(data):
        if field.number == 1 and field.wire_type != VARINT:
            raise ProtobufError("it does not begin with a version")
        if field.number == _META_GRAPH and field.wire_type == LENGTH_DELIMITED:
            found.append(field)
    return found


def _graphs(data: Buffer, meta: Field) -> list[Field]:
    return [
        field
        for field in fields(data, meta.start, meta.end)
        if field.number == _GRAPH and field.wire_type == LENGTH_DELIMITED
    ]
