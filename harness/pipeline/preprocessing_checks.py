"""Whether another preprocessing than the declared one suits the source model better, by its accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from harness.core.agreement import proportion
from harness.core.explanation import Labels, PreprocessingCheck, first_labels
from harness.core.jobs import PixelEncoding
from harness.core.stats import mcnemar_exact
from harness.core.workload import Workload
from harness.wire.blobs import BlobStore

LEAST_LABELLED = 20
_SIGNIFICANCE = 0.01
_RANGES = {"0 to 1": (0.0, 255.0), "−1 to 1": (127.5, 127.5), "0 to 255": (0.0, 1.0)}
_RGB = 3

OutputsOf = Callable[[Workload], NDArray[np.float32]]


def preprocessing_checks(
    workload: Workload, declared: Labels, outputs_of: OutputsOf, store: BlobStore
) -> list[PreprocessingCheck]:
    """The declared pixel range and channel order against the usual others, on the labelled inputs.

    ``declared`` are the reference's first labels as it ran; ``outputs_of`` runs the source model on another workload.
    None for inputs that are no pixels, or where fewer than ``LEAST_LABELLED`` have a label.
    """
    truth = np.array([-2 if one.truth is None else one.truth for one in workload.inputs])
    (labelled,) = np.nonzero(truth >= 0)
    if not isinstance(workload.encoding, PixelEncoding) or len(labelled) < LEAST_LABELLED:
        return []
    right = declared[labelled] == truth[labelled]
    found = []
    for name, other in _alternatives(workload, workload.encoding, labelled, store):
        now_right = first_labels(outputs_of(other)) == truth[labelled]
        gained = int(np.count_nonzero(now_right & ~right))
        lost = int(np.count_nonzero(right & ~now_right))
        p = mcnemar_exact(lost, gained)
        found.append(
            PreprocessingCheck(
                name=name,
                accuracy=proportion(int(now_right.sum()), len(right)),
                declared=proportion(int(right.sum()), len(right)),
                mcnemar_p=p,
                suspicious=gained > lost and p < _SIGNIFICANCE,
            )
        )
    return found


def _alternatives(
    workload: Workload, encoding: PixelEncoding, labelled: NDArray[np.int64], store: BlobStore
) -> Iterator[tuple[str, Workload]]:
    pixels = np.memmap(
        store.path(workload.records), np.uint8, mode="r", shape=(len(workload.inputs), *encoding.shape)
    )

    def of(images: Iterator[NDArray[np.uint8]], other: PixelEncoding) -> Workload:
        records = store.put_chunks(np.ascontiguousarray(image).data.cast("B") for image in images)
        inputs = tuple(workload.inputs[index] for index in labelled)
        return workload.model_copy(update={"inputs": inputs, "records": records, "encoding": other})

    channels = encoding.shape[2]
    for name, (mean, scale) in _RANGES.items():
        other = encoding.model_copy(update={"mean": (mean,) * channels, "scale": (scale,) * channels})
        if other != encoding:
            yield f"pixels from {name}", of((pixels[index] for index in labelled), other)
    if channels == _RGB:
        yield "red and blue swapped", of((pixels[index, :, :, ::-1] for index in labelled), encoding)
