"""A workload of plain tensors: arrays whose first axis counts the inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.jobs import Blob, DType, TensorEncoding
from harness.core.value import Value
from harness.core.workload import OutputKind, Task, TensorRecords, Workload, WorkloadInput
from harness.errors import WorkloadError
from harness.wire.blobs import CHUNK_BYTES, BlobStore
from harness.wire.encoding import numpy_dtype
from harness.workloads.labels import read_labels
from harness.workloads.loaded import LoadedWorkload
from harness.workloads.npy import npy_header, read_arrays

_MAX_DIMENSION: Final = 2**31 - 1


class TensorWorkloadSpec(Value):
    """What a suite says about a workload of plain tensors."""

    inputs: str
    """A .npy or .npz. Several arrays are the model's several input tensors, named as in its signature."""
    truth: str | None = None
    """A .npy of whole numbers ``[inputs]``: the true classes as the model counts them."""
    labels: str | None = None
    background_class: bool = False
    """The model has one class more than the labels, in front."""
    output_kind: OutputKind = OutputKind.PROBABILITIES
    tensor: str = ""
    """Name of the input tensor where the file has one array; empty: the model's first."""
    calibration: str | None = None
    """A .npy of other inputs in the same dtype and shape, for a model of one input tensor."""


def load_tensors(spec: TensorWorkloadSpec, store: BlobStore) -> LoadedWorkload:
    """Store the arrays as records: each ``array[i]`` with a batch axis of 1, C order, little-endian.

    Raises:
        WorkloadError: a file that cannot be read; an element type that does not cross the wire; no
            inputs, an empty or a zero-dimensional array; NaN; arrays or truth of another length;
            calibration that does not fit or repeats an evaluated input.
    """
    path = Path(spec.inputs)
    arrays = read_arrays(path)
    encodings = {name: _encoding(array, path, name) for name, array in arrays.items()}
    counts = {len(array) for array in arrays.values()}
    if len(counts) > 1:
        lengths = ", ".join(f"{name}: {len(array)}" for name, array in arrays.items())
        raise WorkloadError(
            f"the arrays have different numbers of inputs ({lengths})",
            where=str(path),
            next_step="Give every array the same first axis: one entry for each input.",
        )
    count = counts.pop()
    truth = _read_truth(Path(spec.truth), count) if spec.truth is not None else None
    labels = read_labels(Path(spec.labels), spec.background_class) if spec.labels is not None else None
    if len(arrays) > 1 and spec.tensor:
        raise WorkloadError(
            f"tensor = {spec.tensor!r} names one array, the file has {len(arrays)}",
            where=str(path),
            next_step="Leave tensor out: the arrays' own names are used.",
        )
    calibration = _load_calibration(spec, arrays, store) if spec.calibration is not None else None
    records = {name: _store(array, store) for name, array in arrays.items()}
    first, *others = arrays
    digits = len(str(count - 1))
    inputs = [f"{path.name}#{index:0{digits}}" for index in range(count)]
    return LoadedWorkload(
        workload=Workload(
            task=Task.TENSORS,
            inputs=tuple(
                WorkloadInput(name=name, group=name, truth=truth[index] if truth else None)
                for index, name in enumerate(inputs)
            ),
            records=records[first],
            encoding=encodings[first],
            tensor=first if others else spec.tensor,
            further_tensors=tuple(
                TensorRecords(tensor=name, records=records[name], encoding=encodings[name]) for name in others
            ),
            labels=labels,
            output_kind=spec.output_kind,
            calibration=calibration[0] if calibration else None,
            calibration_count=calibration[1] if calibration else 0,
        )
    )


def _encoding(array: NDArray[Any], path: Path, name: str) -> TensorEncoding:
    """Of one record, after checking that ``array`` can be a workload."""
    where = f"{path} ({name})" if name else str(path)
    dtype = _dtype(array, where)
    if array.ndim == 0:
        raise WorkloadError(
            "the array is a single number", where=where, next_step="Give it a first axis that counts inputs."
        )
    if array.size == 0:
        raise WorkloadError(
            f"the array {list(array.shape)} has no elements",
            where=where,
            next_step="Write at least one input.",
        )
    if max(array.shape) > _MAX_DIMENSION:
        raise WorkloadError(
            f"the array {list(array.shape)} has an axis longer than {_MAX_DIMENSION}",
            where=where,
            next_step="Split the inputs.",
        )
    if dtype is DType.FLOAT32:
        for rows, start in _blocks(array):
            bad = np.isnan(rows).reshape(len(rows), -1).any(axis=1)
            if bad.any():
                raise WorkloadError(
                    f"input {start + int(bad.argmax())} has a NaN",
                    where=where,
                    next_step="Replace or remove it: outputs of NaN cannot be compared.",
                )
    return TensorEncoding(dtype=dtype, shape=(1, *array.shape[1:]))


def _dtype(array: NDArray[Any], where: str) -> DType:
    try:
        return DType(array.dtype.newbyteorder("<").name)
    except ValueError as error:
        raise WorkloadError(
            f"elements of type {array.dtype} cannot be sent to a model",
            where=where,
            next_step=f"Convert the array to one of {', '.join(dtype.value for dtype in DType)}.",
        ) from error


def _blocks(array: NDArray[Any]) -> Iterator[tuple[NDArray[Any], int]]:
    """Some inputs at a time and the index of the first: a mapped array may exceed the memory."""
    rows = max(1, CHUNK_BYTES // max(1, array.nbytes // len(array)))
    for start in range(0, len(array), rows):
        yield array[start : start + rows], start


def _raw(array: NDArray[Any]) -> Iterator[bytes]:
    for rows, _ in _blocks(array):
        yield rows.astype(rows.dtype.newbyteorder("<"), copy=False).tobytes()


def _store(array: NDArray[Any], store: BlobStore) -> Blob:
    return store.put_chunks(_raw(array))


def _read_truth(path: Path, count: int) -> Sequence[int]:
    arrays = read_arrays(path)
    truth = next(iter(arrays.values()))
    if len(arrays) > 1 or truth.ndim != 1 or truth.dtype.kind not in "iu":
        raise WorkloadError(
            f"the truth is {truth.dtype} {list(truth.shape)}, not whole numbers [{count}]",
            where=str(path),
            next_step="Save one class number for each input: numpy.save(file, classes.astype('int32')).",
        )
    if len(truth) != count:
        raise WorkloadError(
            f"{len(truth)} true classes for {count} inputs",
            where=str(path),
            next_step="Give one class number for each input.",
        )
    if truth.min() < 0:
        raise WorkloadError(
            f"the true class of input {int(truth.argmin())} is negative",
            where=str(path),
            next_step="Count classes from 0.",
        )
    return [int(value) for value in truth]


def _load_calibration(
    spec: TensorWorkloadSpec, arrays: dict[str, NDArray[Any]], store: BlobStore
) -> tuple[Blob, int]:
    assert spec.calibration is not None
    path = Path(spec.calibration)
    found = read_arrays(path)
    if len(arrays) > 1 or len(found) > 1:
        raise WorkloadError(
            "calibration is for models of one input tensor",
            where=str(path),
            next_step="Leave calibration out and build variants that need none.",
        )
    evaluated = next(iter(arrays.values()))
    array = next(iter(found.values()))
    encoding = _encoding(array, path, "")
    if encoding != _encoding(evaluated, Path(spec.inputs), ""):
        raise WorkloadError(
            f"the calibration is {array.dtype} {list(array.shape)}, "
            f"the inputs are {evaluated.dtype} {list(evaluated.shape)}",
            where=str(path),
            next_step="Only the first axis may differ.",
        )
    index_of = {_record(evaluated, index): index for index in range(len(evaluated))}
    for index in range(len(array)):
        repeated = index_of.get(_record(array, index))
        if repeated is not None:
            raise WorkloadError(
                f"calibration input {index} is the evaluated input {repeated}",
                where=str(path),
                next_step="Calibrate on other inputs than those that are judged.",
            )

    def chunks() -> Iterator[bytes]:
        yield npy_header(array.shape, numpy_dtype(encoding.dtype))
        yield from _raw(array)

    return store.put_chunks(chunks()), len(array)


def _record(array: NDArray[Any], index: int) -> bytes:
    return hashlib.sha256(b"".join(_raw(array[index : index + 1]))).digest()
