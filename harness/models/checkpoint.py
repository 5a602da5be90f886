"""TensorFlow 1 checkpoint with its graph: which files belong together, without TensorFlow.

A checkpoint named ``model.ckpt-1000`` is ``….index``, ``….data-00000-of-00001`` and, from the Saver, ``….meta``
(tensorflow/core/util/tensor_bundle); before TensorFlow 0.12 it was one file of that name. The graph is the
``.meta``, or a .pb or .pbtxt beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import ModelError
from harness.models.files import check_inside
from harness.models.graphdef import begins_with_node, check_graphdef, is_text_graph
from harness.models.protobuf_wire import LENGTH_DELIMITED, ProtobufError, fields, mapped

_TABLE_MAGIC: Final = bytes.fromhex("57fb808b247547db")
"""The last bytes of an .index and of an old checkpoint (tensorflow/core/lib/io/format.h)."""

_PART: Final = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_GRAPH_SUFFIXES: Final = (".meta", ".pb", ".pbtxt")
_COPY_ALL: Final = (
    "Copy all files of the checkpoint: PREFIX.index, PREFIX.data-… and the graph (PREFIX.meta)."
)
_LISTED: Final = 6


@dataclass(frozen=True)
class CheckpointFiles:
    """``prefix`` is what TensorFlow calls the checkpoint; ``graph`` a GraphDef or MetaGraphDef; ``files`` are all."""

    prefix: Path
    graph: Path
    files: tuple[Path, ...]


def is_checkpoint(path: Path) -> bool:
    """Whether ``path`` is a folder with a checkpoint, a checkpoint's prefix, or one of its files."""
    if path.is_dir():
        return bool(_prefixes(path)) or any(_is_meta(file) for file in path.glob("*.meta"))
    if path.is_file():
        return _is_part(path) or _is_table(path)
    return Path(f"{path}.index").is_file() or Path(f"{path}.meta").is_file()


def find_checkpoint(path: Path) -> CheckpointFiles:
    """The files of the checkpoint that ``path`` names: its folder, its prefix or one of its files.

    In a folder, the one that the file ``checkpoint`` calls the newest, or the only one.

    Raises:
        ModelError: files are missing, lie outside the folder, or there is a choice to make.
    """
    prefix = _newest(path) if path.is_dir() else path.with_name(_PART.sub("", path.name))
    if path.is_file() and prefix == path and _is_meta(path):
        raise ModelError(
            "is a MetaGraphDef, the graph of a checkpoint, without its values",
            where=str(path),
            next_step=f"Name it {path.name}.meta, beside {path.name}.index and {path.name}.data-….",
        )
    folder = prefix.parent
    values = _values(prefix)
    graph = _graph(prefix)
    files = (*values, graph)
    for file in files:
        check_inside(file, folder)
    if graph.suffix != ".meta":
        check_graphdef(graph)
    return CheckpointFiles(prefix, graph, files)


def check_shards(prefix: Path) -> tuple[Path, ...]:
    """The .index and every .data file of the checkpoint ``prefix``.

    Raises:
        ModelError: one is missing.
    """
    index = prefix.with_name(f"{prefix.name}.index")
    if not index.is_file():
        raise ModelError("the checkpoint's values are missing", where=str(index), next_step=_COPY_ALL)
    shards = sorted(prefix.parent.glob(f"{_escaped(prefix.name)}.data-?????-of-?????"))
    count = int(shards[0].name[-5:]) if shards and shards[0].name[-5:].isdigit() else 1
    for number in range(min(count, len(shards) + 1)):
        expected = prefix.with_name(f"{prefix.name}.data-{number:05}-of-{count:05}")
        if not expected.is_file():
            raise ModelError("the checkpoint's values are missing", where=str(expected), next_step=_COPY_ALL)
    return (index, *shards)


def _values(prefix: Path) -> tuple[Path, ...]:
    return (prefix,) if prefix.is_file() else check_shards(prefix)


def _newest(folder: Path) -> Path:
    prefixes = _prefixes(folder)
    state = folder / "checkpoint"
    if state.is_file():
        with state.open("rb") as stream:
            named = re.search(
                rb'^\s*model_checkpoint_path:\s*"([^"\n]*)"', stream.read(1 << 20), re.MULTILINE
            )
        if named is not None:
            # The path is often absolute, and of the machine that trained: its last part is what counts.
            newest = named[1].decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
            for prefix in prefixes:
                if prefix.name == newest:
                    return prefix
    if len(prefixes) == 1:
        return prefixes[0]
    if not prefixes:
        (meta, *_) = sorted(folder.glob("*.meta"))
        raise ModelError(
            "has a graph but no values: the checkpoint's .index and .data files are missing",
            where=str(meta),
            next_step=_COPY_ALL,
        )
    names = ", ".join(prefix.name for prefix in prefixes[-_LISTED:])
    raise ModelError(
        f"holds {len(prefixes)} checkpoints ({names}) and does not say which is the newest",
        where=str(folder),
        next_step=f"Name one: {folder / prefixes[-1].name}",
    )


def _prefixes(folder: Path) -> list[Path]:
    found = {file.with_suffix("") for file in folder.glob("*.index") if _is_table(file)}
    if not found:
        # Before TensorFlow 0.12: one file, named by the state file, or with a number behind .ckpt.
        found = {file for file in folder.glob("*.ckpt*") if not _PART.search(file.name) and _is_table(file)}
    return sorted(found)


def _graph(prefix: Path) -> Path:
    own = prefix.with_name(f"{prefix.name}.meta")
    if own.is_file():
        return own
    candidates = sorted(
        file for file in prefix.parent.iterdir() if file.suffix in _GRAPH_SUFFIXES and file.is_file()
    )
    for name in ("graph.pbtxt", "graph.pb"):
        if prefix.parent / name in candidates:
            return prefix.parent / name
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise ModelError(
            "has values but no graph",
            where=str(prefix),
            next_step=f"Put the graph beside it: {own.name}, or a GraphDef as graph.pb or graph.pbtxt.",
        )
    names = ", ".join(file.name for file in candidates[:_LISTED])
    raise ModelError(
        f"which graph belongs to the checkpoint is not clear: {names}",
        where=str(prefix),
        next_step=f"Name the right one {own.name} or graph.pb.",
    )


def _is_part(path: Path) -> bool:
    if path.suffix == ".meta" or _PART.search(path.name) is None:
        return _is_meta(path)
    return _is_table(path.with_name(f"{_PART.sub('', path.name)}.index"))


def _is_table(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            stream.seek(-len(_TABLE_MAGIC), 2)
            return stream.read() == _TABLE_MAGIC
    except OSError:
        return False


def _is_meta(path: Path) -> bool:
    """Whether the file begins as a MetaGraphDef: its field 2 is a GraphDef."""
    try:
        if not path.is_file():
            return False
        with mapped(path) as data:
            if is_text_graph(bytes(data[:512])):
                return False
            for field in fields(data):
                if field.number == 2:
                    return field.wire_type == LENGTH_DELIMITED and begins_with_node(data, field.start)
                if field.number > 2:
                    return False
    except (ProtobufError, ModelError):
        return False
    return False


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)
