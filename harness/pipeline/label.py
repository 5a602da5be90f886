"""What a model, or a variant of a stored run, says about some photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.preprocessing import Preprocessing
from harness.core.variants import Variant
from harness.errors import UsageError
from harness.models.source import open_source
from harness.pipeline.evaluate import suite_of
from harness.store import find_run
from harness.suite import WorkloadSection, read_suite
from harness.wire.blobs import BlobStore
from harness.workloads.classify import Classification, classify
from harness.workloads.images import ImageWorkloadSpec


@dataclass(frozen=True)
class Preparation:
    """How photos become inputs, and what the classes are called."""

    preprocessing: Preprocessing
    labels: Path | None
    background_class: bool

    @classmethod
    def of_suite(cls, section: WorkloadSection, base: Path, labels: Path | None) -> Preparation:
        """As a suite's ``[workload]`` says; ``labels`` replaces its labels.

        Raises:
            UsageError: the suite is not about photos.
        """
        if section.preprocess is None:
            raise UsageError(
                "the suite's workload has no photos", where=str(base), next_step="Label with an image suite."
            )
        if labels is None and section.labels is not None:
            labels = base / section.labels
        return cls(section.preprocess, labels, section.background_class)


def model_of(name: str, suite: Path | None, runs: Path) -> tuple[Path, WorkloadSection | None, Path]:
    """The model's file, the ``[workload]`` that says how photos are prepared if one is known, and its paths' base.

    ``name`` is a file, or ``RUN:VARIANT``. ``suite`` comes before the run's own.

    Raises:
        UsageError: the run has no such variant.
        SuiteError, RunError: the suite or the run cannot be read.
    """
    section, base = None, Path()
    if suite is not None:
        section, base = read_suite(suite)[0].workload, suite.parent
    run, colon, variant_name = name.rpartition(":")
    if not colon or Path(name).exists():
        return Path(name), section, base
    folder = find_run(Path(run), runs)
    if section is None:
        section, base = suite_of(folder).workload, Path(folder.plan().suite_path).parent
    variant = folder.variant(variant_name)
    if not isinstance(variant, Variant):
        raise UsageError(
            f"the run has no built variant {variant_name!r}",
            where=str(folder.path),
            next_step="Name one of the report's variants, as RUN:VARIANT.",
        )
    return folder.blobs.path(variant.model), section, base


def label_photos(
    model: Path, photos: Sequence[Path], preparation: Preparation, cache: Path, *, top: int
) -> Classification:
    """The ``top`` labels of each photo.

    Raises:
        ModelError, WorkloadError: the model or the photos cannot be used, or do not fit together.
    """
    source = open_source(model)
    spec = ImageWorkloadSpec(
        inputs=tuple(str(photo) for photo in photos),
        preprocessing=preparation.preprocessing,
        labels=str(preparation.labels) if preparation.labels is not None else None,
        background_class=preparation.background_class,
    )
    return classify(source.path, source.format.value, spec, BlobStore(cache), top=top)
