"""What a model suggests for some typed texts: the best labels of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.core.jobs import CharacterEncoding
from harness.core.model_io import ModelIO
from harness.core.runs import SkippedInput
from harness.core.text_encoding import TextEncoding, encode_texts
from harness.core.value import Value
from harness.core.workload import Task, Workload, WorkloadInput
from harness.errors import UsageError, WorkloadError
from harness.shards.pool import ShardPool
from harness.wire.blobs import BlobStore
from harness.workloads.classify import Scored, best_classes
from harness.workloads.labels import check_labels
from harness.workloads.reference import compute_reference
from harness.workloads.text_files import UnusableTextError, check_text


class Suggested(Value):
    """A text and its best classes, best first; equal scores by class number. ``reached`` of its characters count."""

    text: str
    characters: int
    reached: int
    best: tuple[Scored, ...]


class Suggestions(Value):
    """In the order of the texts; those that cannot be an input are in ``skipped``, by what they read."""

    texts: tuple[Suggested, ...]
    skipped: tuple[SkippedInput, ...]
    engine: str


def suggest(
    source: Path,
    source_format: str,
    texts: Sequence[str],
    encoding: TextEncoding,
    labels: tuple[str, ...] | None,
    store: BlobStore,
    *,
    top: int = 5,
    io: ModelIO | None = None,
    pool: ShardPool | None = None,
) -> Suggestions:
    """Run ``source`` on ``texts``. ``pool``: see ``compute_reference``.

    Raises:
        UsageError: ``top`` is below 1.
        WorkloadError: no text can be an input, or the labels do not fit the model.
        ModelError: see ``compute_reference``.
    """
    if top < 1:
        raise UsageError(f"top is {top}", next_step="Ask for at least one label for each text.")
    usable, skipped = _usable(texts)
    if not usable:
        raise WorkloadError(
            f"there is no text to label{f': {skipped[0].reason}' if skipped else ''}",
            next_step='Give one: harness label MODEL "see you tomorrow"; or texts on standard input, one a line.',
        )
    workload = Workload(
        task=Task.TEXT_CLASSIFICATION,
        inputs=tuple(WorkloadInput(name=text, group=text) for text in usable),
        records=store.put_bytes(encode_texts(usable, encoding).astype("<i4").tobytes()),
        encoding=CharacterEncoding.of(encoding),
        labels=labels,
    )
    reference = compute_reference(source, source_format, workload, store, store.root, io=io, pool=pool)
    check_labels(workload, reference.classes)
    outputs = np.fromfile(store.path(reference.outputs), "<f4").reshape(-1, reference.classes)
    return Suggestions(
        texts=tuple(
            Suggested(
                text=text,
                characters=len(text),
                reached=min(len(text), encoding.length),
                best=best_classes(scores, workload.label, top),
            )
            for text, scores in zip(usable, outputs, strict=True)
        ),
        skipped=tuple(skipped),
        engine=reference.engine,
    )


def _usable(texts: Sequence[str]) -> tuple[list[str], list[SkippedInput]]:
    usable: list[str] = []
    skipped: list[SkippedInput] = []
    for text in texts:
        try:
            usable.append(check_text(text))
        except UnusableTextError as error:
            # JSON and a terminal take no half of a surrogate pair.
            shown = text.encode("utf-8", "backslashreplace").decode()
            skipped.append(SkippedInput(file=repr(shown), reason=f"texts that {error}"))
    return usable, skipped
