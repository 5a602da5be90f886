"""TensorFlow's memory-mapped graph: weights that are mapped from the file and never copied to memory.

The format (``tensorflow/core/util/memmapped_file_system.h``): regions one after another, those of tensors at
multiples of 64 bytes; then a ``MemmappedFileSystemDirectory`` of their names, offsets and lengths; then the
directory's offset as 8 bytes, little-endian. The region ``memmapped_package://.`` is the GraphDef, whose
large Consts have become ``ImmutableConst`` nodes that name their regions. A C++ program opens it with
``MemmappedEnv``; Python cannot, so it is turned back into a GraphDef there.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.errors import ModelError
from harness.transforms.graph import GraphDef, GraphView, NodeDef, const_value, new_graph_like
from harness.transforms.graphdef_file import MEMORY_MAPPED_PREFIX, serialized, write_atomically

GRAPH_REGION: Final = MEMORY_MAPPED_PREFIX + "."
ALIGNMENT_BYTES: Final = 64
SMALLEST_TENSOR_BYTES: Final = 10_000
"""What TensorFlow's own converter took by default."""

_RESTORE_ADVICE: Final = "Write it again from the GraphDef, or copy it again."

# The plain-data types of TensorFlow's types.proto that a region may hold: float, double, int32, uint8, int16,
# int8, complex64, int64, bool, bfloat16, uint16, complex128, half, uint32, uint64.
_PLAIN_TYPES: Final = frozenset({1, 2, 3, 4, 5, 6, 8, 9, 10, 14, 17, 18, 19, 22, 23})


@dataclass(frozen=True)
class MemoryMapped:
    """What was written: how many tensors stand outside the protobuf, and how large they and the file are."""

    tensors: int
    tensor_bytes: int
    file_bytes: int


def write_memory_mapped(
    path: Path, graph: GraphDef, *, min_bytes: int = SMALLEST_TENSOR_BYTES
) -> MemoryMapped:
    """Write ``graph`` with every Const of at least ``min_bytes`` (at least 1) as a mapped region.

    Raises:
        ModelError: the graph does not hang together, a value does not fit its shape, or the file cannot be
            written.
    """
    writer = _Writer(GraphView(graph), max(1, min_bytes))
    write_atomically(path, writer.chunks())
    return MemoryMapped(writer.tensors, writer.tensor_bytes, writer.position)


def restore_memory_mapped(path: Path) -> GraphDef:
    """The graph in ``path`` with plain Consts again.

    Raises:
        ModelError: missing, truncated, no memory-mapped graph, or a region is missing or of a wrong size.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(path, data).graph()
    except ValueError:
        raise ModelError("is empty", where=str(path), next_step=_RESTORE_ADVICE) from None
    except OSError as problem:
        raise ModelError(
            f"cannot be read: {problem.strerror}",
            where=str(path),
            next_step="Check that the path names a readable file.",
        ) from None


class _Writer:
    def __init__(self, view: GraphView, min_bytes: int) -> None:
        from tensorflow.core.util.memmapped_file_system_pb2 import MemmappedFileSystemDirectory

        self._view = view
        self._min_bytes = min_bytes
        self._directory = MemmappedFileSystemDirectory()
        self._names: set[str] = set()
        self.position = 0
        self.tensors = 0
        self.tensor_bytes = 0

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The file's bytes in their order; one tensor at a time is in memory."""
        graph = new_graph_like(self._view.graph, with_library=True)
        for node in self._view.nodes.values():
            target = graph.node.add()
            content = self._content(node)
            if content is None:
                target.CopyFrom(node)
                continue
            yield self._advance(b"\0" * (-self.position % ALIGNMENT_BYTES))
            region = self._region_name(node.name)
            self._enter(region, len(content))
            self.tensors += 1
            self.tensor_bytes += len(content)
            _make_immutable(target, node, region)
            yield self._advance(content)
        protobuf = serialized(graph)
        self._enter(GRAPH_REGION, len(protobuf))
        yield self._advance(protobuf)
        directory_offset = self.position
        yield self._advance(self._directory.SerializeToString())
        yield self._advance(struct.pack("<Q", directory_offset))

    def _advance(self, chunk: bytes) -> bytes:
        self.position += len(chunk)
        return chunk

    def _enter(self, name: str, length: int) -> None:
        self._directory.element.add(offset=self.position, name=name, length=length)

    def _content(self, node: NodeDef) -> bytes | None:
        """The tensor's bytes where it is to stand outside the protobuf. No empty tensor can."""
        if node.op != "Const" or node.attr["dtype"].type not in _PLAIN_TYPES:
            return None
        tensor = node.attr["value"].tensor
        if tensor.dtype != node.attr["dtype"].type:
            return None
        wanted = _size_bytes(tensor)
        if wanted < self._min_bytes:
            return None
        content: bytes = tensor.tensor_content
        if len(content) == wanted:
            return content
        return const_value(node).tobytes()

    def _region_name(self, node_name: str) -> str:
        name = re.sub(r"[^A-Za-z0-9_.]", "_", node_name)
        while name in self._names:
            name += "_"
        self._names.add(name)
        return MEMORY_MAPPED_PREFIX + name


def _size_bytes(tensor: Any) -> int:
    import tensorflow as tf

    elements = int(np.prod([dim.size for dim in tensor.tensor_shape.dim], dtype=np.int64))
    return elements * int(tf.as_dtype(tensor.dtype).size)


def _make_immutable(target: NodeDef, node: NodeDef, region: str) -> None:
    target.name = node.name
    target.op = "ImmutableConst"
    target.device = node.device
    target.input.extend(node.input)
    tensor = node.attr["value"].tensor
    target.attr["dtype"].type = tensor.dtype
    target.attr["shape"].shape.CopyFrom(tensor.tensor_shape)
    target.attr["memory_region_name"].s = region.encode()


class _Reader:
    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path = path
        self._data = data
        self._regions = self._read_directory()

    def graph(self) -> GraphDef:
        from google.protobuf.message import DecodeError
        from tensorflow.core.framework.graph_pb2 import GraphDef as Graph

        mapped: GraphDef = Graph()
        try:
            mapped.ParseFromString(self._region(GRAPH_REGION))
        except DecodeError:
            raise self._damaged("its GraphDef does not parse") from None
        result = new_graph_like(mapped, with_library=True)
        for node in mapped.node:
            target = result.node.add()
            if node.op == "ImmutableConst":
                self._make_const(target, node)
            else:
                target.CopyFrom(node)
        return result

    def _make_const(self, target: NodeDef, node: NodeDef) -> None:
        region = node.attr["memory_region_name"].s.decode("utf-8", "replace")
        if node.attr["dtype"].type not in _PLAIN_TYPES:
            raise self._damaged(f"node {node.name!r} has a type that cannot be mapped")
        target.name = node.name
        target.op = "Const"
        target.device = node.device
        target.input.extend(node.input)
        target.attr["dtype"].type = node.attr["dtype"].type
        tensor = target.attr["value"].tensor
        tensor.dtype = node.attr["dtype"].type
        tensor.tensor_shape.CopyFrom(node.attr["shape"].shape)
        content = self._region(region)
        wanted = _size_bytes(tensor)
        if len(content) < wanted:
            raise self._damaged(
                f"region {region!r} has {len(content)} bytes, and {node.name!r} needs {wanted}"
            )
        tensor.tensor_content = content[:wanted]

    def _region(self, name: str) -> bytes:
        if name not in self._regions:
            raise self._damaged(f"has no region {name!r}")
        start, length = self._regions[name]
        return self._data[start : start + length]

    def _read_directory(self) -> dict[str, tuple[int, int]]:
        from google.protobuf.message import DecodeError
        from tensorflow.core.util.memmapped_file_system_pb2 import MemmappedFileSystemDirectory

        end = len(self._data) - 8
        offset = struct.unpack("<Q", self._data[end:])[0] if end >= 0 else -1
        if not 0 <= offset <= end:
            raise self._damaged("is no memory-mapped graph, or is truncated")
        directory = MemmappedFileSystemDirectory()
        try:
            directory.ParseFromString(self._data[offset:end])
        except DecodeError:
            raise self._damaged("is no memory-mapped graph, or is truncated") from None
        regions: dict[str, tuple[int, int]] = {}
        next_offset = offset
        for element in reversed(directory.element):
            # Writers before 2019 stored no length: a region then reaches to the next one.
            length = element.length or next_offset - element.offset
            if element.offset + length > next_offset or length < 0 or element.name in regions:
                raise self._damaged(f"region {element.name!r} lies outside the file, or over another")
            regions[element.name] = (element.offset, length)
            next_offset = element.offset
        if GRAPH_REGION not in regions:
            raise self._damaged("is no memory-mapped graph, or is truncated")
        return regions

    def _damaged(self, problem: str) -> ModelError:
        return ModelError(problem, where=str(self._path), next_step=_RESTORE_ADVICE)
