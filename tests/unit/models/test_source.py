from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.errors import ModelError
from harness.models.source import READERS, SourceFormat, open_source


def test_a_tflite_is_recognised_by_its_content(float32_tflite: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(float32_tflite.read_bytes())
    source = open_source(path)
    assert source.format is SourceFormat.TFLITE
    assert source.bytes == path.stat().st_size
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(dataclasses.FrozenInstanceError):
        source.bytes = 0  # type: ignore[misc]


def test_a_keras_archive_is_recognised_by_its_content(write_keras) -> None:  # type: ignore[no-untyped-def]
    assert open_source(write_keras(name="model.zip")).format is SourceFormat.KERAS


def test_every_format_has_a_reader() -> None:
    assert set(READERS) == set(SourceFormat)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist") as caught:
        open_source(tmp_path / "none.tflite")
    assert caught.value.where == str(tmp_path / "none.tflite")


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is an empty folder"):
        open_source(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ModelError, match=r"neither a SavedModel nor a checkpoint: it holds notes\.txt"):
        open_source(tmp_path)


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="a pipe"):
        open_source(tmp_path / "pipe")


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.touch()
    with pytest.raises(ModelError, match="is empty"):
        open_source(path)


def test_a_name_with_a_null_byte() -> None:
    with pytest.raises(ModelError):
        open_source(Path("model\0.tflite"))


@pytest.mark.parametrize(
    ("content", "looks_like"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG image"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "a JPEG image"),
        (bytes(100) + b"memmapped_package://." + bytes(20), "a memory-mapped TensorFlow graph"),
        (pickle.dumps({"weights": [1, 2]}), "a Python pickle, which is never loaded"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
        (b"<!DOCTYPE html><title>404</title>", "an HTML page"),
        ("Größe: zwölf\n".encode() * 100, "a text file"),
        (b"\x08\x07\x12\x07pytorch" + bytes(100), "an ONNX model"),
        (bytes(1000), "of no known kind"),
        (b"PK\x03\x04" + bytes(40), "a zip archive that is damaged"),
    ],
)
def test_a_foreign_file_is_named_for_what_it_is(tmp_path: Path, content: bytes, looks_like: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        open_source(path)
    assert looks_like in caught.value.problem
    assert ".keras" in caught.value.next_step


@pytest.mark.parametrize(
    ("members", "looks_like"),
    [
        (["archive/data.pkl", "archive/data/0"], "a PyTorch checkpoint"),
        (["a.npy"], "NumPy arrays"),
        (["one", "two", "three", "four"], "other things (one, two, three, …)"),
    ],
)
def test_a_zip_of_something_else(tmp_path: Path, members: list[str], looks_like: str) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, b"x")
    with pytest.raises(ModelError) as caught:
        open_source(path)
    assert looks_like in caught.value.problem


def test_opening_imports_no_framework(float32_tflite: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from harness.models.source import open_source; "
        "open_source(Path(sys.argv[1])); "
        "heavy = ('tensorflow', 'keras', 'ai_edge_litert', 'litert_quantizer'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(float32_tflite)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
