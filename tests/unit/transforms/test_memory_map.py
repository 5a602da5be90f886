from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from small_graphs import built, difference, named, numbers, v1
from tensorflow.core.util.memmapped_file_system_pb2 import MemmappedFileSystemDirectory

from harness.errors import ModelError
from harness.transforms.compare_graphs import run_graph
from harness.transforms.graph import const_value, replace_const_value
from harness.transforms.graphdef_file import read_graphdef
from harness.transforms.memory_map import restore_memory_mapped, write_memory_mapped

SESSION_SOURCE = Path(__file__).with_name("memory_mapped_session.cc")


def dense_graph(inputs: int = 50, width: int = 60) -> Any:
    def build() -> None:
        x = v1.placeholder(tf.float32, [1, inputs], name="x")
        layer = tf.matmul(x, tf.constant(numbers(inputs, width), name="block-1/w"))
        # Two names that are the same once odd characters are replaced.
        layer = tf.nn.relu(layer) @ tf.constant(numbers(width, width, seed=1), name="block_1/w")
        tf.nn.bias_add(layer, tf.constant(numbers(width, seed=2), name="small"), name="out")

    return built(build)


def directory(path: Path) -> list[Any]:
    data = path.read_bytes()
    (offset,) = struct.unpack("<Q", data[-8:])
    return list(MemmappedFileSystemDirectory.FromString(data[offset:-8]).element)


def test_large_constants_stand_aligned_outside_the_protobuf(tmp_path: Path) -> None:
    path = tmp_path / "graph.mapped"
    written = write_memory_mapped(path, dense_graph())
    elements = directory(path)
    assert [element.name for element in elements] == [
        "memmapped_package://block_1_w",
        "memmapped_package://block_1_w_",
        "memmapped_package://.",
    ]
    assert [element.length for element in elements[:2]] == [50 * 60 * 4, 60 * 60 * 4]
    assert all(element.offset % 64 == 0 for element in elements[:2])
    start = elements[1].offset
    assert path.read_bytes()[start : start + 60 * 60 * 4] == numbers(60, 60, seed=1).tobytes()
    assert (written.tensors, written.tensor_bytes) == (2, (50 + 60) * 60 * 4)
    assert written.file_bytes == path.stat().st_size


def test_restoring_gives_the_graph_back_bit_by_bit(tmp_path: Path) -> None:
    graph = dense_graph()
    write_memory_mapped(tmp_path / "mapped", graph)
    restored = restore_memory_mapped(tmp_path / "mapped")
    assert restored == graph
    assert difference(graph, restored, ["out"]) == 0.0


def test_the_smallest_size_is_kept_to_and_empty_tensors_stay_in_the_graph(tmp_path: Path) -> None:
    def build() -> None:
        tf.constant(np.zeros((0, 4), np.float32), name="empty")
        tf.constant(numbers(10), name="forty_bytes")
        tf.constant(["text"] * 100, name="text")
        tf.constant(numbers(9), name="thirty_six_bytes")

    graph = built(build)
    assert write_memory_mapped(tmp_path / "mapped", graph, min_bytes=40).tensors == 1
    assert write_memory_mapped(tmp_path / "all", graph, min_bytes=0).tensors == 2
    restored = restore_memory_mapped(tmp_path / "all")
    assert const_value(named(restored, "empty")).shape == (0, 4)
    assert const_value(named(restored, "text")).tolist() == [b"text"] * 100


def test_a_constant_stored_as_one_repeated_value_is_written_out(tmp_path: Path) -> None:
    graph = built(lambda: tf.constant(2.5, shape=[100, 100], name="same"))
    tensor = named(graph, "same").attr["value"].tensor
    tensor.ClearField("tensor_content")
    del tensor.float_val[:]
    tensor.float_val.append(2.5)
    assert write_memory_mapped(tmp_path / "mapped", graph).tensor_bytes == 40_000
    value = const_value(named(restore_memory_mapped(tmp_path / "mapped"), "same"))
    np.testing.assert_array_equal(value, np.full((100, 100), 2.5, np.float32))


def drop_tail(data: bytes) -> bytes:
    return data[:-5]


def far_directory(data: bytes) -> bytes:
    return data[:-8] + struct.pack("<Q", 1 << 40)


def zeros(data: bytes) -> bytes:
    return bytes(len(data))


@pytest.mark.parametrize("damage", [drop_tail, far_directory, zeros, lambda data: b"short", lambda data: b""])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "mapped"
    write_memory_mapped(path, dense_graph())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError) as caught:
        restore_memory_mapped(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda element: setattr(element, "offset", 1 << 30), "outside the file"),
        (lambda element: setattr(element, "length", 1 << 30), "outside the file"),
        (lambda element: setattr(element, "length", 100), "needs 12000"),
        (lambda element: setattr(element, "name", "memmapped_package://other"), "no region"),
    ],
)
def test_a_directory_that_lies_is_refused(
    tmp_path: Path, change: Callable[[Any], None], problem: str
) -> None:
    path = tmp_path / "mapped"
    write_memory_mapped(path, dense_graph())
    data = path.read_bytes()
    (offset,) = struct.unpack("<Q", data[-8:])
    changed = MemmappedFileSystemDirectory.FromString(data[offset:-8])
    change(changed.element[0])
    path.write_bytes(data[:offset] + changed.SerializeToString() + data[-8:])
    with pytest.raises(ModelError, match=problem):
        restore_memory_mapped(path)


def test_files_without_lengths_as_tensorflow_wrote_them_before_2019_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mapped"
    graph = dense_graph()
    write_memory_mapped(path, graph)
    data = path.read_bytes()
    (offset,) = struct.unpack("<Q", data[-8:])
    old = MemmappedFileSystemDirectory.FromString(data[offset:-8])
    for element in old.element:
        element.length = 0
    path.write_bytes(data[:offset] + old.SerializeToString() + data[-8:])
    assert restore_memory_mapped(path) == graph


def test_a_plain_graph_and_a_mapped_one_are_told_apart(tmp_path: Path) -> None:
    graph = dense_graph()
    write_memory_mapped(tmp_path / "mapped", graph)
    with pytest.raises(ModelError, match="memory-mapped"):
        read_graphdef(tmp_path / "mapped")
    (tmp_path / "plain").write_bytes(graph.SerializeToString())
    with pytest.raises(ModelError, match="no memory-mapped graph"):
        restore_memory_mapped(tmp_path / "plain")


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    graph = dense_graph()
    replace_const_value(named(graph, "block_1/w"), numbers(3))
    named(graph, "block_1/w").attr["value"].tensor.tensor_shape.dim[0].size = 60 * 60
    with pytest.raises(ModelError, match="'block_1/w' does not fit"):
        write_memory_mapped(tmp_path / "mapped", graph)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tensorflow_itself_maps_the_file_and_computes_the_same_bits(tmp_path: Path) -> None:
    """Compiles a program against the installed TensorFlow (about 15 s) and opens the file with MemmappedEnv."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    library = Path(tf.sysconfig.get_lib())
    cc_library = library / "libtensorflow_cc.so.2"
    if compiler is None or not cc_library.is_file():
        pytest.skip(f"needs a C++ compiler (found {compiler}) and {cc_library}")
    program = tmp_path / "session"
    compiled = subprocess.run(
        [
            compiler, *tf.sysconfig.get_compile_flags(), "-O0", "-w", SESSION_SOURCE, "-o", program,
            f"-L{library}", f"-Wl,-rpath,{library}", "-Wl,--no-as-needed",
            "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert compiled.returncode == 0, compiled.stderr
    graph = dense_graph()
    path = tmp_path / "graph.mapped"
    assert write_memory_mapped(path, graph).tensors == 2
    ran = subprocess.run([program, path, "50"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    feed = {"x:0": (np.float32(0.01) * np.arange(50, dtype=np.float32))[None]}
    [[expected]] = run_graph(graph, [feed], ["out"])
    found = np.array([float.fromhex(line) for line in ran.stdout.split()], np.float32)
    np.testing.assert_array_equal(found, expected[0])
