"""A text-classification workload: short texts as numbers, their labels, and what a keyboard would see of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TypeVar

import numpy as np
from pydantic import Field, model_validator

from harness.core.jobs import MOST_KEYSTROKES, Blob, CharacterEncoding
from harness.core.runs import SkippedInput
from harness.core.text_encoding import TextEncoding, encode_texts
from harness.core.value import Value
from harness.core.workload import OutputKind, Task, Workload, WorkloadInput
from harness.errors import WorkloadError
from harness.wire.blobs import BlobStore
from harness.workloads.labels import read_labels
from harness.workloads.loaded import LoadedWorkload
from harness.workloads.npy import npy_header
from harness.workloads.text_files import LabelledText, TextReader

_TEXTS_AT_ONCE: Final = 4096


AnyItem = TypeVar("AnyItem")


class TextCalibrationSpec(Value):
    """What full-integer quantization is calibrated on: other texts, or some that are held out."""

    inputs: str | None = None
    hold_out: Annotated[int, Field(ge=0, description="texts taken out of the evaluation")] = 0

    @model_validator(mode="after")
    def _one_source(self) -> TextCalibrationSpec:
        if (self.inputs is None) == (self.hold_out == 0):
            raise ValueError("calibration needs either inputs or hold_out")
        return self


class TextWorkloadSpec(Value):
    """What a suite says about a text workload. Relative paths count from the current folder."""

    inputs: str
    """A file, a folder or a glob: ``.jsonl`` of objects with ``text`` and ``label``, or ``.txt``, one text a line."""
    encoding: TextEncoding
    labels: str | None = None
    background_class: bool = False
    seed: int = 0
    output_kind: OutputKind = OutputKind.PROBABILITIES
    tensor: str = ""
    keystrokes: Annotated[int, Field(ge=0, description="texts that are typed key by key")] = 0
    keystroke_pause_ns: Annotated[int, Field(ge=0)] = 0
    calibration: TextCalibrationSpec | None = None


class _Distinct(NamedTuple):
    """Texts by what reaches the model: the digest of a text's numbers, and its true class."""

    digest: bytes
    truth: int | None


def load_texts(spec: TextWorkloadSpec, store: BlobStore) -> LoadedWorkload:
    """Encode the texts of ``spec`` into ``store``, each once.

    A text that reaches the model as an earlier one does, with the same label or none, is no further evidence and is
    left out, as are texts that cannot be read, are empty or have a label that the model lacks; ``skipped`` counts them
    by file and reason.

    Raises:
        WorkloadError: files or labels that cannot be used, calibration texts that are evaluated too, or no text left.
    """
    labels = read_labels(Path(spec.labels), spec.background_class) if spec.labels is not None else None
    reader = TextReader(labels, spec.background_class)
    texts = _distinct(reader, spec.inputs, spec.encoding)
    held_out: list[LabelledText] = []
    if spec.calibration is not None:
        held_out, texts = _calibration(spec, spec.calibration, reader, texts)
    if not texts:
        raise WorkloadError(
            f"there is no text to evaluate{_why(reader.skipped())}",
            where=spec.inputs,
            next_step='Give one JSON object a line, {"text": "...", "label": "..."}, or a .txt with one text a line.',
        )
    calibration = _store_calibration(held_out, spec.encoding, store) if held_out else None
    return LoadedWorkload(
        workload=Workload(
            task=Task.TEXT_CLASSIFICATION,
            inputs=tuple(
                WorkloadInput(name=one.text, group=f"{Path(one.file).name}:{one.line}", truth=one.truth)
                for one in texts
            ),
            records=store.put_chunks(_encoded([one.text for one in texts], spec.encoding)),
            encoding=CharacterEncoding.of(spec.encoding),
            tensor=spec.tensor,
            labels=labels,
            output_kind=spec.output_kind,
            calibration=calibration,
            calibration_count=len(held_out),
            typed=_typed([one.text for one in texts], spec),
            typing_pause_ns=spec.keystroke_pause_ns,
        ),
        skipped=reader.skipped(),
    )


def _why(skipped: Sequence[SkippedInput]) -> str:
    told = "; ".join(f"{one.count} {one.reason}" for one in skipped)
    return f": {told}" if told else ": the file is empty"


def _distinct(reader: TextReader, inputs: str, encoding: TextEncoding) -> list[LabelledText]:
    """The texts in the order of the files, without those that reach the model as an earlier one does."""
    kept: list[LabelledText] = []
    seen: set[_Distinct] = set()
    for texts in _batches(reader.read(inputs)):
        rows = encode_texts([one.text for one in texts], encoding)
        for one, row in zip(texts, rows, strict=True):
            entry = _Distinct(hashlib.sha256(row.tobytes()).digest(), one.truth)
            if entry in seen:
                reader.skip(one.file, one.line, "reach the model as an earlier text does")
                continue
            seen.add(entry)
            kept.append(one)
    return kept


def _calibration(
    spec: TextWorkloadSpec, calibration: TextCalibrationSpec, reader: TextReader, texts: list[LabelledText]
) -> tuple[list[LabelledText], list[LabelledText]]:
    """The texts to calibrate on, and those that are left to evaluate."""
    if calibration.inputs is not None:
        others = _distinct(reader, calibration.inputs, spec.encoding)
        if not others:
            raise WorkloadError(
                "there is no text to calibrate on",
                where=calibration.inputs,
                next_step="Give some hundred texts like those that the model will see.",
            )
        numbers = {one.text: row.tobytes() for one, row in _with_numbers(texts, spec.encoding)}
        evaluated = {row: text for text, row in numbers.items()}
        for one, row in _with_numbers(others, spec.encoding):
            if row.tobytes() in evaluated:
                raise WorkloadError(
                    f"the calibration text reaches the model as the evaluated text {evaluated[row.tobytes()]!r} does",
                    where=f"{one.file}:{one.line}",
                    next_step="Calibrate on other texts than those that are judged, or set hold_out.",
                )
        return others, texts
    if len(texts) <= calibration.hold_out:
        raise WorkloadError(
            f"{calibration.hold_out} texts cannot be held out for calibration: there are {len(texts)}, "
            "and one must remain",
            where=spec.inputs,
            next_step="Add texts or lower hold_out.",
        )
    first_of = {one.text: one for one in reversed(texts)}
    chosen = set(_shuffled(list(first_of), spec.seed, "hold out")[: calibration.hold_out])
    # A text with two labels is calibrated on once, and evaluated not at all.
    return [first_of[text] for text in sorted(chosen)], [one for one in texts if one.text not in chosen]


def _typed(texts: Sequence[str], spec: TextWorkloadSpec) -> tuple[str, ...]:
    """Some of ``texts`` by seed, as many as asked for or as one job may type."""
    chosen: list[str] = []
    keystrokes = 0
    for text in _shuffled(texts, spec.seed, "keystrokes"):
        if len(chosen) < spec.keystrokes and keystrokes + len(text) <= MOST_KEYSTROKES:
            keystrokes += len(text)
            chosen.append(text)
    return tuple(chosen)


def _shuffled(texts: Sequence[str], seed: int, what: str) -> list[str]:
    """Each once, in an order that depends on seed and text only, not on the other texts or on the files."""
    return sorted(set(texts), key=lambda text: hashlib.sha256(f"{what}/{seed}/{text}".encode()).digest())


def _with_numbers(
    texts: Sequence[LabelledText], encoding: TextEncoding
) -> Iterator[tuple[LabelledText, np.ndarray[tuple[int], np.dtype[np.int32]]]]:
    for some in _batches(texts):
        yield from zip(some, encode_texts([one.text for one in some], encoding), strict=True)


def _encoded(texts: Sequence[str], encoding: TextEncoding) -> Iterator[bytes]:
    for some in _batches(texts):
        yield encode_texts(some, encoding).astype("<i4").tobytes()


def _store_calibration(texts: Sequence[LabelledText], encoding: TextEncoding, store: BlobStore) -> Blob:
    def chunks() -> Iterator[bytes]:
        yield npy_header((len(texts), encoding.length), np.dtype("<i4"))
        yield from _encoded([one.text for one in texts], encoding)

    return store.put_chunks(chunks())


def _batches(items: Iterable[AnyItem]) -> Iterator[list[AnyItem]]:
    """Some at a time: a file of texts may have millions."""
    remaining = iter(items)
    while some := list(islice(remaining, _TEXTS_AT_ONCE)):
        yield some
