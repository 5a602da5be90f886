from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.jobs import Blob, DType, TensorEncoding
from harness.core.workload import Task, Workload, WorkloadInput
from harness.errors import WorkloadError
from harness.workloads.labels import check_labels, read_labels, read_truth

LABELS = ("tench", "crane", "tabby, tabby cat", "crane", "7")


def write(path: Path, data: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def files(folder: Path, *names: str) -> dict[str, Path]:
    return {name: folder / "photos" / name for name in names}


@pytest.mark.parametrize(
    "data",
    ["cat\ndog\n", "cat\r\ndog\r\n", "cat\ndog\n\n\n", "\ufeffcat\ndog", " cat \n\tdog"],
)
def test_labels_are_lines(tmp_path: Path, data: str) -> None:
    assert read_labels(write(tmp_path / "labels.txt", data)) == ("cat", "dog")


def test_a_label_may_hold_unusual_separators(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.txt", "a\u2028b\nc\x0cd\n😀\n")
    assert read_labels(path) == ("a\u2028b", "c\x0cd", "😀")


def test_the_background_class_shifts_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.txt", "none\ncat\ndog\n")
    assert read_labels(path, background_class=True) == ("background", "none", "cat", "dog")


@pytest.mark.parametrize(
    ("data", "problem", "line"),
    [
        (b"", "empty", ""),
        (b"\n \n", "empty", ""),
        (b"cat\n\ndog\n", "blank line", ":2"),
        (b"caf\xe9\n", r"not UTF-8 \(byte 3\)", ""),
        (b"\xff\xfec\x00", "not UTF-8", ""),
    ],
)
def test_bad_labels_files(tmp_path: Path, data: bytes, problem: str, line: str) -> None:
    path = write(tmp_path / "labels.txt", data)
    with pytest.raises(WorkloadError, match=problem) as caught:
        read_labels(path)
    assert caught.value.where == f"{path}{line}"


def test_missing_labels_and_a_folder_of_that_name(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere.txt"):
        with pytest.raises(WorkloadError, match="labels file cannot be read"):
            read_labels(path)


def test_truth_by_text_by_line_and_by_every_spelling_of_a_file(tmp_path: Path) -> None:
    inputs = files(tmp_path, "one/a.jpg", "two/a.jpg", "b.jpg", "c.jpg")
    path = write(
        tmp_path / "truth.csv",
        f'file,label\none/a.jpg,tench\n./photos/two/a.jpg,3\n\nb.jpg,"tabby, tabby cat"\n'
        f"{tmp_path}/photos/c.jpg,0\n",
    )
    assert read_truth(path, inputs, LABELS) == {"one/a.jpg": 0, "two/a.jpg": 3, "b.jpg": 2, "c.jpg": 0}


def test_a_text_goes_before_a_number(tmp_path: Path) -> None:
    path = write(tmp_path / "truth.csv", "file,label\na.jpg,7\n")
    assert read_truth(path, files(tmp_path, "a.jpg"), LABELS) == {"a.jpg": 4}


@pytest.mark.parametrize(
    ("background_class", "labels", "expected"),
    [
        (True, ("background", "cat", "dog"), 2),
        (False, ("cat", "dog"), 1),
        (True, None, 2),
    ],
)
def test_numbers_shift_with_the_background_class(
    tmp_path: Path, background_class: bool, labels: tuple[str, ...] | None, expected: int
) -> None:
    path = write(tmp_path / "truth.csv", "file,label\na.jpg,1\n")
    assert read_truth(path, files(tmp_path, "a.jpg"), labels, background_class) == {"a.jpg": expected}


@pytest.mark.parametrize(
    ("data", "problem", "line", "advice"),
    [
        ("", "header", ":1", "file,label"),
        ("photo,label\na.jpg,tench\n", "header", ":1", "file,label"),
        ("file;label\na.jpg;tench\n", "header", ":1", "file,label"),
        ("file,label\n", "names no input", "", ""),
        ("file,label\na.jpg\n", "1 columns", ":2", ""),
        ("file,label\na.jpg,tabby, tabby cat\n", "3 columns", ":2", "double quotes"),
        ("file,label\na.jpg,tench\nz.jpg,tench\n", "'z.jpg' is not among", ":3", ""),
        ("file,label\naa.jpg,tench\n", "'aa.jpg' is not among", ":2", "Did you mean 'a.jpg'?"),
        ("file,label\na.jpg,tench\n./a.jpg,tench\n", "line 2 already", ":3", ""),
        ("file,label\na.jpg,tensh\n", "no label reads 'tensh'", ":2", "Did you mean 'tench'?"),
        ("file,label\na.jpg,crane\n", "several classes", ":2", "1, 3"),
        ("file,label\na.jpg,5\n", "no label reads '5'", ":2", ""),
        ("file,label\na.jpg,-1\n", "no label reads '-1'", ":2", ""),
        ("file,label\na.jpg,\u0663\n", "no label reads", ":2", ""),
        ("file,label\na.jpg,99999999999999999999\n", "no label reads", ":2", ""),
        ("file,label\na.jpg,\n", "no label reads ''", ":2", ""),
        ("file,label\nsame.jpg,tench\n", "may be x/same.jpg or y/same.jpg", ":2", ""),
        ('file,label\n"a.jpg,tench\n', "not a CSV file", ":2", ""),
    ],
)
def test_bad_truth(tmp_path: Path, data: str, problem: str, line: str, advice: str) -> None:
    path = write(tmp_path / "truth.csv", data)
    inputs = files(tmp_path, "a.jpg", "x/same.jpg", "y/same.jpg")
    with pytest.raises(WorkloadError, match=problem) as caught:
        read_truth(path, inputs, LABELS)
    assert caught.value.where == f"{path}{line}"
    assert advice in caught.value.next_step


def test_the_last_line_is_the_last_class_after_a_shift(tmp_path: Path) -> None:
    labels = ("background", "cat", "dog")
    path = write(tmp_path / "truth.csv", "file,label\na.jpg,2\n")
    with pytest.raises(WorkloadError, match="no label reads '2'"):
        read_truth(path, files(tmp_path, "a.jpg"), labels, background_class=True)


def test_words_without_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "truth.csv", "file,label\na.jpg,cat\n")
    with pytest.raises(WorkloadError, match="'cat' is not the number of a class"):
        read_truth(path, files(tmp_path, "a.jpg"), None)


def workload(labels: int | None, truth: int | None = None) -> Workload:
    return Workload(
        task=Task.TENSORS,
        inputs=(WorkloadInput(name="a", group="a", truth=truth),),
        records=Blob(sha256="0" * 64, bytes=4),
        encoding=TensorEncoding(dtype=DType.FLOAT32, shape=(1,)),
        labels=None if labels is None else tuple(f"label {index}" for index in range(labels)),
    )


def test_labels_and_truth_that_fit_the_model() -> None:
    check_labels(workload(10, truth=9), 10)
    check_labels(workload(None, truth=9), 10)
    check_labels(workload(None), 1)


@pytest.mark.parametrize(
    ("labels", "classes", "advice"),
    [
        (1000, 1001, "set background_class = true"),
        (1001, 1000, "remove it from the labels file"),
        (10, 1000, "Use the labels file that belongs to the model"),
    ],
)
def test_another_number_of_labels(labels: int, classes: int, advice: str) -> None:
    with pytest.raises(WorkloadError, match=f"{labels} labels for {classes} outputs") as caught:
        check_labels(workload(labels), classes)
    assert advice in caught.value.next_step


def test_a_true_class_that_the_model_lacks() -> None:
    with pytest.raises(WorkloadError, match="true class 10 for a model of 10 outputs"):
        check_labels(workload(None, truth=10), 10)
