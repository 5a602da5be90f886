"""Session files for the tests of graph sources: each form of the tiny network, written once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fixtures import tiny_graphs


@dataclass(frozen=True)
class GraphFiles:
    """``checkpoint`` is a prefix, the SavedModels are folders; tests change copies only."""

    frozen: Path
    checkpoint: Path
    saved_model_v1: Path
    saved_model_v2: Path


def write_all(folder: Path) -> GraphFiles:
    frozen = folder / "frozen.pb"
    frozen.write_bytes(tiny_graphs.frozen_graph().SerializeToString())
    return GraphFiles(
        frozen,
        tiny_graphs.write_checkpoint(folder / "checkpoint", resource=False),
        tiny_graphs.write_saved_model_v1(folder / "v1"),
        tiny_graphs.write_saved_model_v2(folder / "v2"),
    )
