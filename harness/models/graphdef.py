"""Frozen GraphDef, binary (.pb) or text (.pbtxt): recognised and checked from its bytes, without TensorFlow.

Field numbers follow tensorflow/core/framework/graph.proto, node_def.proto and attr_value.proto.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from harness.errors import ModelError
from harness.models.protobuf_wire import (
    LARGEST_BYTES,
    LENGTH_DELIMITED,
    VARINT,
    Buffer,
    Field,
    ProtobufError,
    fields,
    mapped,
    text,
)

DT_STRING: Final = 7

_NODE: Final = 1
_OP: Final = re.compile(r"[A-Za-z][A-Za-z0-9_>]*")
_TEXT_START: Final = re.compile(
    rb"\A(\xef\xbb\xbf)?(\s|#[^\n]*\n)*(node|library|versions?|debug_info)\s*[:{<]"
)
_EXPORT_AGAIN: Final = "Copy or export the graph again; the file is damaged or was cut off on the way."


class Node(NamedTuple):
    """A node's name and op, and where its NodeDef lies in the file."""

    name: str
    op: str
    place: Field


def is_text_graph(head: bytes) -> bool:
    return _TEXT_START.match(head) is not None


def is_graphdef(path: Path, head: bytes) -> bool:
    """Whether the file begins as a GraphDef does: text with ``node {``, or a first node with name and op."""
    del path
    return is_text_graph(head) or begins_with_node(head)


def begins_with_node(data: Buffer, start: int = 0) -> bool:
    """Whether a GraphDef begins at ``start``; what is behind the first node's op may be cut off."""
    head = bytes(data[start : start + 512])
    try:
        outer = _first(head, 0)
        name = _first(head, outer.start)
        op = _first(head, name.end)
    except (ProtobufError, IndexError):
        # A field may reach beyond the head, a number of ours may not.
        return False
    numbers = [(field.number, field.wire_type) for field in (outer, name, op)]
    if numbers != [(_NODE, LENGTH_DELIMITED), (1, LENGTH_DELIMITED), (2, LENGTH_DELIMITED)]:
        return False
    return _OP.fullmatch(head[op.start : op.end].decode("latin-1")) is not None


def _first(head: bytes, start: int) -> Field:
    """The field at ``start``, which may end behind ``head``."""
    for field in fields(head, start, LARGEST_BYTES):
        return field
    raise ProtobufError("there is no field")


def check_graphdef(path: Path) -> None:
    """Check that the file is whole: that all its bytes belong to fields, and every node has a name and an op.

    Of a text graph only the size is checked; it is parsed where it is used, in a process of its own.

    Raises:
        ModelError: truncated, damaged, or over 2 GiB.
    """
    with mapped(path) as data:
        if is_text_graph(bytes(data[:65536])):
            return
        try:
            for _ in nodes(data, 0, len(data)):
                pass
        except ProtobufError as error:
            raise ModelError(
                f"is a truncated or damaged GraphDef: {error}", where=str(path), next_step=_EXPORT_AGAIN
            ) from error


def nodes(data: Buffer, start: int, end: int) -> Iterator[Node]:
    """The nodes of the GraphDef in ``data[start:end]``.

    Raises:
        ProtobufError: while iterating: it is no GraphDef, or was cut off.
    """
    for field in fields(data, start, end):
        if field.number == _NODE and field.wire_type == LENGTH_DELIMITED:
            name = op = ""
            for inner in fields(data, field.start, field.end):
                if inner.number == 1 and inner.wire_type == LENGTH_DELIMITED:
                    name = text(data, inner)
                elif inner.number == 2 and inner.wire_type == LENGTH_DELIMITED:
                    op = text(data, inner)
            if not name or not _OP.fullmatch(op):
                raise ProtobufError(f"the node at byte {field.start} has no name or no op")
            yield Node(name, op, field)


def takes_image_files(path: Path, input_name: str) -> bool:
    """Whether the input of the graph in ``path`` is a placeholder for text: bytes of image files, to be decoded.

    ``input_name`` may be empty where the graph has one placeholder. A text graph counts as not.

    Raises:
        ModelError: the file cannot be read or is damaged.
    """
    wanted = input_name.removesuffix(":0")
    with mapped(path) as data:
        if is_text_graph(bytes(data[:65536])):
            return False
        try:
            placeholders = {
                node.name: _dtype(data, node.place)
                for node in nodes(data, 0, len(data))
                if node.op == "Placeholder"
            }
        except ProtobufError as error:
            raise ModelError(
                f"is a truncated or damaged GraphDef: {error}", where=str(path), next_step=_EXPORT_AGAIN
            ) from error
    if wanted:
        return placeholders.get(wanted) == DT_STRING
    return list(placeholders.values()) == [DT_STRING]


def _dtype(data: Buffer, node: Field) -> int:
    """The attribute ``dtype`` (DataType); 0 where there is none."""
    for entry in fields(data, node.start, node.end):
        if entry.number != 5 or entry.wire_type != LENGTH_DELIMITED:
            continue
        key, found = "", 0
        for part in fields(data, entry.start, entry.end):
            if part.number == 1 and part.wire_type == LENGTH_DELIMITED:
                key = text(data, part)
            elif part.number == 2 and part.wire_type == LENGTH_DELIMITED:
                for value in fields(data, part.start, part.end):
                    if value.number == 6 and value.wire_type == VARINT:
                        found = value.value
        if key == "dtype":
            return found
    return 0
