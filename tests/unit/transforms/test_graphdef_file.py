from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import text_format
from small_graphs import built, conv, image
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from harness.errors import ModelError
from harness.transforms import graphdef_file
from harness.transforms.graph import GraphView
from harness.transforms.graphdef_file import read_graphdef, read_graphdef_or_meta, write_graphdef


def graph() -> Any:
    return built(lambda: tf.nn.relu(conv(image()), name="out"))


@pytest.mark.parametrize("name", ["graph.pb", "graph.pbtxt"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    write_graphdef(tmp_path / name, graph())
    assert read_graphdef(tmp_path / name) == graph()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) & 0o444 == 0o444


@pytest.mark.parametrize("before", ["", "\n\n  ", "# exported by hand\n", "\ufeff"])
def test_text_is_known_by_its_content_not_its_name(tmp_path: Path, before: str) -> None:
    path = tmp_path / "text.pb"
    path.write_text(before.replace("\ufeff", "") + text_format.MessageToString(graph()), encoding="utf-8")
    assert read_graphdef(path) == graph()


@pytest.mark.parametrize("kept", [1, 7, 100, 300])
def test_a_truncated_graph_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(graph().SerializeToString()[:kept])
    with pytest.raises(ModelError) as caught:
        read_graphdef(path)
    assert caught.value.where == str(path)


def test_a_graph_cut_between_two_nodes_is_refused_when_it_is_used(tmp_path: Path) -> None:
    whole = graph()
    first = type(whole)()
    first.node.extend(reversed(whole.node))
    path = tmp_path / "graph.pb"
    path.write_bytes(first.SerializeToString()[: first.node[0].ByteSize() + 2])
    with pytest.raises(ModelError, match="has no node"):
        GraphView(read_graphdef(path))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"PK\x03\x04" + bytes(100), "zip"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(100), "tflite"),
        (b"\x1f\x8b\x08" + bytes(100), "gzip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"\xff" * 100, "not a GraphDef"),
        (b"hello, this is no graph at all", "not a GraphDef"),
        (b"node { nome: 'x' }", "text GraphDef"),
        (b"node { name: 'x' op: 'Const'", "text GraphDef"),
        (b"versions { producer: 21 }", "no nodes"),
        (b"\x22\x02\x08\x15", "no nodes"),
    ],
)
def test_what_is_no_graph_is_refused_by_its_kind(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=problem) as caught:
        read_graphdef(path)
    assert caught.value.next_step


def test_a_saved_model_and_a_meta_graph_are_told_by_name(tmp_path: Path) -> None:
    meta = MetaGraphDef(graph_def=graph())
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.tensorflow_version = "1.15.0"
    (tmp_path / "saved_model.pb").write_bytes(
        SavedModel(saved_model_schema_version=1, meta_graphs=[meta]).SerializeToString()
    )
    (tmp_path / "model.ckpt.meta").write_bytes(meta.SerializeToString())
    with pytest.raises(ModelError, match="is a SavedModel"):
        read_graphdef(tmp_path / "saved_model.pb")
    with pytest.raises(ModelError, match="is a MetaGraphDef"):
        read_graphdef(tmp_path / "model.ckpt.meta")
    assert read_graphdef_or_meta(tmp_path / "model.ckpt.meta") == graph()


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        read_graphdef(tmp_path / "none.pb")
    with pytest.raises(ModelError, match="folder"):
        read_graphdef(tmp_path)
    with pytest.raises(ModelError, match="cannot be written"):
        write_graphdef(tmp_path / "none" / "graph.pb", graph())


def test_a_file_over_2_gib_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.pb"
    with path.open("wb") as file:
        file.truncate(graphdef_file.LARGEST_PROTOBUF_BYTES + 1)  # sparse: takes no room
    with pytest.raises(ModelError, match="at most 2 GiB"):
        read_graphdef(path)


def test_a_graph_over_the_limit_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphdef_file, "LARGEST_PROTOBUF_BYTES", 100)
    with pytest.raises(ModelError, match="2 GiB"):
        write_graphdef(tmp_path / "graph.pb", graph())
    assert list(tmp_path.iterdir()) == []
