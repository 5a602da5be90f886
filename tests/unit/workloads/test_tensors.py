from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.jobs import DType, TensorEncoding
from harness.core.workload import Task
from harness.errors import WorkloadError
from harness.wire.blobs import BlobStore
from harness.workloads.tensors import TensorWorkloadSpec, load_tensors

VALUES = np.arange(12, dtype=np.float32).reshape(3, 2, 2)


class Detonator:
    """Unpickling it would fail the test."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("the file was unpickled",)


def save(folder: Path, array: Any, name: str = "inputs.npy") -> str:
    path = folder / name
    np.save(path, array, allow_pickle=True)
    return str(path)


def refused(spec: TensorWorkloadSpec, store: BlobStore, problem: str) -> WorkloadError:
    with pytest.raises(WorkloadError, match=problem) as caught:
        load_tensors(spec, store)
    assert caught.value.where
    assert caught.value.next_step
    return caught.value


def test_records_are_the_arrays_own_bytes(tmp_path: Path, store: BlobStore) -> None:
    loaded = load_tensors(TensorWorkloadSpec(inputs=save(tmp_path, VALUES), tensor="x"), store)
    workload = loaded.workload
    assert workload.task is Task.TENSORS
    assert workload.encoding == TensorEncoding(dtype=DType.FLOAT32, shape=(1, 2, 2))
    assert workload.tensor == "x"
    assert [item.name for item in workload.inputs] == ["inputs.npy#0", "inputs.npy#1", "inputs.npy#2"]
    assert len({item.group for item in workload.inputs}) == 3
    assert store.path(workload.records).read_bytes() == VALUES.tobytes()


@pytest.mark.parametrize("dtype", list(DType))
def test_every_type_of_the_wire(tmp_path: Path, store: BlobStore, dtype: DType) -> None:
    array = np.array([0, 1, 1], dtype.value)
    workload = load_tensors(TensorWorkloadSpec(inputs=save(tmp_path, array)), store).workload
    assert workload.encoding == TensorEncoding(dtype=dtype, shape=(1,))
    assert store.path(workload.records).read_bytes() == array.tobytes()


@pytest.mark.parametrize("array", [VALUES.astype(">f4"), np.asfortranarray(VALUES)])
def test_byte_order_and_axis_order_of_the_file_do_not_matter(
    tmp_path: Path, store: BlobStore, array: np.ndarray
) -> None:
    workload = load_tensors(TensorWorkloadSpec(inputs=save(tmp_path, array)), store).workload
    assert store.path(workload.records).read_bytes() == VALUES.tobytes()


def test_an_array_of_several_blocks(tmp_path: Path, store: BlobStore) -> None:
    array = np.arange(3 * 700_000, dtype=np.int32).reshape(3, -1)
    workload = load_tensors(TensorWorkloadSpec(inputs=save(tmp_path, array)), store).workload
    assert store.path(workload.records).read_bytes() == array.tobytes()


@pytest.mark.parametrize("compressed", [False, True])
def test_several_arrays_are_several_input_tensors(tmp_path: Path, store: BlobStore, compressed: bool) -> None:
    path = tmp_path / "inputs.npz"
    write = np.savez_compressed if compressed else np.savez
    ids, mask = np.arange(8, dtype=np.int32).reshape(2, 4), np.ones((2, 4), bool)
    write(path, ids=ids, mask=mask)
    workload = load_tensors(TensorWorkloadSpec(inputs=str(path)), store).workload
    assert (workload.tensor, store.path(workload.records).read_bytes()) == ("ids", ids.tobytes())
    (further,) = workload.further_tensors
    assert (further.tensor, further.encoding) == ("mask", TensorEncoding(dtype=DType.BOOL, shape=(1, 4)))
    assert store.path(further.records).read_bytes() == mask.tobytes()
    assert workload.digest not in (workload.records.sha256, further.records.sha256)


def test_one_array_of_an_archive_goes_by_position(tmp_path: Path, store: BlobStore) -> None:
    np.savez(tmp_path / "inputs.npz", whatever=VALUES)
    workload = load_tensors(TensorWorkloadSpec(inputs=str(tmp_path / "inputs.npz")), store).workload
    assert workload.tensor == ""
    assert workload.further_tensors == ()


def test_truth_and_labels(tmp_path: Path, store: BlobStore) -> None:
    (tmp_path / "labels.txt").write_text("zero\none\n")
    truth = save(tmp_path, np.array([1, 0, 1], np.uint8), "truth.npy")
    spec = TensorWorkloadSpec(inputs=save(tmp_path, VALUES), truth=truth, labels=str(tmp_path / "labels.txt"))
    workload = load_tensors(spec, store).workload
    assert [item.truth for item in workload.inputs] == [1, 0, 1]
    assert workload.labels == ("zero", "one")


@pytest.mark.parametrize(
    ("truth", "problem"),
    [
        (np.array([1, 0]), "2 true classes for 3 inputs"),
        (np.array([1, -1, 0]), "true class of input 1 is negative"),
        (np.array([1.0, 0.0, 1.0]), "not whole numbers"),
        (np.array([[1], [0], [1]]), "not whole numbers"),
        (np.array(3), "not whole numbers"),
    ],
)
def test_bad_truth(tmp_path: Path, store: BlobStore, truth: np.ndarray, problem: str) -> None:
    spec = TensorWorkloadSpec(inputs=save(tmp_path, VALUES), truth=save(tmp_path, truth, "truth.npy"))
    assert refused(spec, store, problem).where == spec.truth


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.float32(1), "a single number"),
        (np.empty((0, 4), np.float32), r"\[0, 4\] has no elements"),
        (np.empty((3, 0), np.float32), r"\[3, 0\] has no elements"),
        (np.array([[1.0, 2.0], [np.nan, 1.0]], np.float32), "input 1 has a NaN"),
        (np.zeros(3), "type float64"),
        (np.zeros(3, np.float16), "type float16"),
        (np.zeros(3, np.uint32), "type uint32"),
        (np.zeros(3, complex), "type complex128"),
        (np.array(["a", "b"]), "type <U1"),
        (np.zeros(3, [("a", "f4")]), "cannot be sent"),
        (np.zeros(3, "M8[s]"), "cannot be sent"),
    ],
)
def test_arrays_that_cannot_be_a_workload(tmp_path: Path, store: BlobStore, array: Any, problem: str) -> None:
    refused(TensorWorkloadSpec(inputs=save(tmp_path, array)), store, problem)
    np.savez(tmp_path / "inputs.npz", array)
    refused(TensorWorkloadSpec(inputs=str(tmp_path / "inputs.npz")), store, problem)


def test_infinities_are_numbers(tmp_path: Path, store: BlobStore) -> None:
    array = np.array([[np.inf], [-np.inf]], np.float32)
    workload = load_tensors(TensorWorkloadSpec(inputs=save(tmp_path, array)), store).workload
    assert store.path(workload.records).read_bytes() == array.tobytes()


def test_nothing_is_unpickled(tmp_path: Path, store: BlobStore) -> None:
    array = np.array([Detonator()], object)
    refused(TensorWorkloadSpec(inputs=save(tmp_path, array)), store, "Python objects")
    np.savez(tmp_path / "inputs.npz", array)
    error = refused(TensorWorkloadSpec(inputs=str(tmp_path / "inputs.npz")), store, "Python objects")
    assert "arr_0" in str(error.where)


def raw_pickle(path: Path) -> None:
    import pickle

    path.write_bytes(pickle.dumps(Detonator()))


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("missing", "cannot be read"),
        ("folder", "cannot be read"),
        ("empty", "the file is empty"),
        ("text", "neither a .npy nor a .npz"),
        ("pickle", "neither a .npy nor a .npz"),
        ("short", "truncated or corrupt"),
        ("header only", "truncated or corrupt"),
        ("magic only", "truncated or corrupt"),
        ("lying shape", "truncated or corrupt"),
        ("short archive", "truncated or corrupt"),
        ("flipped archive", "truncated or corrupt"),
        ("archive of text", "not an array"),
        ("archive of nothing", "holds no array"),
        ("archive with a lying shape", "truncated or corrupt"),
    ],
)
def test_files_that_are_not_what_they_say(tmp_path: Path, store: BlobStore, kind: str, problem: str) -> None:
    path = tmp_path / "inputs.npy"
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, VALUES)
    np.savez(npz, a=VALUES)
    assert b"(3, 2, 2), " in npy.getvalue()
    lying = npy.getvalue().replace(b"(3, 2, 2), ", b"(9, 9, 9), ")
    huge = npy.getvalue().replace(b"(3, 2, 2), ", b"(99999,8,)")
    if kind == "folder":
        path.mkdir()
    elif kind == "pickle":
        raw_pickle(path)
    elif kind.startswith("archive"):
        with zipfile.ZipFile(path, "w") as archive:
            if kind == "archive of text":
                archive.writestr("notes.txt", "hello")
            elif kind == "archive with a lying shape":
                archive.writestr("a.npy", huge)
    elif kind != "missing":
        data = {
            "empty": b"",
            "text": b"hello\n",
            "short": npy.getvalue()[:-1],
            "header only": npy.getvalue()[:128],
            "magic only": npy.getvalue()[:6],
            "lying shape": lying,
            "short archive": npz.getvalue()[:-30],
            "flipped archive": npz.getvalue().replace(VALUES.tobytes(), VALUES[::-1].tobytes()),
        }[kind]
        path.write_bytes(data)
    error = refused(TensorWorkloadSpec(inputs=str(path)), store, problem)
    assert str(error.where).startswith(str(path))


def test_arrays_of_different_lengths(tmp_path: Path, store: BlobStore) -> None:
    np.savez(tmp_path / "inputs.npz", a=np.zeros((2, 1), np.int8), b=np.zeros((3, 1), np.int8))
    refused(TensorWorkloadSpec(inputs=str(tmp_path / "inputs.npz")), store, r"\(a: 2, b: 3\)")


def test_one_name_for_several_arrays(tmp_path: Path, store: BlobStore) -> None:
    np.savez(tmp_path / "inputs.npz", a=VALUES, b=VALUES)
    spec = TensorWorkloadSpec(inputs=str(tmp_path / "inputs.npz"), tensor="a")
    refused(spec, store, "names one array, the file has 2")


def test_calibration_is_stored_as_npy(tmp_path: Path, store: BlobStore) -> None:
    calibration = -1 - VALUES[:2]
    spec = TensorWorkloadSpec(
        inputs=save(tmp_path, VALUES), calibration=save(tmp_path, calibration, "calibration.npy")
    )
    workload = load_tensors(spec, store).workload
    assert workload.calibration_count == 2
    assert workload.calibration is not None
    np.testing.assert_array_equal(np.load(store.path(workload.calibration)), calibration)


@pytest.mark.parametrize(
    ("calibration", "problem"),
    [
        (np.stack([-1 - VALUES[0], VALUES[2]]), "calibration input 1 is the evaluated input 2"),
        (VALUES[:, :1] - 100, "the calibration is float32"),
        (VALUES.astype(np.int32), "the calibration is int32"),
        (VALUES[:0], "has no elements"),
    ],
)
def test_bad_calibration(tmp_path: Path, store: BlobStore, calibration: np.ndarray, problem: str) -> None:
    spec = TensorWorkloadSpec(
        inputs=save(tmp_path, VALUES), calibration=save(tmp_path, calibration, "calibration.npy")
    )
    assert refused(spec, store, problem).where == spec.calibration
