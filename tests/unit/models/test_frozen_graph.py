"""Graphs loaded for use: variables frozen, input and output found or asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from graph_files import GraphFiles

from fixtures import tiny_graphs
from harness.core.model_io import ModelIO
from harness.errors import ModelError
from harness.models.frozen_graph import FrozenGraph, choose_entry, choose_signature, load_frozen
from harness.models.graph_ends import refuse_image_files
from harness.models.served_model import load_served
from harness.models.source import SourceFormat

v1 = tf.compat.v1
ENDS = ModelIO(input=tiny_graphs.INPUT, output=tiny_graphs.OUTPUT)


def run(source: FrozenGraph, images: np.ndarray) -> np.ndarray:
    with tf.Graph().as_default() as graph, v1.Session() as session:
        tf.import_graph_def(source.graph, name="")
        given, output = (
            graph.get_tensor_by_name(f"{name.removesuffix(':0')}:0")
            for name in (source.ends.input, source.ends.output)
        )
        return np.concatenate([session.run(output, {given: image[np.newaxis]}) for image in images])


def graph_file(tmp_path: Path, build: Callable[[], object]) -> Path:
    with tf.Graph().as_default() as graph:
        build()
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def refused(path: Path, io: ModelIO, source_format: SourceFormat = SourceFormat.GRAPHDEF) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_frozen(source_format, path, io)
    assert caught.value.where is not None
    assert caught.value.next_step
    return caught.value


def test_the_same_network_from_every_form(graph_files: GraphFiles, tmp_path: Path) -> None:
    images = np.random.default_rng(7).uniform(-1, 1, (3, 8, 8, 3)).astype(np.float32)
    expected = tiny_graphs.scores(images)
    resource = tiny_graphs.write_checkpoint(tmp_path / "c", resource=True, graph_name="graph.pbtxt")
    text = tmp_path / "graph.pbtxt"
    tf.io.write_graph(tiny_graphs.frozen_graph(), str(tmp_path), text.name, as_text=True)
    for source_format, path, io in (
        (SourceFormat.GRAPHDEF, graph_files.frozen, ENDS),
        (SourceFormat.GRAPHDEF, text, ModelIO(input="Mul:0", output="final_result:0")),
        (SourceFormat.CHECKPOINT, graph_files.checkpoint.parent, ENDS),
        (SourceFormat.CHECKPOINT, resource, ENDS),
        (SourceFormat.SAVED_MODEL, graph_files.saved_model_v1, ModelIO()),
        (SourceFormat.SAVED_MODEL, graph_files.saved_model_v1, ModelIO(output="scores", input="image")),
        (SourceFormat.SAVED_MODEL, graph_files.saved_model_v1, ENDS),
    ):
        found = run(load_frozen(source_format, path, io), images)
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=f"{path} {io}")


def test_what_training_left_is_gone(graph_files: GraphFiles) -> None:
    names = {node.name for node in load_frozen(SourceFormat.GRAPHDEF, graph_files.frozen, ENDS).graph.node}
    assert tiny_graphs.OUTPUT in names
    assert not names & {"loss", "truth"}


def test_a_graph_that_leaves_no_choice(tmp_path: Path) -> None:
    path = graph_file(tmp_path, lambda: tf.nn.softmax(v1.placeholder(tf.float32, [None, 4], "x"), name="y"))
    assert load_frozen(SourceFormat.GRAPHDEF, path, ModelIO()).ends == ("x", "y")


def test_scores_come_before_a_loss_that_is_fed_labels(graph_files: GraphFiles) -> None:
    error = refused(graph_files.frozen, ModelIO())
    assert "'final_result', 'loss'" in error.problem
    assert 'model.output in the suite (or --output), such as "final_result"' in error.next_step


def test_an_input_that_takes_image_files_is_no_input_for_numbers(graph_files: GraphFiles) -> None:
    source = load_frozen(SourceFormat.GRAPHDEF, graph_files.frozen, ModelIO(output=tiny_graphs.OUTPUT))
    assert source.ends.input == tiny_graphs.JPEG_INPUT
    with pytest.raises(ModelError, match="bytes of image files") as caught:
        refuse_image_files(source.view, source.ends)
    assert "'Mul'" in caught.value.next_step


def test_several_placeholders(tmp_path: Path) -> None:
    def build() -> None:
        one, two = (v1.placeholder(tf.float32, [None, 4], name) for name in ("one", "two"))
        tf.add(one, two, name="sum")

    path = graph_file(tmp_path, build)
    assert "2 placeholders feed the output 'sum': 'one', 'two'" in refused(path, ModelIO()).problem
    error = refused(path, ModelIO(input="one"))
    assert "also needs the placeholder 'two'" in error.problem


@pytest.mark.parametrize(
    ("io", "problem"),
    [
        (ModelIO(input="Mull", output="final_result"), "no node 'Mull'"),
        (ModelIO(input="Mul", output="final_resul"), "no node 'final_resul'"),
        (ModelIO(input="truth", output="final_result"), "does not depend on the input 'truth'"),
        (ModelIO(input="Mul", output="Mul:0"), "the input and the output"),
    ],
)
def test_names_that_do_not_fit(graph_files: GraphFiles, io: ModelIO, problem: str) -> None:
    assert problem in refused(graph_files.frozen, io).problem


def test_a_graph_without_a_placeholder(tmp_path: Path) -> None:
    path = graph_file(tmp_path, lambda: tf.add(tf.constant(1.0), 2.0, name="y"))
    assert "its output is not known" in refused(path, ModelIO()).problem
    assert "no placeholder feeds" in refused(path, ModelIO(output="y")).problem


def test_a_graph_that_is_not_frozen(graph_files: GraphFiles, tmp_path: Path) -> None:
    prefix = tiny_graphs.write_checkpoint(tmp_path / "c", resource=False, graph_name="graph.pb")
    error = refused(prefix.with_name("graph.pb"), ENDS)
    assert "is not frozen: it reads 7 variables" in error.problem
    assert "checkpoint" in error.next_step and "model.path" in error.next_step


@pytest.mark.parametrize(
    "start", ["node { name: 'x' op: }", "node { nome: 'x' }", 'node { name: "x" op: "y" ']
)
def test_a_text_graph_with_an_error(tmp_path: Path, start: str) -> None:
    path = tmp_path / "graph.pbtxt"
    path.write_text(start)
    assert "does not parse as a text GraphDef: 1:" in refused(path, ModelIO()).problem


def test_a_checkpoint_of_another_graph(graph_files: GraphFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(graph_files.checkpoint.parent, tmp_path / "c"))

    def other() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.multiply(x, v1.get_variable("elsewhere", [4], use_resource=False), name="y")

    (folder / "model.ckpt-10.meta").unlink()
    graph_file(folder, other)
    error = refused(folder, ModelIO(), SourceFormat.CHECKPOINT)
    assert "the checkpoint has no variable 'elsewhere'" in error.problem


def test_values_that_were_cut_off(graph_files: GraphFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(graph_files.checkpoint.parent, tmp_path / "c"))
    data = folder / "model.ckpt-10.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-50])
    assert "cannot be read" in refused(folder, ENDS, SourceFormat.CHECKPOINT).problem


def writes(tmp_path: Path) -> Any:
    def build() -> None:
        x = v1.placeholder(tf.float32, [], "x")
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / "written"), "x")]):
            tf.identity(x, name="y")

    return build


def test_a_graph_that_writes_files_is_refused(tmp_path: Path) -> None:
    error = refused(graph_file(tmp_path, writes(tmp_path)), ModelIO(input="x", output="y"))
    assert "(WriteFile) writes files" in error.problem
    assert not (tmp_path / "written").exists()


def test_a_function_that_calls_python_is_refused(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([4], tf.float32)])  # type: ignore[untyped-decorator]
    def inside(x: Any) -> Any:
        return tf.py_function(lambda value: value, [x], tf.float32)

    path = graph_file(tmp_path, lambda: tf.identity(inside(v1.placeholder(tf.float32, [4], "x")), name="y"))
    assert "(EagerPyFunc)" in refused(path, ModelIO(input="x", output="y")).problem


def test_signatures() -> None:
    assert choose_signature({"serving_default": 1, "other": 2}, "") == "serving_default"
    assert choose_signature({"one": 1, "__saved_model_init_op": 2}, "") == "one"
    assert choose_signature({"one": 1, "two": 2}, "two") == "two"
    with pytest.raises(ModelError, match="has 2 signatures and no serving_default: one, two"):
        choose_signature({"one": 1, "two": 2}, "")
    with pytest.raises(ModelError, match="no signature 'three', it has one"):
        choose_signature({"one": 1}, "three")
    with pytest.raises(ModelError, match="has no signature"):
        choose_signature({}, "")


def test_entries_of_a_signature() -> None:
    assert choose_entry("output", {"scores": "y:0", "more": "z:0"}, "more") == "more"
    assert choose_entry("output", {"scores": "y:0", "more": "z:0"}, "y") == "scores"
    assert choose_entry("output", {"scores": "y:0"}, "") == "scores"
    with pytest.raises(ModelError, match=r"has 2 outputs: more \(z:0\), scores \(y:0\)"):
        choose_entry("output", {"scores": "y:0", "more": "z:0"}, "")
    with pytest.raises(ModelError, match="no output 'x', it has scores"):
        choose_entry("output", {"scores": "y:0"}, "x")


def test_a_saved_model_of_tensorflow_2(graph_files: GraphFiles) -> None:
    images = tiny_graphs.numbers(2, 8, 8, 3, seed=5)
    model = load_served(graph_files.saved_model_v2, ModelIO(output="extra"))
    expected = images.reshape(2, -1) @ tiny_graphs.numbers(192, 3, seed=2)
    np.testing.assert_allclose(model.function(image=tf.constant(images))["extra"], expected, atol=1e-4)
    assert list(model.inputs) == ["image"]
    with pytest.raises(ModelError, match="has 2 outputs: extra, scores"):
        load_served(graph_files.saved_model_v2, ModelIO())
    with pytest.raises(ModelError, match="no input 'photo'"):
        load_served(graph_files.saved_model_v2, ModelIO(output="extra", input="photo"))


def test_a_saved_model_with_damaged_variables(graph_files: GraphFiles, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(graph_files.saved_model_v2, tmp_path / "s"))
    (folder / "variables" / "variables.index").write_bytes(b"x" * 100)
    with pytest.raises(ModelError, match="TensorFlow cannot load the SavedModel") as caught:
        load_served(folder, ModelIO(output="extra"))
    assert caught.value.where == str(folder)
