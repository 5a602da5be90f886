"""Graphs, checkpoints and SavedModels: recognised, checked and hashed without TensorFlow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from graph_files import GraphFiles

from fixtures import tiny_graphs
from harness.errors import ModelError
from harness.models.checkpoint import find_checkpoint
from harness.models.graphdef import takes_image_files
from harness.models.source import SourceFormat, open_source


@pytest.fixture
def checkpoint(graph_files: GraphFiles, tmp_path: Path) -> Path:
    """A copy of the checkpoint's folder."""
    return Path(shutil.copytree(graph_files.checkpoint.parent, tmp_path / "checkpoint"))


@pytest.fixture
def saved_model(graph_files: GraphFiles, tmp_path: Path) -> Path:
    return Path(shutil.copytree(graph_files.saved_model_v2, tmp_path / "saved"))


def refused(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_source(path)
    assert caught.value.next_step
    return caught.value


def test_a_frozen_graph_whatever_it_is_called(graph_files: GraphFiles, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(graph_files.frozen.read_bytes())
    source = open_source(path)
    assert (source.format, source.bytes) == (SourceFormat.GRAPHDEF, path.stat().st_size)
    assert source.sha256 == open_source(graph_files.frozen).sha256


@pytest.mark.parametrize("start", ["node {\n", "# written by hand\nversions {", "\ufeffnode <", "library {"])
def test_a_text_graph(tmp_path: Path, start: str) -> None:
    path = tmp_path / "graph"
    path.write_text(start)
    assert open_source(path).format is SourceFormat.GRAPHDEF


@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_a_truncated_graph(graph_files: GraphFiles, tmp_path: Path, share: float) -> None:
    content = graph_files.frozen.read_bytes()
    path = tmp_path / "cut.pb"
    path.write_bytes(content[: int(len(content) * share)])
    assert "truncated or damaged GraphDef" in refused(path).problem


def test_a_node_without_an_op(graph_files: GraphFiles, tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(graph_files.frozen.read_bytes() + b"\x0a\x03\x0a\x01x")
    assert "no name or no op" in refused(path).problem


def test_a_graph_over_two_gigabytes(graph_files: GraphFiles, tmp_path: Path) -> None:
    path = tmp_path / "huge.pb"
    shutil.copyfile(graph_files.frozen, path)
    with path.open("r+b") as stream:
        stream.truncate(2**31)
    assert "at most 2 GiB" in refused(path).problem


def test_which_input_takes_image_files(graph_files: GraphFiles) -> None:
    assert takes_image_files(graph_files.frozen, tiny_graphs.JPEG_INPUT)
    assert takes_image_files(graph_files.frozen, f"{tiny_graphs.JPEG_INPUT}:0")
    assert not takes_image_files(graph_files.frozen, tiny_graphs.INPUT)
    assert not takes_image_files(graph_files.frozen, "truth")
    # Two placeholders: which one is meant is not clear.
    assert not takes_image_files(graph_files.frozen, "")


@pytest.mark.parametrize("name", ["", "/model.ckpt-10", "/model.ckpt-10.index", "/model.ckpt-10.meta"])
def test_a_checkpoint_by_its_folder_its_prefix_or_one_of_its_files(checkpoint: Path, name: str) -> None:
    source = open_source(Path(f"{checkpoint}{name}"))
    assert source.format is SourceFormat.CHECKPOINT
    found = find_checkpoint(source.path)
    assert found.graph == checkpoint / "model.ckpt-10.meta"
    assert source.bytes == sum(file.stat().st_size for file in found.files)
    assert source.sha256 == open_source(checkpoint).sha256


def test_a_checkpoint_is_named_by_its_values(checkpoint: Path) -> None:
    before = open_source(checkpoint).sha256
    (checkpoint / "events.out").write_bytes(b"not part of it")
    assert open_source(checkpoint).sha256 == before
    with (checkpoint / "model.ckpt-10.data-00000-of-00001").open("ab") as out:
        out.write(b"x")
    assert open_source(checkpoint).sha256 != before


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_a_graph_without_values(checkpoint: Path, suffix: str) -> None:
    (checkpoint / f"model.ckpt-10{suffix}").unlink()
    for path in (checkpoint, checkpoint / "model.ckpt-10.meta", checkpoint / "model.ckpt-10"):
        error = refused(path)
        assert "missing" in error.problem
        assert ".index" in error.next_step


def test_values_without_a_graph(checkpoint: Path) -> None:
    (checkpoint / "model.ckpt-10.meta").unlink()
    error = refused(checkpoint)
    assert error.problem == "has values but no graph"
    assert "model.ckpt-10.meta" in error.next_step


def test_a_graph_beside_the_checkpoint(checkpoint: Path, graph_files: GraphFiles) -> None:
    (checkpoint / "model.ckpt-10.meta").unlink()
    (checkpoint / "graph.pbtxt").write_text("node {")
    assert find_checkpoint(checkpoint).graph.name == "graph.pbtxt"
    (checkpoint / "graph.pbtxt").rename(checkpoint / "a.pbtxt")
    (checkpoint / "b.pbtxt").write_text("node {")
    assert "a.pbtxt, b.pbtxt" in refused(checkpoint).problem


def test_several_checkpoints(checkpoint: Path) -> None:
    for file in sorted(checkpoint.glob("model.ckpt-10.*")):
        shutil.copyfile(file, checkpoint / file.name.replace("-10.", "-20."))
    state = checkpoint / "checkpoint"
    # As on the machine that trained it: an absolute path that is not here.
    state.write_text('model_checkpoint_path: "/data/train/model.ckpt-20"\n')
    assert find_checkpoint(checkpoint).prefix.name == "model.ckpt-20"
    state.unlink()
    error = refused(checkpoint)
    assert "model.ckpt-10, model.ckpt-20" in error.problem
    assert find_checkpoint(checkpoint / "model.ckpt-10").prefix.name == "model.ckpt-10"


def test_a_state_file_cannot_name_a_checkpoint_elsewhere(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "checkpoint").write_text('model_checkpoint_path: "../../secret"\n')
    assert find_checkpoint(checkpoint).prefix == checkpoint / "model.ckpt-10"


def test_a_meta_graph_under_another_name(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    shutil.copyfile(checkpoint / "model.ckpt-10.meta", path)
    assert "the graph of a checkpoint, without its values" in refused(path).problem


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_saved_model(graph_files: GraphFiles, version: str) -> None:
    folder = graph_files.saved_model_v1 if version == "v1" else graph_files.saved_model_v2
    source = open_source(folder)
    assert source.format is SourceFormat.SAVED_MODEL
    assert source.bytes == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_the_names_of_the_files_count(saved_model: Path) -> None:
    before = open_source(saved_model).sha256
    (saved_model / "assets").mkdir(exist_ok=True)
    (saved_model / "assets" / "a").write_bytes(b"x")
    first = open_source(saved_model).sha256
    (saved_model / "assets" / "a").rename(saved_model / "assets" / "b")
    assert len({before, first, open_source(saved_model).sha256}) == 3


def test_the_file_of_a_saved_model_without_its_folder(graph_files: GraphFiles) -> None:
    error = refused(graph_files.saved_model_v2 / "saved_model.pb")
    assert "the graph of a SavedModel" in error.problem
    assert str(graph_files.saved_model_v2) in error.next_step


def test_a_truncated_saved_model(saved_model: Path) -> None:
    path = saved_model / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:-100])
    assert "truncated or damaged" in refused(saved_model).problem


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_saved_model_without_its_variables(graph_files: GraphFiles, tmp_path: Path, version: str) -> None:
    folder = graph_files.saved_model_v1 if version == "v1" else graph_files.saved_model_v2
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    shutil.rmtree(copy / "variables")
    error = refused(copy)
    assert "variables are missing" in error.problem
    assert error.where is not None and error.where.endswith("variables.index")


def test_a_saved_model_without_a_graph(saved_model: Path) -> None:
    (saved_model / "saved_model.pb").write_bytes(b"\x08\x01")
    assert "holds no graph" in refused(saved_model).problem


def test_links_stay_inside(saved_model: Path, checkpoint: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    link = saved_model / "fingerprint.pb"
    link.unlink(missing_ok=True)
    link.symlink_to("saved_model.pb")
    assert open_source(saved_model).format is SourceFormat.SAVED_MODEL
    link.unlink()
    link.symlink_to(secret)
    assert "leads out of the model's folder" in refused(saved_model).problem
    link.unlink()
    link.symlink_to("nothing")
    assert "a link to nothing" in refused(saved_model).problem
    link.unlink()
    link.symlink_to(tmp_path)
    assert "leads out" in refused(saved_model).problem
    data = checkpoint / "model.ckpt-10.data-00000-of-00001"
    data.rename(tmp_path / "data")
    data.symlink_to(tmp_path / "data")
    assert "leads out" in refused(checkpoint).problem


def test_a_pipe_in_a_folder_does_not_hang(saved_model: Path) -> None:
    os.mkfifo(saved_model / "pipe")
    assert "a device or a pipe" in refused(saved_model).problem


def test_a_folder_with_too_many_files(saved_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.models.files.MOST_FILES", 2)
    assert "more than 2 files" in refused(saved_model).problem


def test_opening_any_of_them_imports_no_tensorflow(graph_files: GraphFiles) -> None:
    program = (
        "import sys; from pathlib import Path; from harness.models.source import open_source; "
        "[open_source(Path(name)) for name in sys.argv[1:]]; "
        "heavy = ('tensorflow', 'keras', 'h5py', 'google.protobuf'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    paths = (
        graph_files.frozen,
        graph_files.checkpoint,
        graph_files.saved_model_v1,
        graph_files.saved_model_v2,
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, paths)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
