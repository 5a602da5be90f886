"""What a model, or a variant of a stored run, says about some photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.model_io import ModelIO
from harness.core.preprocessing import Preprocessing
from harness.core.variants import Variant
from harness.errors import UsageError
from harness.models.graphdef import takes_image_files
from harness.models.source import SourceFormat, open_source
from harness.models.tflite import read_tflite
from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.evaluate import suite_of
from harness.pipeline.shard_pools import shard_pool
from harness.store import find_run
from harness.suite.read import read_suite
from harness.suite.workload import WorkloadSection
from harness.wire.blobs import BlobStore
from harness.workloads.classify import Classification, classify, classify_files
from harness.workloads.images import ImageWorkloadSpec
from harness.workloads.labels import read_labels


@dataclass(frozen=True)
class Preparation:
    """How photos become inputs, and what the classes are called."""

    preprocessing: Preprocessing | None
    """``None``: not known, which is right for a graph that takes image files as they are."""
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


def model_of(name: str, suite: Path | None, runs: Path) -> tuple[Path, WorkloadSection | None, ModelIO, Path]:
    """The model's file, the ``[workload]`` that says how photos are prepared if one is known, what ``[model]`` says of
    the model's input and output, and the base of the suite's paths.

    ``name`` is a file, or ``RUN:VARIANT``. ``suite`` comes before the run's own.

    Raises:
        UsageError: the run has no such variant.
        SuiteError, RunError: the suite or the run cannot be read.
    """
    section, io, base = None, ModelIO(), Path()
    if suite is not None:
        read = read_suite(suite)[0]
        section, io, base = read.workload, read.model.io, suite.parent
    run, colon, variant_name = name.rpartition(":")
    if not colon or Path(name).exists():
        return Path(name), section, io, base
    folder = find_run(Path(run), runs)
    if section is None:
        planned = suite_of(folder)
        section, io, base = planned.workload, planned.model.io, Path(folder.plan().suite_path).parent
    variant = folder.variant(variant_name)
    if not isinstance(variant, Variant):
        raise UsageError(
            f"the run has no built variant {variant_name!r}",
            where=str(folder.path),
            next_step="Name one of the report's variants, as RUN:VARIANT.",
        )
    path = folder.blobs.path(variant.model)
    # The suite's name is the source's; a variant of a graph has that one output under another name.
    return path, section, ModelIO() if len(read_tflite(path).outputs) == 1 else io, base


def label_photos(
    model: Path, photos: Sequence[Path], preparation: Preparation, cache: Path, *, top: int, io: ModelIO
) -> Classification:
    """The ``top`` labels of each photo. A graph whose input takes image files gets the photos as they are.

    Raises:
        UsageError: how photos are prepared must be known, and is not.
        ModelError, WorkloadError: the model or the photos cannot be used, or do not fit together.
    """
    source = open_source(model)
    if source.format is SourceFormat.GRAPHDEF and takes_image_files(source.path, io.input):
        labels = preparation.labels
        texts = read_labels(labels, preparation.background_class) if labels is not None else None
        return classify_files(source.path, source.format.value, photos, texts, top=top, io=io)
    if preparation.preprocessing is None:
        raise UsageError(
            "how photos are prepared is not known",
            where=str(model),
            next_step="Give --suite SUITE, or --size H W with --mean and --scale (and --labels).",
        )
    spec = ImageWorkloadSpec(
        inputs=tuple(str(photo) for photo in photos),
        preprocessing=preparation.preprocessing,
        labels=str(preparation.labels) if preparation.labels is not None else None,
        background_class=preparation.background_class,
    )
    with shard_pool(TargetSettings(cache=cache)) as pool:
        return classify(source.path, source.format.value, spec, BlobStore(cache), top=top, io=io, pool=pool)
