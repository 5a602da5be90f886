"""Job folders: ``<root>/jobs/<job_id>/`` with ``job.json``, and the outputs that come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.events import ModelDescribed
from harness.core.jobs import WIRE_VERSION, Job
from harness.errors import WireError
from harness.wire.encoding import numpy_dtype
from harness.wire.strict_json import parse_object, read_value, version_problem, write_value


def job_folder(root: Path, job_id: str) -> Path:
    return root / "jobs" / job_id


def write_job(root: Path, job: Job) -> Path:
    """Write ``job.json``; last of a job's files, so that its presence means that all is there."""
    folder = job_folder(root, job.job_id)
    write_value(folder / "job.json", job)
    return folder


def read_job(folder: Path) -> Job:
    """The job in ``folder``.

    Raises:
        WireError: ``job.json`` is missing, broken, or of a newer wire version.
    """
    path = folder / "job.json"
    next_step = "Write the job folder again with 'harness run'."
    try:
        newer = version_problem(parse_object(path.read_bytes()), "wire_version", WIRE_VERSION)
    except (OSError, ValueError):
        newer = None
    if newer:
        raise WireError(newer, where=str(path), next_step="Update the harness that reads this job.")
    job = read_value(path, Job, next_step=next_step)
    if job.job_id != folder.name:
        raise WireError(
            f"job_id is {job.job_id!r}, not the folder's name", where=str(path), next_step=next_step
        )
    return job


def read_output_records(
    path: Path, described: ModelDescribed, input_count: int, rows: slice = slice(None)
) -> tuple[NDArray[np.generic], ...]:
    """The output records of a finished job, one array ``[rows, *tensor shape]`` for each output tensor.

    ``rows`` are those that are read, all by default. The arrays have the tensor's own type; of a single tensor they
    are a view of the mapped file.

    Raises:
        WireError: the file is missing or has another size than the records need.
    """
    record_bytes = sum(tensor.size_bytes for tensor in described.outputs)
    next_step = "The job's outputs are damaged: run the suite again."
    if record_bytes != described.output_record_bytes:
        raise WireError(
            "output_record_bytes does not match the output tensors", where=str(path), next_step=next_step
        )
    try:
        size_bytes = path.stat().st_size
    except OSError as problem:
        raise WireError(f"cannot be read: {problem.strerror}", where=str(path), next_step=next_step) from None
    if size_bytes != record_bytes * input_count:
        raise WireError(
            f"has {size_bytes} bytes, but {input_count} records of {record_bytes} bytes "
            f"need {record_bytes * input_count}",
            where=str(path),
            next_step=next_step,
        )
    records = np.memmap(path, dtype=np.uint8, mode="r", shape=(input_count, record_bytes))[rows]
    arrays: list[NDArray[np.generic]] = []
    start = 0
    for tensor in described.outputs:
        raw = np.ascontiguousarray(records[:, start : start + tensor.size_bytes])
        arrays.append(raw.view(numpy_dtype(tensor.dtype)).reshape((len(records), *tensor.shape)))
        start += tensor.size_bytes
    return tuple(arrays)
