"""What loading a workload gives, and how it is remembered between runs."""

from __future__ import annotations

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
        records = tuple(given.records for given in self.workload.tensors)
        calibration = self.workload.calibration
        return records if calibration is None else (*records, calibration)


def read_remembered(path: Path, kind: type[AnyValue]) -> AnyValue | None:
    """The value in the file ``path``; None where there is nothing usable, so it is made anew."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def read_loaded(path: Path, store: BlobStore) -> LoadedWorkload | None:
    """A remembered workload whose blobs are all still in ``store``."""
    loaded = read_remembered(path, LoadedWorkload)
    if loaded is None or not all(store.has(blob) for blob in loaded.blobs()):
        return None
    return loaded
