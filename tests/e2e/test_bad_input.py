"""Files that are not what they should be: one ``error:`` line that names the file, a ``next:`` line, no traceback."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import AGREES, CLASSES, TINY, Desk, assert_explained, measured

from harness.store import RunFolder, list_runs

MODEL = TINY / "image_float32.tflite"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def replaced(old: str, new: str) -> Callable[[Desk], Path]:
    """A good suite with one thing changed."""

    def write(desk: Desk) -> Path:
        path = desk.suite(policy="[policy]\n" + AGREES)
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return path

    return write


@pytest.mark.parametrize(
    ("write", "named"),
    [
        (lambda desk: desk.folder / "suite.toml", ["suite.toml", "No such file"]),
        (lambda desk: desk.write("suite.toml", ""), ["suite.toml", "empty"]),
        (lambda desk: desk.write("suite.toml", " \n\n"), ["suite.toml", "empty"]),
        (lambda desk: desk.folder, ["folder"]),
        (lambda desk: desk.write("suite.toml", b"\x00\xff\xfe" * 9), ["suite.toml", "UTF-8"]),
        (lambda desk: desk.write("suite.toml", PNG), ["suite.toml"]),
        (lambda desk: desk.write("suite.toml", "#" * (1 << 20) + "#"), ["suite.toml", "large"]),
        (lambda desk: desk.write("suite.toml", "version = 1\nname = \n"), ["suite.toml:2"]),
        (lambda desk: desk.write("suite.toml", "version = 1\n"), ["suite.toml", "name"]),
        (replaced('name = "tiny"', 'name = "a/b"'), ["suite.toml:2", "name"]),
        (replaced('name = "tiny"', "name = 3"), ["suite.toml:2", "name"]),
        (replaced("version = 1", "version = 2"), ["suite.toml:1", "version"]),
        (replaced("version = 1", 'version = "1"'), ["suite.toml:1", "version"]),
        (replaced("[model]", "[modell]"), ["suite.toml:3", "modell", "model"]),
        (replaced("rounds", "round"), ["suite.toml:11", "run.round"]),
        (replaced("rounds = 2", 'rounds = "2"'), ["suite.toml:11", "run.rounds"]),
        (replaced("rounds = 2", "rounds = 0"), ["suite.toml:11", "run.rounds"]),
        (replaced("'float16'", "'float8'"), ["suite.toml:9", "recipes"]),
        (replaced("'float16'", "'float32'"), ["suite.toml", "float32", "twice"]),
        (replaced('task = "tensors"', 'task = "text"'), ["suite.toml:6", "task"]),
        (replaced("rounds = 2", 'target = "moon"'), ["moon"]),
        (replaced("rounds = 2", 'target = "replay:"'), ["replay:"]),
        (replaced("rounds = 2", 'target = "replay:gone"'), ["gone"]),
        (replaced("min = 0.5", "max = 0.5"), ["suite.toml:15", "policy.rules.0", "min"]),
        (replaced("min = 0.5", "min = nan"), ["suite.toml", "policy.rules.0"]),
        (replaced("top1_agreement", "top9_agreement"), ["suite.toml:16", "metric"]),
        (replaced("[policy]", '[policy]\ncandidates = ["int8"]'), ["suite.toml", "int8"]),
    ],
)
def test_the_suite(desk: Desk, write: Callable[[Desk], Path], named: list[str]) -> None:
    desk.tensors()
    answer = desk.harness("run", write(desk))
    assert_explained(answer, 4 if "gone" in named else 2, *named)
    assert list_runs(desk.runs) == []


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, ["does not exist"]),
        (b"", ["empty"]),
        (MODEL.read_bytes()[:1000], []),
        (MODEL.read_bytes()[:7], []),
        (MODEL.read_bytes()[:-200], []),
        (MODEL.read_bytes()[:8] + bytes(9000), []),
        (PNG, ["PNG"]),
        (pickle.dumps({"weights": [1.0] * 99}), ["pickle"]),
        (b"PK\x03\x04" + bytes(99), []),
        (b"version = 1\n", []),
    ],
    ids=[
        "missing",
        "empty",
        "truncated",
        "cut-short",
        "end-missing",
        "zeros",
        "png",
        "pickle",
        "zip",
        "text",
    ],
)
@pytest.mark.parametrize("verb", ["run", "build", "label"])
def test_the_model(desk: Desk, verb: str, content: bytes | None, named: list[str]) -> None:
    desk.tensors()
    (photo,) = desk.photos(1)
    if content is not None:
        desk.write("model.tflite", content)
    suite = desk.suite(model="model.tflite", recipes=("float32",))
    options = ("--size", "8", "8", "--mean", "0", "--scale", "1")
    answer = (
        desk.harness("label", "model.tflite", photo, *options)
        if verb == "label"
        else desk.harness(verb, suite)
    )
    assert_explained(answer, 2, "model.tflite", *named)
    assert list_runs(desk.runs) == []


def test_the_model_is_a_folder(desk: Desk) -> None:
    desk.tensors()
    assert_explained(desk.harness("run", desk.suite(model=desk.folder)), 2, str(desk.folder), "folder")


LABELS = "".join(f"label {index}\n" for index in range(CLASSES))


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"labels.txt": LABELS + "one more\n"}, ["11 labels", "10 outputs"]),
        ({"labels.txt": "only one\n"}, ["1 label"]),
        ({"labels.txt": ""}, ["labels.txt", "empty"]),
        ({"labels.txt": b"\xff\xfe"}, ["labels.txt", "UTF-8"]),
        ({}, ["labels.txt"]),
        (
            {"labels.txt": LABELS, "truth.csv": "file,label\nnobody.png,label 1\n"},
            ["truth.csv:2", "nobody.png"],
        ),
        (
            {"labels.txt": LABELS, "truth.csv": "file,label\nphoto00.png,lable 1\n"},
            ["truth.csv:2", "lable 1"],
        ),
        ({"labels.txt": LABELS, "truth.csv": "photo00.png,label 1\n"}, ["truth.csv:1"]),
        ({"labels.txt": LABELS, "truth.csv": ""}, ["truth.csv"]),
    ],
    ids=[
        "too-many",
        "too-few",
        "empty",
        "binary",
        "missing",
        "unknown-file",
        "unknown-label",
        "no-header",
        "no-truth",
    ],
)
def test_labels_and_truth(desk: Desk, files: dict[str, str | bytes], named: list[str]) -> None:
    desk.photos(4)
    for name, content in files.items():
        desk.write(name, content)
    more = 'labels = "labels.txt"\n' + ('truth = "truth.csv"\n' if "truth.csv" in files else "")
    assert_explained(desk.harness("run", desk.image_suite(more=more, recipes=("float32",))), 2, *named)
    assert list_runs(desk.runs) == []


def test_an_unreadable_photo_among_good_ones(desk: Desk) -> None:
    photos = desk.photos(6)
    desk.write("photos/broken.png", photos[0].read_bytes()[:60])
    desk.write("photos/empty.jpg", b"")
    desk.write("photos/text.jpeg", b"not a photo")
    answer = desk.harness("run", desk.image_suite(recipes=("float32",)))
    assert answer.status == 0, answer
    report = desk.report()
    assert len(report.workload.inputs) == 6
    assert measured(report, "float32").agreement.top1.successes == 6
    assert sorted(Path(one.file).name for one in report.skipped_inputs) == [
        "broken.png",
        "empty.jpg",
        "text.jpeg",
    ]
    assert all(one.reason for one in report.skipped_inputs)
    for name in ("broken.png", "empty.jpg", "text.jpeg"):
        assert name in answer.out


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"a.png": b"", "b.jpg": b"x"}, ["a.png", "b.jpg"]),
        ({"readme.txt": b"no photo"}, ["photos"]),
        ({}, ["photos"]),
    ],
    ids=["unreadable", "none", "no-folder"],
)
def test_no_photo_can_be_read(desk: Desk, files: dict[str, bytes], named: list[str]) -> None:
    for name, content in files.items():
        desk.write(f"photos/{name}", content)
    assert_explained(desk.harness("run", desk.image_suite(recipes=("float32",))), 2, *named)
    assert list_runs(desk.runs) == []


def test_a_photo_in_calibration_and_evaluation(desk: Desk) -> None:
    desk.photos(6)
    suite = desk.image_suite(recipes=("int8",), calibration='inputs = "photos/photo00.png"\n')
    assert_explained(desk.harness("run", suite), 2, "photo00.png")


def test_too_many_held_out(desk: Desk) -> None:
    desk.photos(3)
    suite = desk.image_suite(recipes=("int8",), calibration="hold_out = 3\n")
    assert_explained(desk.harness("run", suite), 2, "calibration")


@pytest.mark.parametrize(
    ("write", "named"),
    [
        (lambda path: path.write_bytes(b""), ["inputs.npy"]),
        (lambda path: path.write_bytes(pickle.dumps([1, 2])), ["inputs.npy"]),
        (lambda path: np.save(path, np.array([{}, {}], dtype=object)), ["inputs.npy"]),
        (lambda path: np.save(path, np.zeros((4, 8, 8, 3), np.complex64)), ["inputs.npy", "complex64"]),
        (lambda path: np.save(path, np.full((4, 8, 8, 3), np.nan, np.float32)), ["inputs.npy", "NaN"]),
        (lambda path: np.save(path, np.zeros((0, 8, 8, 3), np.float32)), ["inputs.npy"]),
        (lambda path: np.save(path, np.zeros((4, 3, 8, 8), np.float32)), ["image_float32.tflite"]),
        (lambda path: np.save(path, np.zeros((4, 8, 8, 3), np.int64)), ["image_float32.tflite"]),
    ],
    ids=["empty", "pickle", "objects", "type", "nan", "none", "shape", "dtype"],
)
def test_tensors(desk: Desk, write: Callable[[Path], object], named: list[str]) -> None:
    write(desk.folder / "inputs.npy")
    assert_explained(desk.harness("run", desk.suite(recipes=("float32",))), 2, *named)


@pytest.fixture
def run(desk: Desk) -> RunFolder:
    desk.tensors()
    assert desk.harness("run", desk.suite(recipes=("float32",))).status == 0
    return desk.newest()


@pytest.mark.parametrize("verb", ["report", "gate", "compare", "resume"])
def test_a_run_that_is_none(desk: Desk, verb: str) -> None:
    desk.write("empty/readme.txt", "no run")
    for name in ("missing", "empty", "empty/readme.txt"):
        assert_explained(desk.harness(*_use(verb, desk.folder / name)), 2, name)


def _use(verb: str, path: Path) -> list[str | Path]:
    if verb == "compare":
        return ["compare", path, path]
    return ["run", "--resume", path] if verb == "resume" else [verb, path]


@pytest.mark.parametrize("content", ["", "{}", "[]", "\x00", '{"run_version": 1', "null", "{"])
@pytest.mark.parametrize(
    "name",
    [
        "plan.json",
        "schedule.json",
        "workload.json",
        "skipped.json",
        "reference.json",
        "variants/float32.json",
        "jobs/r00-float32/outcome.json",
    ],
)
def test_a_damaged_run(desk: Desk, run: RunFolder, name: str, content: str) -> None:
    (run.path / name).write_text(content)
    assert_explained(desk.harness("report", run.path), 2, str(run.path / name))


def test_a_damaged_log(desk: Desk, run: RunFolder) -> None:
    log = run.path / "jobs" / "r01-float32" / "events.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([*lines[:3], "garbage\n", *lines[3:]]))
    assert_explained(desk.harness("report", run.path), 2, f"{log}:4")


def test_damaged_outputs(desk: Desk, run: RunFolder) -> None:
    outputs = run.path / "jobs" / "r01-float32" / "outputs.bin"
    outputs.write_bytes(outputs.read_bytes()[:-1])
    assert_explained(desk.harness("report", run.path), 2, str(outputs))
    outputs.unlink()
    assert_explained(desk.harness("report", run.path), 2, str(outputs))


def test_lost_reference(desk: Desk, run: RunFolder) -> None:
    blob = run.blobs.path(run.reference().outputs)
    blob.unlink()
    assert_explained(desk.harness("report", run.path), 2, str(blob))


@pytest.mark.parametrize("verb", ["report", "gate", "compare", "resume"])
def test_a_run_of_a_newer_harness(desk: Desk, run: RunFolder, verb: str) -> None:
    plan = run.path / "plan.json"
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "run_version": 2, "new_key": True}))
    answer = desk.harness(*_use(verb, run.path))
    assert_explained(answer, 2, str(plan), "2")
    assert "Update the harness" in answer.err


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, ["policy.toml"]),
        ("", ["policy.toml", "empty"]),
        ("[policies]\n", ["policy.toml", "[policy]"]),
        ("policy = 3\n", ["policy.toml", "[policy]"]),
        ("[policy]\nconfidence = 95\n", ["policy.toml:2", "policy.confidence"]),
        ('[[policy.rules]]\nmetric = "file_size"\n', ["policy.toml:1", "max_mb"]),
        (
            '[policy]\n[[policy.rules]]\nmetric = "file_size"\nmax_mb = 1\nmaximum = 2\n',
            ["policy.toml:5", "maximum"],
        ),
    ],
    ids=["missing", "empty", "other-table", "no-table", "out-of-range", "no-limit", "unknown-key"],
)
def test_a_policy_file(desk: Desk, run: RunFolder, content: str | None, named: list[str]) -> None:
    path = desk.folder / "policy.toml"
    if content is not None:
        path.write_text(content)
    assert_explained(desk.harness("gate", run.path, "--policy", path), 2, *named)
    assert_explained(desk.harness("run", "suite.toml", "--policy", path), 2, *named)
    assert desk.newest().path == run.path
