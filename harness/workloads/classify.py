"""What a model says about some photos: the best labels of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.core.runs import SkippedInput
from harness.core.value import Value
from harness.errors import UsageError
from harness.wire.blobs import BlobStore
from harness.workloads.decoding import Progress
from harness.workloads.images import ImageWorkloadSpec, load_images
from harness.workloads.labels import check_labels
from harness.workloads.reference import compute_reference


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
    output: str = "",
    on_progress: Progress | None = None,
) -> Classification:
    """Run ``source`` on the photos of ``spec``. Photos and outputs are remembered below ``store.root``.

    Raises:
        UsageError: ``top`` is below 1.
        WorkloadError, ModelError: see ``load_images``, ``check_labels`` and ``compute_reference``.
    """
    if top < 1:
        raise UsageError(f"top is {top}", next_step="Ask for at least one label for each photo.")
    loaded = load_images(spec, store)
    workload = loaded.workload
    reference = compute_reference(
        source, source_format, workload, store, store.root, on_progress, output=output
    )
    check_labels(workload, reference.classes)
    outputs = np.fromfile(store.path(reference.outputs), "<f4").reshape(-1, reference.classes)
    photos = []
    for item, scores in zip(workload.inputs, outputs, strict=True):
        order = np.argsort(-scores, kind="stable")[:top]
        best = tuple(
            Scored(label=workload.label(int(index)), index=int(index), score=float(scores[index]))
            for index in order
        )
        photos.append(Classified(name=item.name, file=item.file or item.name, best=best))
    return Classification(photos=tuple(photos), skipped=loaded.skipped, engine=reference.engine)
