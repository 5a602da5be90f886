"""From the ``[workload]`` of a suite to inputs, by task."""

from __future__ import annotations

from pathlib import Path

from harness.core.jobs import Encoding, PixelEncoding
from harness.core.text_encoding import TextEncoding
from harness.core.workload import Task, Workload
from harness.pipeline.progress import Progress
from harness.suite.workload import TextSection, WorkloadSection
from harness.wire.blobs import BlobStore
from harness.workloads.images import CalibrationSpec, ImageWorkloadSpec, load_images
from harness.workloads.loaded import LoadedWorkload
from harness.workloads.tensors import TensorWorkloadSpec, load_tensors
from harness.workloads.text_files import read_text_encoding
from harness.workloads.texts import TextCalibrationSpec, TextWorkloadSpec, load_texts


def load_workload(
    section: WorkloadSection, base: Path, store: BlobStore, progress: Progress
) -> LoadedWorkload:
    """The suite's inputs, encoded into ``store`` or found there. Paths start from ``base``, the suite's folder.

    Raises:
        WorkloadError: inputs, labels, truth, calibration or an alphabet that cannot be used.
    """
    match section.task:
        case Task.IMAGE_CLASSIFICATION:
            return load_images(_image_spec(section, base), store, progress.workload_progress)
        case Task.TEXT_CLASSIFICATION:
            return load_texts(_text_spec(section, base), store)
        case Task.TENSORS:
            return load_tensors(_tensor_spec(section, base), store)


def input_shape(section: WorkloadSection, workload: Workload | None) -> tuple[int, ...] | None:
    """The shape of one input, batch axis included; ``None`` where only the loaded workload would tell."""
    if workload is not None:
        encoding: Encoding = workload.encoding
    elif section.preprocess is not None:
        encoding = section.preprocess.encoding
    else:
        return None
    return (1, *encoding.shape) if isinstance(encoding, PixelEncoding) else encoding.shape


def text_encoding(section: TextSection, base: Path) -> TextEncoding:
    """The rule by which the suite's texts are encoded.

    Raises:
        WorkloadError: the alphabet file cannot be used.
    """
    if section.alphabet is not None:
        return read_text_encoding(base / section.alphabet)
    assert section.characters is not None
    return TextEncoding(alphabet=section.characters, lowercase=section.lowercase, length=section.length)


def _image_spec(section: WorkloadSection, base: Path) -> ImageWorkloadSpec:
    assert section.preprocess is not None
    calibration = section.calibration
    return ImageWorkloadSpec(
        inputs=(str(base / section.inputs),),
        preprocessing=section.preprocess,
        labels=_path(section.labels, base),
        truth=_path(section.truth, base),
        background_class=section.background_class,
        views=section.views,
        seed=section.seed,
        output_kind=section.output,
        tensor=section.tensor,
        calibration=CalibrationSpec(
            inputs=(str(base / calibration.inputs),) if calibration.inputs else (),
            hold_out=calibration.hold_out,
            views=calibration.views,
        )
        if calibration
        else None,
    )


def _text_spec(section: WorkloadSection, base: Path) -> TextWorkloadSpec:
    assert section.text is not None
    calibration = section.calibration
    return TextWorkloadSpec(
        inputs=str(base / section.inputs),
        encoding=text_encoding(section.text, base),
        labels=_path(section.labels, base),
        background_class=section.background_class,
        seed=section.seed,
        output_kind=section.output,
        tensor=section.tensor,
        keystrokes=section.text.keystrokes,
        keystroke_pause_ns=round(section.text.keystroke_pause_ms * 1_000_000),
        calibration=TextCalibrationSpec(inputs=_path(calibration.inputs, base), hold_out=calibration.hold_out)
        if calibration
        else None,
    )


def _tensor_spec(section: WorkloadSection, base: Path) -> TensorWorkloadSpec:
    return TensorWorkloadSpec(
        inputs=str(base / section.inputs),
        truth=_path(section.truth, base),
        labels=_path(section.labels, base),
        background_class=section.background_class,
        output_kind=section.output,
        tensor=section.tensor,
        calibration=_path(section.calibration.inputs, base) if section.calibration else None,
    )


def _path(path: str | None, base: Path) -> str | None:
    return str(base / path) if path is not None else None
