"""Put a variant on the phone for the app's live screens, with its labels and preprocessing."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path
from typing import Literal

from harness.core.jobs import CharacterEncoding, Encoding, RunSettings
from harness.core.live import LiveImage, LiveVariant, live_image
from harness.core.workload import Task
from harness.errors import UsageError
from harness.models.tflite import read_tflite
from harness.pipeline.evaluate import suite_of
from harness.pipeline.label import model_of
from harness.pipeline.load_workload import text_encoding
from harness.store import find_run
from harness.suite.read import read_suite
from harness.suite.workload import WorkloadSection
from harness.targets.iphone.target import IphoneTarget
from harness.wire.blobs import BlobStore
from harness.wire.live import live_document, write_live_variant
from harness.workloads.labels import read_labels

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def put_on_phone(
    named: str, suite: Path | None, runs: Path, target: IphoneTarget, *, top: int
) -> LiveVariant:
    """Put the variant ``RUN:VARIANT``, or the .tflite file that ``suite`` describes, on the phone.

    Raises:
        UsageError: how frames or texts are prepared is not known, or the task has no live screen.
        ModelError: the file is no .tflite.
        TargetError: the phone cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        variant = live_variant(named, suite, runs, BlobStore(root), top=top)
        write_live_variant(root, variant)
        target.place_live(root, variant.blobs, variant.file_name, live_document(variant))
    return variant


def live_variant(named: str, suite: Path | None, runs: Path, store: BlobStore, *, top: int) -> LiveVariant:
    """The live variant of ``named``, its blobs put into ``store``; raises as ``put_on_phone``."""
    path, section, io, base = model_of(named, suite, runs)
    read_tflite(path)
    if section is None:
        raise UsageError(
            "how its inputs are prepared is not known",
            where=named,
            next_step="Name a run's variant, RUN:VARIANT, or give the suite: --suite SUITE.",
        )
    settings = _settings(named, suite, runs)
    labels = read_labels(base / section.labels) if section.labels is not None else None
    return LiveVariant(
        name=_name(named, path),
        created_unix_ns=time.time_ns(),
        model=store.put_file(path),
        task=_task(section, named),
        labels=store.put_bytes("".join(f"{label}\n" for label in labels).encode()) if labels else None,
        tensor=section.tensor,
        encoding=_encoding(section, base, named),
        image=_image(section),
        output=io.output,
        output_kind=section.output,
        background_class=section.background_class,
        threads=settings.threads,
        loading=settings.loading,
        top=top,
    )


def _task(section: WorkloadSection, named: str) -> Literal["image-classification", "text-classification"]:
    if section.task is Task.IMAGE_CLASSIFICATION:
        return "image-classification"
    if section.task is Task.TEXT_CLASSIFICATION:
        return "text-classification"
    raise UsageError(
        f"the task {section.task.value} has no live screen: the app makes inputs from photos and texts",
        where=named,
        next_step="Choose a variant of an image or text classifier.",
    )


def _image(section: WorkloadSection) -> LiveImage | None:
    return live_image(section.preprocess) if section.preprocess is not None else None


def _encoding(section: WorkloadSection, base: Path, named: str) -> Encoding:
    if section.preprocess is not None:
        return section.preprocess.encoding
    if section.text is not None:
        return CharacterEncoding.of(text_encoding(section.text, base))
    raise UsageError(
        "how its inputs are prepared is not known",
        where=named,
        next_step="Give [workload.preprocess] or [workload.text] in the suite.",
    )


def _settings(named: str, suite: Path | None, runs: Path) -> RunSettings:
    """Threads and loading as the figures were measured with, so that the screen shows the very variant."""
    if suite is not None:
        return read_suite(suite)[0].run.settings
    run, _, variant = named.rpartition(":")
    folder = find_run(Path(run), runs)
    plan = folder.plan()
    specs = suite_of(folder).variants.specs
    return next((spec.settings(plan.settings) for spec in specs if spec.name == variant), plan.settings)


def _name(named: str, path: Path) -> str:
    """What the phone shows: the variant's name, or the file's."""
    _, colon, variant = named.rpartition(":")
    name = variant if colon and not Path(named).exists() else path.stem
    return _NOT_IN_A_NAME.sub("-", name).strip("-.")[:60] or "model"
