"""Loads what TensorFlow 1 left as a graph: frozen, with its input and output. For worker processes only."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.core.model_io import ModelIO, same_tensor
from harness.errors import ModelError
from harness.models.checkpoint import find_checkpoint
from harness.models.graph_ends import Ends, check_frozen, find_ends
from harness.models.saved_model import BINARY_NAME, TEXT_NAME
from harness.models.source import SourceFormat
from harness.transforms.freeze import freeze
from harness.transforms.graph import (
    GraphDef,
    GraphView,
    closest,
    copy_used_library,
    new_graph_like,
    parse_ref,
)
from harness.transforms.graphdef_file import read_graphdef, read_graphdef_or_meta

SERVING: Final = "serving_default"
_INIT: Final = "__saved_model_init_op"


@dataclass(frozen=True)
class FrozenGraph:
    """``graph`` holds what leads to ``ends.output``, without variables; also what leads to ``ends.input``."""

    graph: GraphDef
    ends: Ends

    @property
    def view(self) -> GraphView:
        return GraphView(self.graph)


def load_frozen(source_format: SourceFormat, path: Path, io: ModelIO) -> FrozenGraph:
    """The graph of a frozen GraphDef, a checkpoint, or a SavedModel of TensorFlow 1.

    Raises:
        ModelError: damaged, not frozen, without values for a variable, or input and output are not clear.
    """
    try:
        match source_format:
            case SourceFormat.GRAPHDEF:
                graph = read_graphdef(path)
                ends = find_ends(GraphView(graph), io)
            case SourceFormat.CHECKPOINT:
                files = find_checkpoint(path)
                ends = find_ends(GraphView(read_graphdef_or_meta(files.graph)), io)
                graph = freeze(files.graph, files.prefix, outputs=_both(ends))
            case SourceFormat.SAVED_MODEL:
                graph, ends = _from_saved_model(path, io)
            case _:
                raise AssertionError(source_format)
        return FrozenGraph(_needed(graph, ends), ends)
    except ModelError as error:
        if error.where is not None:
            raise
        raise ModelError(error.problem, where=str(path), next_step=error.next_step) from error


def read_meta_graph(folder: Path) -> Any:
    """The MetaGraphDef of a SavedModel that is tagged ``serve``, or the only one.

    Raises:
        ModelError: damaged, or there is a choice to make.
    """
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    path = folder / BINARY_NAME
    try:
        if path.is_file():
            saved = SavedModel.FromString(path.read_bytes())
        else:
            path = folder / TEXT_NAME
            saved = text_format.Parse(path.read_text("utf-8"), SavedModel())
    except (DecodeError, text_format.ParseError, UnicodeDecodeError) as error:
        raise ModelError(
            f"is damaged: {' '.join(str(error).split())[:200]}",
            where=str(path),
            next_step="Copy or export the SavedModel again.",
        ) from None
    serving = [meta for meta in saved.meta_graphs if "serve" in meta.meta_info_def.tags]
    found = serving or list(saved.meta_graphs)
    if len(found) != 1:
        tags = "; ".join(", ".join(meta.meta_info_def.tags) for meta in saved.meta_graphs)
        raise ModelError(
            f"holds {len(found)} graphs, tagged {tags or 'not at all'}",
            where=str(path),
            next_step="Export the model with the tag serve alone.",
        )
    return found[0]


def choose_signature(signatures: Mapping[str, Any], name: str) -> str:
    """The signature called ``name``; where that is empty, ``serving_default`` or the only one.

    Raises:
        ModelError: there is none of that name, or a choice to make.
    """
    known = [key for key in signatures if key != _INIT]
    if name:
        if name in known:
            return name
        raise ModelError(
            f"has no signature {name!r}, it has {', '.join(known) or 'none'}",
            next_step="Set model.signature to one of them.",
        )
    if SERVING in known or len(known) == 1:
        return SERVING if SERVING in known else known[0]
    if not known:
        raise ModelError(
            "has no signature: what it takes and gives is not known",
            next_step="Export it with a signature, or set model.input and model.output to tensors of its graph.",
        )
    raise ModelError(
        f"has {len(known)} signatures and no {SERVING}: {', '.join(known)}",
        next_step="Set model.signature in the suite to one of them.",
    )


def choose_entry(kind: str, entries: Mapping[str, str], name: str) -> str:
    """The key among a signature's ``entries`` (key to tensor name) that ``name`` means by key or tensor.

    Raises:
        ModelError: there is none, or ``name`` is empty and there are several.
    """
    found = [key for key, tensor in entries.items() if not name or key == name or same_tensor(tensor, name)]
    if len(found) == 1 or (found and name):
        return found[0]
    listed = ", ".join(f"{key} ({tensor})" if tensor else key for key, tensor in sorted(entries.items()))
    raise ModelError(
        f"the signature has no {kind} {name!r}, it has {listed}"
        if name
        else f"the signature has {len(entries)} {kind}s: {listed}",
        next_step=f"Set model.{kind} in the suite to one of them.",
    )


def _from_saved_model(folder: Path, io: ModelIO) -> tuple[GraphDef, Ends]:
    meta = read_meta_graph(folder)
    ends = _signature_ends(meta, io)
    with tempfile.TemporaryDirectory(prefix="harness-graph-") as work:
        graph = Path(work) / "graph.meta"
        graph.write_bytes(meta.SerializeToString())
        if not (folder / "variables").is_dir():
            return meta.graph_def, ends
        return freeze(graph, folder / "variables" / "variables", outputs=_both(ends)), ends


def _signature_ends(meta: Any, io: ModelIO) -> Ends:
    view = GraphView(meta.graph_def)
    by_tensor = [name for name in (io.input, io.output) if name and parse_ref(name).node in view]
    signatures = {key: value for key, value in meta.signature_def.items() if value.inputs and value.outputs}
    if (len(by_tensor) == 2 or not signatures) and not io.signature:
        return find_ends(view, io)
    signature = signatures[choose_signature(signatures, io.signature)]
    inputs = {key: tensor.name for key, tensor in signature.inputs.items()}
    outputs = {key: tensor.name for key, tensor in signature.outputs.items()}
    return Ends(_tensor("input", inputs, io.input, view), _tensor("output", outputs, io.output, view))


def _tensor(kind: str, entries: Mapping[str, str], name: str, view: GraphView) -> str:
    if name and name not in entries and parse_ref(name).node in view:
        return name
    return entries[choose_entry(kind, entries, name)]


def _both(ends: Ends) -> list[str]:
    return [ends.output, ends.input]


def _needed(graph: GraphDef, ends: Ends) -> GraphDef:
    view = GraphView(graph)
    for name in _both(ends):
        if parse_ref(name).node not in view:
            raise ModelError(f"the graph has no node {name!r}", next_step=closest(name, view.nodes))
    needed = check_frozen(view, ends)
    result = new_graph_like(graph)
    for node in graph.node:
        if node.name in needed:
            result.node.add().CopyFrom(node)
    copy_used_library(graph, result)
    return result
