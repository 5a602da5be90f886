"""What a model file holds, whatever its format."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from harness.core.inspection import Inspection
from harness.errors import ModelError
from harness.models.files import hash_file
from harness.models.inspect_tflite import inspect_tflite
from harness.models.source import SourceModel, open_source
from harness.models.tflite import IDENTIFIER
from harness.variants.inspection_process import ask
from harness.variants.inspection_requests import GraphFormat, Inspect


def inspect_model(path: Path) -> Inspection:
    """Describe the model in ``path``. A .tflite is read here; all else in a process of its own, which has TensorFlow.

    Raises:
        ModelError: missing, damaged, unsafe, or no model.
    """
    if is_tflite(path):
        sha256, size_bytes = hash_file(path)
        return inspect_tflite(path, size_bytes=size_bytes, sha256=sha256)
    source = open_source(path)
    reply = ask(
        Inspect(path=str(source.path), format=graph_format(source), bytes=source.bytes, sha256=source.sha256)
    )
    assert reply.inspection is not None
    return reply.inspection


def is_tflite(path: Path) -> bool:
    """Whether the file begins as a .tflite; also one that the harness could not run, such as one that takes text."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(8)[4:] == IDENTIFIER
    except (OSError, ValueError):
        # What is wrong with the path is for the opening of a source to say.
        return False


def graph_format(source: SourceModel) -> GraphFormat:
    """The format as the worker knows it.

    Raises:
        ModelError: there is no graph to look into.
    """
    for known in get_args(GraphFormat):
        if source.format.value == known:
            found: GraphFormat = known
            return found
    raise ModelError(
        f"is a {source.format.value}, which cannot be looked into",
        where=str(source.path),
        next_step="Give a graph, a SavedModel, a Keras model or a .tflite.",
    )
