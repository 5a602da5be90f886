"""What loading a workload gives, and how it is remembered between runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.core.jobs import Blob
from harness.core.runs import SkippedInput
from harness.core.value import Value
from harness.core.workload import Workload
from harness.wire.blobs import BlobStore

AnyValue = TypeVar("AnyValue", bound=Value)


class LoadedWorkload(Value):
    """The workload and what is not in it.

    ``workload.calibration`` is the bytes of a .npy file, ``[calibration_count, ...]`` in C order: for
    photos float32 ``[n, height, width, channels]``, normalized as the model's input; for tensors in the
    dtype and shape of the records without their batch axis.
    """

    workload: Workload
    skipped: tuple[SkippedInput, ...] = ()

    def blobs(self) -> tuple[Blob, ...]:
        """All that must be in the store for this to be usable."""
        workload = self.workload
        further = tuple(item.records for item in workload.further_tensors)
        return (workload.records, *further, *([workload.calibration] if workload.calibration else []))


def read_value(path: Path, kind: type[AnyValue]) -> AnyValue | None:
    """What ``write_value`` left at ``path``; None where there is nothing usable, so it is made anew."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def write_value(path: Path, value: Value) -> None:
    """Appears under ``path`` only when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".incoming-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(value.model_dump_json())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_loaded(path: Path, store: BlobStore) -> LoadedWorkload | None:
    """A remembered workload whose blobs are all still in ``store``."""
    loaded = read_value(path, LoadedWorkload)
    if loaded is None or not all(store.has(blob) for blob in loaded.blobs()):
        return None
    return loaded
