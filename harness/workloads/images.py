"""An image-classification workload: photos, their views, labels and truth, as a value and blobs."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from harness.core.jobs import Blob, PositiveCount
from harness.core.preprocessing import Preprocessing
from harness.core.runs import SkippedInput
from harness.core.value import Value
from harness.core.workload import OutputKind, Task, Workload, WorkloadInput
from harness.errors import WorkloadError
from harness.wire.blobs import BlobStore
from harness.wire.encoding import normalize_pixels
from harness.wire.strict_json import write_value
from harness.workloads.decoding import Decoder, Progress
from harness.workloads.inputs import Original, find_files, hash_files
from harness.workloads.labels import read_labels, read_truth
from harness.workloads.loaded import LoadedWorkload, read_loaded
from harness.workloads.npy import npy_header

CODE_VERSION: Final = 1
"""Raise it whenever the same photos would give another result: it is part of what names a remembered one."""

_NAMED_IN_ERROR: Final = 5


class CalibrationSpec(Value):
    """What full-integer quantization is calibrated on: other photos, or some that are held out."""

    inputs: tuple[str, ...] = ()
    hold_out: Annotated[int, Field(ge=0, description="originals taken out of the evaluation")] = 0
    views: PositiveCount = 1

    @model_validator(mode="after")
    def _one_source(self) -> CalibrationSpec:
        if bool(self.inputs) == bool(self.hold_out):
            raise ValueError("calibration needs either inputs or hold_out")
        return self


class ImageWorkloadSpec(Value):
    """What a suite says about an image workload. Relative paths count from the current folder."""

    inputs: Annotated[tuple[str, ...], Field(description="folders, globs, files")]
    preprocessing: Preprocessing
    labels: str | None = None
    truth: str | None = None
    background_class: bool = False
    """The model has one class more than the labels, in front."""
    views: PositiveCount = 1
    """1: the photo by its preprocessing. More: also random crops and mirror images, without truth."""
    seed: int = 0
    output_kind: OutputKind = OutputKind.PROBABILITIES
    tensor: str = ""
    calibration: CalibrationSpec | None = None


class _Calibration(NamedTuple):
    originals: list[Original]
    blob: Blob
    record_count: int


def load_images(
    spec: ImageWorkloadSpec,
    store: BlobStore,
    on_progress: Progress | None = None,
    *,
    threads: int | None = None,
) -> LoadedWorkload:
    """Decode the photos of ``spec`` into ``store``, or find them there from the last time.

    What was made is remembered in ``<store.root>/workloads/<key>.json``; the key covers the bytes of
    every photo, the spec, the labels, the truth, Pillow's version and ``CODE_VERSION``. The number of
    threads (``None``: one for each core) changes nothing in the result.

    Raises:
        WorkloadError: paths, labels or truth that cannot be used; calibration photos that are evaluated
            too; no readable photo at all. Single unreadable photos are listed in ``skipped``.
    """
    labels = read_labels(Path(spec.labels), spec.background_class) if spec.labels is not None else None
    originals, skipped = hash_files(find_files(spec.inputs))
    truth: dict[str, int] = {}
    if spec.truth is not None:
        # A photo that cannot be read or is a second copy may still have its line.
        files = {item.name: item.path for item in originals} | {
            item.file: Path(item.file) for item in skipped
        }
        truth = read_truth(Path(spec.truth), files, labels, spec.background_class)
    separate: list[Original] = []
    if spec.calibration is not None and spec.calibration.inputs:
        separate, separate_skipped = hash_files(find_files(spec.calibration.inputs))
        skipped += separate_skipped
        _check_disjoint(originals, separate)

    entry = store.root / "workloads" / f"{_key(spec, originals, separate, skipped, labels, truth)}.json"
    if (remembered := read_loaded(entry, store)) is not None:
        return remembered

    decoder = Decoder(
        spec.preprocessing,
        spec.seed,
        threads or os.cpu_count() or 1,
        len(originals) + len(separate),
        on_progress,
    )
    calibration: _Calibration | None = None
    if spec.calibration is not None and spec.calibration.inputs:
        calibration = _calibrate(decoder, separate, spec, store)
        if not calibration.originals:
            raise _none_left([*skipped, *decoder.skipped], "calibration")
    elif spec.calibration is not None:
        calibration = _calibrate(decoder, _shuffled(originals, spec.seed), spec, store)
        originals = _without(originals, calibration.originals, decoder.skipped)
    kept, records = _store_records(decoder, originals, spec.views, store)
    skipped += decoder.skipped
    if spec.calibration is not None and calibration is not None:
        _check_held_out(spec.calibration.hold_out, len(calibration.originals), len(kept))
    if not kept:
        raise _none_left(skipped, "inputs")
    loaded = LoadedWorkload(
        workload=Workload(
            task=Task.IMAGE_CLASSIFICATION,
            inputs=tuple(_named(kept, spec.views, truth)),
            records=records,
            encoding=spec.preprocessing.encoding,
            tensor=spec.tensor,
            labels=labels,
            output_kind=spec.output_kind,
            calibration=calibration.blob if calibration else None,
            calibration_count=calibration.record_count if calibration else 0,
        ),
        skipped=tuple(skipped),
    )
    write_value(entry, loaded)
    return loaded


def _named(originals: Sequence[Original], views: int, truth: Mapping[str, int]) -> Iterator[WorkloadInput]:
    digits = max(2, len(str(views - 1)))
    for original in originals:
        for view in range(views):
            yield WorkloadInput(
                name=f"{original.name}#{view:0{digits}}" if views > 1 else original.name,
                group=original.name,
                file=str(original.path),
                # A crop need not show what the photo shows.
                truth=truth.get(original.name) if view == 0 else None,
            )


def _store_records(
    decoder: Decoder, originals: Sequence[Original], views: int, store: BlobStore
) -> tuple[list[Original], Blob]:
    kept: list[Original] = []

    def chunks() -> Iterator[memoryview]:
        for original, records in decoder.records(originals, views):
            kept.append(original)
            yield records.data.cast("B")

    blob = store.put_chunks(chunks())
    return kept, blob


def _calibrate(
    decoder: Decoder, candidates: Sequence[Original], spec: ImageWorkloadSpec, store: BlobStore
) -> _Calibration:
    """The readable ones of ``candidates``, at most ``hold_out`` where that is set, normalized."""
    assert spec.calibration is not None
    encoding = spec.preprocessing.encoding
    kept: list[Original] = []
    # The header of a .npy names the count, which is known only at the end.
    with tempfile.TemporaryFile() as pixels:
        decoded = decoder.records(candidates, spec.calibration.views)
        for original, records in decoded:
            kept.append(original)
            pixels.write(records.data.cast("B"))
            if len(kept) == spec.calibration.hold_out:
                break
        decoded.close()
        pixels.seek(0)
        count = len(kept) * spec.calibration.views

        def chunks() -> Iterator[bytes]:
            yield npy_header((count, *encoding.shape), np.dtype("<f4"))
            while chunk := pixels.read(encoding.record_bytes):
                record = np.frombuffer(chunk, np.uint8).reshape(encoding.shape)
                yield normalize_pixels(record, encoding.mean, encoding.scale).astype("<f4").tobytes()

        return _Calibration(kept, store.put_chunks(chunks()), count)


def _shuffled(originals: Sequence[Original], seed: int) -> list[Original]:
    """An order that depends on seed and content only, not on names or on the other photos."""
    return sorted(
        originals, key=lambda item: hashlib.sha256(f"hold out/{seed}/{item.sha256}".encode()).digest()
    )


def _without(
    originals: Sequence[Original], held_out: Sequence[Original], skipped: Sequence[SkippedInput]
) -> list[Original]:
    gone = {str(item.path) for item in held_out} | {item.file for item in skipped}
    return [item for item in originals if str(item.path) not in gone]


def _check_held_out(wanted: int, held_out: int, evaluated: int) -> None:
    if wanted and (held_out < wanted or not evaluated):
        raise WorkloadError(
            f"{wanted} photos cannot be held out for calibration: {held_out + evaluated} are readable, "
            "and one must remain",
            where="calibration",
            next_step="Add photos or lower hold_out.",
        )


def _check_disjoint(evaluated: Sequence[Original], calibration: Sequence[Original]) -> None:
    name_of = {item.sha256: item.name for item in evaluated}
    for item in calibration:
        if item.sha256 in name_of:
            raise WorkloadError(
                f"the calibration photo has the same bytes as the evaluated {name_of[item.sha256]}",
                where=str(item.path),
                next_step="Calibrate on other photos than those that are judged, or set hold_out.",
            )


def _none_left(skipped: Sequence[SkippedInput], where: str) -> WorkloadError:
    listed = "; ".join(f"{item.file}: {item.reason}" for item in skipped[:_NAMED_IN_ERROR])
    more = len(skipped) - _NAMED_IN_ERROR
    return WorkloadError(
        f"no photo can be read ({listed}{f'; and {more} more' if more > 0 else ''})",
        where=where,
        next_step="Use photos in JPEG, PNG, WebP, TIFF, BMP or GIF.",
    )


def _key(
    spec: ImageWorkloadSpec,
    originals: Sequence[Original],
    calibration: Sequence[Original],
    skipped: Sequence[SkippedInput],
    labels: Sequence[str] | None,
    truth: Mapping[str, int],
) -> str:
    everything = {
        "code": CODE_VERSION,
        "pillow": version("pillow"),
        "spec": spec.model_dump(mode="json"),
        "originals": [[item.name, str(item.path), item.sha256] for item in originals],
        "calibration": [[str(item.path), item.sha256] for item in calibration],
        "skipped": [item.model_dump() for item in skipped],
        "labels": labels,
        "truth": sorted(truth.items()),
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()
