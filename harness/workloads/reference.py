"""The reference: what the source model gives for a workload on this machine.

It is computed in a process of its own (``harness.workloads.reference_worker``), so that a model that
crashes its engine is an error here, and TensorFlow is never imported by the caller.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from harness.core.jobs import Encoding, PositiveCount
from harness.core.model_io import ModelIO
from harness.core.value import Value
from harness.core.workload import Reference, Workload
from harness.errors import ModelError
from harness.models.source import SourceFormat, hash_source
from harness.wire.blobs import BlobStore
from harness.workloads.decoding import Progress
from harness.workloads.loaded import read_value, write_value
from harness.workloads.model_worker import run_model_worker

CODE_VERSION: Final = 1
"""Raise it whenever the same model and records would give other outputs."""


class Kernels(StrEnum):
    """By which kernels LiteRT runs a .tflite: its default (XNNPACK where it can), or only its own built-in ones."""

    DEFAULT = "default"
    BUILTIN = "builtin"


class RequestInput(Value):
    """One input tensor; ``records`` is a file of ``input_count`` records."""

    tensor: str
    encoding: Encoding
    records: str


class ReferenceRequest(Value):
    """What the worker is told, as a file."""

    source: str
    source_format: SourceFormat
    inputs: tuple[RequestInput, ...] = ()
    files: tuple[str, ...] = ()
    """Instead of ``inputs``: files whose bytes are the inputs."""
    input_count: PositiveCount
    io: ModelIO = ModelIO()
    outputs_path: str
    threads: PositiveCount
    kernels: Kernels = Kernels.DEFAULT

    @model_validator(mode="after")
    def _one_kind_of_inputs(self) -> ReferenceRequest:
        if bool(self.inputs) == bool(self.files):
            raise ValueError("a request has either inputs or files")
        return self


def compute_reference(
    source: Path,
    source_format: str,
    workload: Workload,
    store: BlobStore,
    cache_dir: Path,
    on_progress: Progress | None = None,
    *,
    io: ModelIO | None = None,
    kernels: Kernels = Kernels.DEFAULT,
) -> Reference:
    """The outputs of ``source`` for every input, as a blob in ``store``: float32 ``[inputs, classes]``.

    Remembered in ``<cache_dir>/references/<key>.json`` by the bytes of the model and the records, their
    encoding and the engine's version; then nothing is computed.

    Args:
        source_format: a value of ``SourceFormat``.
        io: which output is taken (empty: the first, of a graph the only one), and a graph's input.
        kernels: of a .tflite.

    Raises:
        ModelError: the model cannot be loaded, fails or crashes, or gives no vector of scores.
        WorkloadError: the records do not fit the model's inputs.
        WireError: ``store`` lacks the records.
    """
    known = SourceFormat(source_format)
    io = io or ModelIO()
    engine = _engine(known)
    entry = cache_dir / "references" / f"{_key(source, known, workload, io, engine, kernels)}.json"
    remembered = read_value(entry, Reference)
    if remembered is not None and store.has(remembered.outputs):
        return remembered
    with tempfile.TemporaryDirectory(prefix="harness-reference-") as folder:
        outputs_path = Path(folder) / "outputs"
        request = ReferenceRequest(
            source=str(source.absolute()),
            source_format=known,
            inputs=request_inputs(workload, store),
            input_count=len(workload.inputs),
            io=io,
            outputs_path=str(outputs_path),
            threads=os.cpu_count() or 1,
            kernels=kernels,
        )
        classes = _run_worker(Path(folder), request, engine, on_progress)
        _check_outputs(outputs_path, classes, source, [item.name for item in workload.inputs])
        reference = Reference(outputs=store.put_file(outputs_path), classes=classes, engine=engine)
    write_value(entry, reference)
    return reference


def outputs_of_files(
    source: Path,
    source_format: str,
    files: Sequence[Path],
    on_progress: Progress | None = None,
    *,
    io: ModelIO | None = None,
) -> tuple[NDArray[np.float32], str]:
    """The outputs ``[files, classes]`` of a graph whose input takes the bytes of image files, and the engine.

    Raises:
        ModelError: as for ``compute_reference``, or the graph cannot decode a file.
    """
    known = SourceFormat(source_format)
    engine = _engine(known)
    with tempfile.TemporaryDirectory(prefix="harness-reference-") as folder:
        outputs_path = Path(folder) / "outputs"
        request = ReferenceRequest(
            source=str(source.absolute()),
            source_format=known,
            files=tuple(str(file.absolute()) for file in files),
            input_count=len(files),
            io=io or ModelIO(),
            outputs_path=str(outputs_path),
            threads=os.cpu_count() or 1,
        )
        classes = _run_worker(Path(folder), request, engine, on_progress)
        _check_outputs(outputs_path, classes, source, [file.name for file in files])
        return np.fromfile(outputs_path, "<f4").reshape(len(files), classes), engine


def request_inputs(workload: Workload, store: BlobStore) -> tuple[RequestInput, ...]:
    """The workload's tensors as a worker reads them.

    Raises:
        WireError: ``store`` lacks the records, or they are damaged.
    """
    tensors = [
        (workload.tensor, workload.encoding, workload.records),
        *((item.tensor, item.encoding, item.records) for item in workload.further_tensors),
    ]
    for _, _, records in tensors:
        store.verify(records)
    return tuple(
        RequestInput(tensor=tensor, encoding=encoding, records=str(store.path(records).absolute()))
        for tensor, encoding, records in tensors
    )


def _run_worker(folder: Path, request: ReferenceRequest, engine: str, on_progress: Progress | None) -> int:
    """The number of classes, after the worker has written the outputs. ``folder`` takes the request."""
    answer = run_model_worker(
        "harness.workloads.reference_worker",
        folder,
        request,
        model=request.source,
        engine=engine,
        total=request.input_count,
        answers="classes",
        on_progress=on_progress,
    )
    return int(answer)


def _check_outputs(path: Path, classes: int, source: Path, names: Sequence[str]) -> None:
    outputs = np.memmap(path, "<f4", mode="r", shape=(len(names), classes))
    bad = np.isnan(outputs).any(axis=1)
    if bad.any():
        first = names[int(bad.argmax())]
        raise ModelError(
            f"the source model gives NaN for {int(bad.sum())} of {len(bad)} inputs, first for {first}",
            where=str(source),
            next_step="Check the preprocessing (mean, scale) and the model's weights.",
        )


def _engine(source_format: SourceFormat) -> str:
    if source_format is SourceFormat.TFLITE:
        return f"LiteRT {version('ai-edge-litert')}"
    if source_format.is_graph:
        return f"tensorflow {_tensorflow_version()}"
    return f"keras {version('keras')} / tensorflow {_tensorflow_version()}"


def _tensorflow_version() -> str:
    for distribution in ("tensorflow", "tensorflow-cpu"):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    raise ModelError(
        "TensorFlow is not installed",
        where="tensorflow",
        next_step="Install the harness with its dependencies (make setup).",
    )


def _key(
    source: Path,
    source_format: SourceFormat,
    workload: Workload,
    io: ModelIO,
    engine: str,
    kernels: Kernels,
) -> str:
    encodings = [workload.encoding, *(item.encoding for item in workload.further_tensors)]
    everything = {
        "code": CODE_VERSION,
        "engine": engine,
        "source": [hash_source(source, source_format)[0], source_format.value],
        "records": workload.digest,
        "tensor": workload.tensor,
        "encodings": [encoding.model_dump(mode="json") for encoding in encodings],
        "io": io.model_dump(mode="json"),
    }
    if kernels is not Kernels.DEFAULT:
        everything["kernels"] = kernels.value
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()
