"""Decode many photos: in threads, in order, a few in memory at a time."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from harness.core.preprocessing import Preprocessing
from harness.core.runs import SkippedInput
from harness.errors import WorkloadError
from harness.workloads.inputs import Original
from harness.workloads.photos import decode_photo
from harness.workloads.preprocess import preprocess
from harness.workloads.views import make_view

Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are, from the calling thread."""


class Decoder:
    """Photos to records. What cannot be decoded is collected in ``skipped``, in order."""

    def __init__(
        self, preprocessing: Preprocessing, seed: int, threads: int, total: int, on_progress: Progress | None
    ) -> None:
        self.skipped: list[SkippedInput] = []
        self._preprocessing = preprocessing
        self._seed = seed
        self._threads = threads
        self._total = total
        self._on_progress = on_progress
        self._done = 0

    def records(
        self, originals: Iterable[Original], views: int
    ) -> Generator[tuple[Original, NDArray[np.uint8]], None, None]:
        """Each readable original with its records ``[views, height, width, channels]``."""
        waiting: deque[tuple[Original, Future[NDArray[np.uint8]]]] = deque()
        remaining = iter(originals)
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="decode")
        try:
            while True:
                while len(waiting) < 2 * self._threads and (following := next(remaining, None)) is not None:
                    waiting.append((following, pool.submit(self._decode, following, views)))
                if not waiting:
                    return
                original, future = waiting.popleft()
                try:
                    records = future.result()
                except WorkloadError as error:
                    self.skipped.append(SkippedInput(file=str(original.path), reason=error.problem))
                    self._count()
                else:
                    self._count()
                    yield original, records
        finally:
            pool.shutdown(cancel_futures=True)

    def _decode(self, original: Original, views: int) -> NDArray[np.uint8]:
        image = decode_photo(_read(original), str(original.path))
        records = np.empty((views, *self._preprocessing.encoding.shape), np.uint8)
        records[0] = preprocess(image, self._preprocessing)
        for index in range(1, views):
            view = make_view(
                *image.size, self._preprocessing, seed=self._seed, content=original.sha256, index=index
            )
            records[index] = preprocess(image, self._preprocessing, view)
        return records

    def _count(self) -> None:
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)


def _read(original: Original) -> bytes:
    try:
        data = original.path.read_bytes()
    except OSError as error:
        raise WorkloadError(
            f"cannot be read: {error.strerror or error}",
            where=str(original.path),
            next_step="Check the file and its permissions.",
        ) from error
    if hashlib.sha256(data).hexdigest() != original.sha256:
        raise WorkloadError(
            "the file changed while the workload was read",
            where=str(original.path),
            next_step="Run the command again when nothing writes to the photos.",
        )
    return data
