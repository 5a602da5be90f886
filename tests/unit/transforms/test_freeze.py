from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from small_graphs import named, numbers, ops, v1

from harness.errors import ModelError
from harness.transforms.compare_graphs import run_graph
from harness.transforms.freeze import freeze

FEED = {"x:0": numbers(2, 5), "ids:0": np.array([1, 3], np.int32)}


def network(resource: bool) -> None:
    v1.disable_control_flow_v2()
    x = v1.placeholder(tf.float32, [None, 5], name="x")
    ids = v1.placeholder(tf.int32, [None], name="ids")
    with v1.variable_scope("net", use_resource=resource):
        weights = v1.get_variable("w", initializer=numbers(5, 4))
        table = v1.get_variable("table", initializer=numbers(6, 4, seed=3))
        scale = v1.get_variable("scale", initializer=np.float32(1.5))
    y = tf.matmul(x, weights) * scale + tf.nn.embedding_lookup(table, ids)
    # In a branch and a loop the variable reaches its reader through Switch and Enter.
    y = v1.cond(tf.reduce_sum(x) > -100, lambda: y + tf.reduce_sum(weights), lambda: y)
    y = v1.while_loop(lambda i, v: i < 2, lambda i, v: (i + 1, v @ tf.transpose(weights) @ weights), (0, y))[
        1
    ]
    tf.identity(y, name="out")
    v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(y), name="train")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], tuple[Path, Any]]:
    """Folder with graph.pb, graph.pbtxt and a checkpoint of the network, and its output."""
    made: dict[bool, tuple[Path, Any]] = {}

    def make(resource: bool) -> tuple[Path, Any]:
        if resource not in made:
            folder = tmp_path_factory.mktemp("resource" if resource else "reference")
            with tf.Graph().as_default() as graph:
                network(resource)
                with v1.Session(graph=graph) as session:
                    session.run(v1.global_variables_initializer())
                    v1.train.Saver().save(session, str(folder / "model.ckpt"), global_step=7)
                    expected = session.run("out:0", FEED)
            (folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
            (folder / "graph.pbtxt").write_text(text_format.MessageToString(graph.as_graph_def()))
            made[resource] = folder, expected
        return made[resource]

    return make


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize(
    ("graph_file", "checkpoint"),
    [
        ("graph.pb", "model.ckpt-7"),
        ("graph.pbtxt", "model.ckpt-7.index"),
        ("model.ckpt-7.meta", "model.ckpt-7.data-00000-of-00001"),
        ("graph.pb", "."),
    ],
)
def test_variables_of_both_kinds_are_frozen(
    trained: Any, resource: bool, graph_file: str, checkpoint: str
) -> None:
    folder, expected = trained(resource)
    frozen = freeze(folder / graph_file, folder / checkpoint, outputs=["out"])
    [[found]] = run_graph(frozen, [FEED], ["out"])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not any("Var" in op or "Assign" in op or "Gradient" in op for op in ops(frozen))
    assert named(frozen, "net/w").op == "Const"


def test_a_checkpoint_of_version_1_is_read(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        v1.get_variable("w", initializer=numbers(3), use_resource=False)
        tf.identity(graph.get_tensor_by_name("w/read:0"), name="out")
        with v1.Session(graph=graph) as session:
            session.run(v1.global_variables_initializer())
            saver = v1.train.Saver(write_version=v1.train.SaverDef.V1)
            saver.save(session, str(tmp_path / "old.ckpt"), write_meta_graph=False)
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    frozen = freeze(tmp_path / "graph.pb", tmp_path / "old.ckpt", outputs=["out"])
    [[found]] = run_graph(frozen, [{}], ["out"])
    np.testing.assert_array_equal(found, numbers(3))


def other_graph(tmp_path: Path, change: Callable[[Any], None], folder: Path) -> Path:
    graph = v1.GraphDef.FromString((folder / "graph.pb").read_bytes())
    change(graph)
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.SerializeToString())
    return path


def rename(graph: Any) -> None:
    for node in graph.node:
        node.name = node.name.replace("net/w", "network/w")
        node.input[:] = [text.replace("net/w", "network/w") for text in node.input]


def reshape(graph: Any) -> None:
    named(graph, "net/w").attr["shape"].shape.dim[0].size = 9


def partition(graph: Any) -> None:
    for node in graph.node:
        node.name = node.name.replace("net/w", "net/w/part_0")
        node.input[:] = [text.replace("net/w", "net/w/part_0") for text in node.input]


@pytest.mark.parametrize(
    ("change", "problem", "step"),
    [
        (rename, "has no variable 'network/w'", "'net/w'"),
        (reshape, r"is float32 \[5, 4\] in the checkpoint, and float32 \(9, 4\)", "this very graph"),
        (partition, "has no variable 'net/w/part_0'", "partition"),
    ],
)
def test_a_checkpoint_of_another_graph_is_refused(
    trained: Any, tmp_path: Path, change: Callable[[Any], None], problem: str, step: str
) -> None:
    folder, _ = trained(False)
    with pytest.raises(ModelError, match=problem) as caught:
        freeze(other_graph(tmp_path, change, folder), folder / "model.ckpt-7", outputs=["out"])
    assert step in caught.value.next_step


@pytest.mark.parametrize("resource", [False, True])
def test_an_output_that_trains_is_refused(trained: Any, resource: bool) -> None:
    folder, _ = trained(resource)
    with pytest.raises(ModelError, match="uses a variable in a way a constant cannot stand for"):
        freeze(folder / "graph.pb", folder / "model.ckpt-7", outputs=["train"])


def test_a_missing_a_damaged_and_an_empty_checkpoint_are_refused(trained: Any, tmp_path: Path) -> None:
    folder, _ = trained(False)
    with pytest.raises(ModelError, match="no checkpoint"):
        freeze(folder / "graph.pb", tmp_path / "none.ckpt", outputs=["out"])
    with pytest.raises(ModelError, match="holds no checkpoint"):
        freeze(folder / "graph.pb", tmp_path, outputs=["out"])
    for part in ("index", "data-00000-of-00001"):
        (tmp_path / f"cut.ckpt.{part}").write_bytes((folder / f"model.ckpt-7.{part}").read_bytes()[:40])
    with pytest.raises(ModelError, match="damaged"):
        freeze(folder / "graph.pb", tmp_path / "cut.ckpt", outputs=["out"])
    (tmp_path / "cut.ckpt.index").write_bytes((folder / "model.ckpt-7.index").read_bytes())
    with pytest.raises(ModelError, match="cannot be read"):
        freeze(folder / "graph.pb", tmp_path / "cut.ckpt", outputs=["out"])


def test_a_checkpoint_of_tensorflow_2_objects_is_told(trained: Any, tmp_path: Path) -> None:
    folder, _ = trained(True)
    prefix = tf.train.Checkpoint(w=tf.Variable([1.0])).write(str(tmp_path / "objects"))
    with pytest.raises(ModelError) as caught:
        freeze(folder / "graph.pb", Path(prefix), outputs=["out"])
    assert "TensorFlow 2" in caught.value.next_step
