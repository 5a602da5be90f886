"""Inputs that integer recipes are calibrated on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.jobs import Blob
from harness.errors import WorkloadError
from harness.wire.blobs import BlobStore

_AT_ONCE: Final = 32
"""Samples that are looked at together."""


@dataclass(frozen=True, eq=False)
class CalibrationData:
    """Samples as the model's one input takes them: ``[n, *input_shape]``, the batch axis left out.

    ``open`` gives them all; where they lie in a file it maps it anew each time, because what was read through one
    mapping counts as this process's memory until that is closed. ``sha256`` names type, shape and values; it is part
    of every key of the cache that depends on them. ``verify`` sees that stored samples still are what ``sha256`` names.
    """

    open: Callable[[], NDArray[Any]]
    sha256: str
    verify: Callable[[], None] | None = None

    @classmethod
    def of(cls, samples: NDArray[Any]) -> CalibrationData:
        """Check the samples and name them.

        Raises:
            WorkloadError: see ``check``.
        """
        contiguous = np.asarray(samples, order="C")
        data = cls(lambda: contiguous, "")
        data.check()
        digest = hashlib.sha256(_header(contiguous.dtype.str, contiguous.shape))
        digest.update(contiguous.reshape(-1).view(np.uint8).data)
        return replace(data, sha256=digest.hexdigest())

    @classmethod
    def stored(cls, blob: Blob, store: BlobStore) -> CalibrationData:
        """Those in the .npy file ``blob`` of ``store``, which is named already: nothing is read."""
        mapped = partial(np.load, store.path(blob), mmap_mode="r", allow_pickle=False)
        return cls(mapped, blob.sha256, partial(store.verify, blob))

    def check(self) -> None:
        """What is done before a conversion uses the samples, and not where every variant is in the cache.

        Raises:
            WireError: stored samples were damaged.
            WorkloadError: not numbers, no sample axis, or not finite.
        """
        if self.verify is not None:
            self.verify()
        samples = self.open()
        problem = None
        if samples.dtype.kind not in "fiub":
            problem = f"are of type {samples.dtype}, not numbers"
        elif samples.ndim < 1:
            problem = "have no axis of samples"
        elif samples.dtype.kind == "f" and not self._is_finite():
            problem = "hold NaN or infinity"
        if problem:
            raise WorkloadError(
                f"the calibration inputs {problem}",
                where="workload.calibration",
                next_step="Give calibration inputs as the model takes them: finite numbers, one row each.",
            )

    @property
    def count(self) -> int:
        return int(self.open().shape[0])

    def part(self, first: int, count: int) -> NDArray[Any]:
        """A copy of ``count`` samples from number ``first`` on."""
        return np.array(self.open()[first : first + count])

    def _is_finite(self) -> bool:
        return all(np.isfinite(self.part(first, _AT_ONCE)).all() for first in range(0, self.count, _AT_ONCE))


def _header(dtype: str, shape: Sequence[int]) -> bytes:
    return f"{dtype} {'x'.join(map(str, shape))}\n".encode()
