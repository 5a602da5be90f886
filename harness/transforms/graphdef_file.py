"""Frozen graphs on disk: a GraphDef as binary protobuf (.pb) or text (.pbtxt)."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from harness.errors import ModelError
from harness.transforms.graph import GraphDef

LARGEST_PROTOBUF_BYTES: Final = (1 << 31) - 1
"""Protocol buffers refuse larger messages: https://protobuf.dev/programming-guides/proto-limits/"""

MEMORY_MAPPED_PREFIX: Final = "memmapped_package://"

_EXPORT_AGAIN: Final = "Give a frozen GraphDef (.pb or .pbtxt): copy or export it again."
_FOREIGN: Final = (
    (
        0,
        b"\x89HDF\r\n",
        "a Keras file (HDF5)",
        "Give the Keras file to the harness as it is, or freeze it to a GraphDef.",
    ),
    (
        0,
        b"PK\x03\x04",
        "a zip archive (perhaps a .keras file)",
        "Unpack it, or give the Keras file as it is.",
    ),
    (4, b"TFL3", "a .tflite model", "These steps take a GraphDef; a .tflite is used as it is."),
    (0, b"\x1f\x8b", "compressed with gzip", "Unpack it first (gunzip, tar -xzf)."),
    (
        0,
        b"version https://git-lfs",
        "a Git LFS pointer, not the model",
        "Fetch the file itself: git lfs pull.",
    ),
)
_TEXT_START: Final = re.compile(
    rb"\A(\xef\xbb\xbf)?(\s|#[^\n]*\n)*(node|library|versions?|debug_info)\s*[:{<]"
)


def read_graphdef(path: Path) -> GraphDef:
    """The GraphDef in ``path``, binary or text, whichever it is by its content.

    Raises:
        ModelError: missing, empty, truncated, over 2 GiB, or no GraphDef.
    """
    data = _read(path)
    refuse_foreign(path, data)
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework.graph_pb2 import GraphDef as Graph

    graph: GraphDef = Graph()
    if _TEXT_START.match(data[:65536]):
        try:
            text_format.Parse(data.decode("utf-8"), graph)
        except (text_format.ParseError, UnicodeDecodeError) as problem:
            raise ModelError(
                f"does not parse as a text GraphDef: {problem}", where=str(path), next_step=_EXPORT_AGAIN
            ) from None
    else:
        try:
            graph.ParseFromString(data)
        except DecodeError:
            raise _not_a_graph(path, data, "is not a GraphDef, or is truncated") from None
    _check_is_graph(path, graph, data)
    return graph


def read_graphdef_or_meta(path: Path) -> GraphDef:
    """The GraphDef in ``path``, which may also be a checkpoint's ``.meta`` (a MetaGraphDef).

    Raises:
        ModelError: as ``read_graphdef``.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

    try:
        return read_graphdef(path)
    except ModelError:
        try:
            graph: GraphDef = MetaGraphDef.FromString(_read(path)).graph_def
        except DecodeError:
            graph = None
        if graph is None or not graph.node:
            raise
        return graph


def write_graphdef(path: Path, graph: GraphDef) -> None:
    """Write ``graph`` whole or not at all; as text where ``path`` ends in ``.pbtxt``.

    Raises:
        ModelError: over 2 GiB, or the file cannot be written.
    """
    if path.suffix == ".pbtxt":
        from google.protobuf import text_format

        write_atomically(path, [text_format.MessageToString(graph).encode("utf-8")])
        return
    size_bytes = graph.ByteSize()
    if size_bytes > LARGEST_PROTOBUF_BYTES:
        raise ModelError(
            f"the graph has {size_bytes} bytes, and a protobuf holds at most 2 GiB",
            where=str(path),
            next_step="Write it memory-mapped: then the weights stand outside the protobuf.",
        )
    write_atomically(path, [serialized(graph)])


def serialized(graph: GraphDef) -> bytes:
    """The graph's bytes: the same for the same graph, so that a file can be named by its content."""
    return bytes(graph.SerializeToString(deterministic=True))


def write_atomically(path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Write ``chunks`` to ``path``; it appears when complete, and nothing is left behind otherwise.

    Raises:
        ModelError: the file cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as problem:
        raise _cannot_write(path, problem) from None
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            for chunk in chunks:
                out.write(chunk)
        # mkstemp makes the file private; what others may read is decided by their umask, as with any file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise _cannot_write(path, problem) from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def refuse_foreign(path: Path, data: bytes) -> None:
    """Refuse what is known by its first bytes to be another kind of file.

    Raises:
        ModelError: empty, or another format; the message names it.
    """
    if not data:
        raise ModelError("is empty", where=str(path), next_step=_EXPORT_AGAIN)
    for offset, magic, kind, next_step in _FOREIGN:
        if data[offset : offset + len(magic)] == magic:
            raise ModelError(f"is {kind}, not a GraphDef", where=str(path), next_step=next_step)
    # The directory at the end of such a file lists the graph last.
    if MEMORY_MAPPED_PREFIX.encode() + b"." in data[-64:]:
        raise ModelError(
            "is a memory-mapped graph", where=str(path), next_step="Restore it to a GraphDef first."
        )


def _read(path: Path) -> bytes:
    try:
        size_bytes = path.stat().st_size
        if path.is_dir():
            raise ModelError(
                "is a folder, not a GraphDef file",
                where=str(path),
                next_step="Name the .pb file; a SavedModel folder is given to the harness as it is.",
            )
        if size_bytes > LARGEST_PROTOBUF_BYTES:
            raise ModelError(
                f"has {size_bytes} bytes, and a GraphDef holds at most 2 GiB",
                where=str(path),
                next_step="A larger graph can only be memory-mapped; check that this is the right file.",
            )
        return path.read_bytes()
    except OSError as problem:
        raise ModelError(
            f"cannot be read: {problem.strerror}",
            where=str(path),
            next_step="Check that the path names a readable file.",
        ) from None


def _check_is_graph(path: Path, graph: GraphDef, data: bytes) -> None:
    """Refuse other messages that happen to parse: protobuf carries no name of what it holds."""
    named = all(node.name and re.fullmatch(r"[A-Za-z][A-Za-z0-9_>]*", node.op) for node in graph.node)
    if graph.node and named:
        return
    raise _not_a_graph(path, data, "is not a GraphDef, or is damaged" if graph.node else "holds no nodes")


def _not_a_graph(path: Path, data: bytes, problem: str) -> ModelError:
    kind = _other_message(data)
    if kind is None:
        return ModelError(problem, where=str(path), next_step=_EXPORT_AGAIN)
    return ModelError(
        f"is {kind}, not a frozen GraphDef",
        where=str(path),
        next_step="Give the SavedModel folder to the harness, or freeze the graph first.",
    )


def _other_message(data: bytes) -> str | None:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    try:
        if any(meta.graph_def.node for meta in SavedModel.FromString(data).meta_graphs):
            return "a SavedModel"
    except DecodeError:
        pass
    try:
        if MetaGraphDef.FromString(data).graph_def.node:
            return "a MetaGraphDef (.meta)"
    except DecodeError:
        pass
    return None


def _cannot_write(path: Path, problem: OSError) -> ModelError:
    return ModelError(
        f"cannot be written: {problem.strerror}",
        where=str(path),
        next_step="Choose a folder that exists, is writable and has room.",
    )
