"""Bytes changed at random: every pass works or refuses; none ends in another error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import built, conv, decomposed, fused, image, numbers

from harness.errors import ModelError
from harness.transforms.fold_batch_norms import fold_batch_norms
from harness.transforms.graphdef_file import read_graphdef
from harness.transforms.memory_map import restore_memory_mapped, write_memory_mapped
from harness.transforms.round_weights import round_weights
from harness.transforms.strip import strip


def network() -> Any:
    def build() -> None:
        y = tf.nn.relu(fused(tf.nn.bias_add(conv(image()), numbers(4)))[0])
        decomposed(conv(y, 5, name="conv2"), name="bn2")

    return built(build)


def damaged(data: bytes, generator: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(generator.integers(1, 4)):
        changed[generator.integers(len(changed))] = generator.integers(256)
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_graph_is_used_or_refused(tmp_path: Path, seed: int) -> None:
    data, generator, path = network().SerializeToString(), np.random.default_rng(seed), tmp_path / "graph.pb"
    outcomes = set()
    for _ in range(60):
        path.write_bytes(damaged(data, generator))
        try:
            graph = read_graphdef(path)
            strip(graph, inputs=["x"], outputs=["bn2/add_1"])
            fold_batch_norms(graph)
            round_weights(graph, min_elements=1)
            write_memory_mapped(tmp_path / "mapped", graph, min_bytes=1)
            outcomes.add("used")
        except ModelError as error:
            assert error.next_step
            outcomes.add("refused")
    assert outcomes == {"used", "refused"}


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_mapped_graph_is_restored_or_refused(tmp_path: Path, seed: int) -> None:
    path, generator = tmp_path / "mapped", np.random.default_rng(seed)
    write_memory_mapped(path, network(), min_bytes=400)
    data = path.read_bytes()
    refused = 0
    for _ in range(60):
        # The end holds the graph and the directory; a changed weight cannot be noticed.
        path.write_bytes(data[:1000] + damaged(data[1000:], generator))
        try:
            restore_memory_mapped(path)
        except ModelError as error:
            assert error.next_step
            refused += 1
    assert 0 < refused < 60
