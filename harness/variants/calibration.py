"""Inputs that integer recipes are calibrated on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import WorkloadError


@dataclass(frozen=True, eq=False)
class CalibrationData:
    """Samples as the model's one input takes them: ``[n, *input_shape]``, the batch axis left out.

    ``sha256`` names type, shape and values; it is part of every key of the cache that depends on them.
    ``verify`` sees that stored samples still are what ``sha256`` names.
    """

    samples: NDArray[Any]
    sha256: str
    verify: Callable[[], None] | None = None

    @classmethod
    def of(cls, samples: NDArray[Any]) -> CalibrationData:
        """Check the samples and name them.

        Raises:
            WorkloadError: see ``check``.
        """
        _refuse_unfit(samples)
        contiguous = np.ascontiguousarray(samples)
        digest = hashlib.sha256(_header(contiguous.dtype.str, contiguous.shape))
        digest.update(contiguous.reshape(-1).view(np.uint8).data)
        return cls(contiguous, digest.hexdigest())

    def check(self) -> None:
        """What is done before a conversion uses the samples, and not where every variant is in the cache.

        Raises:
            WireError: stored samples were damaged.
            WorkloadError: not numbers, no sample axis, or not finite.
        """
        if self.verify is not None:
            self.verify()
        _refuse_unfit(self.samples)

    @property
    def count(self) -> int:
        return int(self.samples.shape[0])


def _header(dtype: str, shape: Sequence[int]) -> bytes:
    return f"{dtype} {'x'.join(map(str, shape))}\n".encode()


def _refuse_unfit(samples: NDArray[Any]) -> None:
    problem = None
    if samples.dtype.kind not in "fiub":
        problem = f"are of type {samples.dtype}, not numbers"
    elif samples.ndim < 1:
        problem = "have no axis of samples"
    elif samples.dtype.kind == "f" and not np.isfinite(samples).all():
        problem = "hold NaN or infinity"
    if problem:
        raise WorkloadError(
            f"the calibration inputs {problem}",
            where="workload.calibration",
            next_step="Give calibration inputs as the model takes them: finite numbers, one row each.",
        )
