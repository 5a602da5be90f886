"""What a model says about some photos: the best labels of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.model_io import ModelIO
from harness.core.runs import SkippedInput
from harness.core.value import Value
from harness.errors import UsageError, WorkloadError
from harness.shards.pool import ShardPool
from harness.wire.blobs import BlobStore
from harness.workloads.decoding import Progress
from harness.workloads.images import ImageWorkloadSpec, load_images
from harness.workloads.inputs import find_files, hash_files
from harness.workloads.labels import check_label_count, check_labels
from harness.workloads.reference import compute_reference, outputs_of_files


class Scored(Value):
    """A class and the model's output for it, as it is: a probability or a logit."""

    label: str
    index: int
    score: float


class Classified(Value):
    """A photo and its best classes, best first; equal scores by class number."""

    name: str
    file: str
    best: tuple[Scored, ...]


class Classification(Value):
    """In the order of the names; photos that could not be read are in ``skipped``."""

    photos: tuple[Classified, ...]
    skipped: tuple[SkippedInput, ...]
    engine: str


def classify(
    source: Path,
    source_format: str,
    spec: ImageWorkloadSpec,
    store: BlobStore,
    *,
    top: int = 5,
    io: ModelIO | None = None,
    on_progress: Progress | None = None,
    pool: ShardPool | None = None,
) -> Classification:
    """Run ``source`` on the photos of ``spec``. Photos and outputs are remembered below ``store.root``.

    ``pool``: see ``compute_reference``.

    Raises:
        UsageError: ``top`` is below 1.
        WorkloadError, ModelError: see ``load_images``, ``check_labels`` and ``compute_reference``.
    """
    if top < 1:
        raise UsageError(f"top is {top}", next_step="Ask for at least one label for each photo.")
    loaded = load_images(spec, store)
    workload = loaded.workload
    reference = compute_reference(
        source, source_format, workload, store, store.root, on_progress, io=io, pool=pool
    )
    check_labels(workload, reference.classes)
    outputs = np.fromfile(store.path(reference.outputs), "<f4").reshape(-1, reference.classes)
    photos = tuple(
        Classified(
            name=item.name, file=item.file or item.name, best=best_classes(scores, workload.label, top)
        )
        for item, scores in zip(workload.inputs, outputs, strict=True)
    )
    return Classification(photos=photos, skipped=loaded.skipped, engine=reference.engine)


def classify_files(
    source: Path,
    source_format: str,
    photos: Sequence[Path],
    labels: tuple[str, ...] | None,
    *,
    top: int = 5,
    io: ModelIO | None = None,
    on_progress: Progress | None = None,
) -> Classification:
    """Run a graph whose input takes the bytes of image files, as it decodes and scales them itself.

    Raises:
        UsageError: ``top`` is below 1.
        WorkloadError: no photo can be read, or there are fewer labels than classes.
        ModelError: see ``outputs_of_files``.
    """
    if top < 1:
        raise UsageError(f"top is {top}", next_step="Ask for at least one label for each photo.")
    originals, skipped = hash_files(find_files([str(photo) for photo in photos]))
    if not originals:
        raise WorkloadError(
            f"no photo can be read ({skipped[0].file}: {skipped[0].reason})"
            if skipped
            else "no photo is given",
            next_step="Name JPEG files.",
        )
    outputs, engine = outputs_of_files(
        source, source_format, [item.path for item in originals], on_progress, io=io
    )
    classes = outputs.shape[1]
    check_label_count(labels, classes)

    def name(index: int) -> str:
        return labels[index] if labels is not None else f"class {index}"

    found = tuple(
        Classified(name=item.name, file=str(item.path), best=best_classes(scores, name, top))
        for item, scores in zip(originals, outputs, strict=True)
    )
    return Classification(photos=found, skipped=tuple(skipped), engine=engine)


def best_classes(scores: NDArray[np.float32], label: Callable[[int], str], top: int) -> tuple[Scored, ...]:
    """The ``top`` classes of one vector of ``scores``, best first; equal ones by class number."""
    order = np.argsort(-scores, kind="stable")[:top]
    return tuple(
        Scored(label=label(int(index)), index=int(index), score=float(scores[index])) for index in order
    )
