"""What a model, or a variant of a stored run, suggests for typed texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.model_io import ModelIO
from harness.core.text_encoding import TextEncoding
from harness.core.workload import Task
from harness.models.source import open_source
from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.load_workload import text_encoding
from harness.pipeline.shard_pools import shard_pool
from harness.suite.workload import WorkloadSection
from harness.wire.blobs import BlobStore
from harness.workloads.labels import read_labels
from harness.workloads.suggest import Suggestions, suggest
from harness.workloads.text_files import read_text_encoding

ALPHABET_NAME = "alphabet.json"
LABELS_NAME = "labels.txt"
"""What training writes beside a model."""


@dataclass(frozen=True)
class TextPreparation:
    """How texts become numbers, and what the classes are called."""

    encoding: TextEncoding
    labels: Path | None
    background_class: bool

    @classmethod
    def find(
        cls,
        model: Path,
        section: WorkloadSection | None,
        base: Path,
        *,
        alphabet: Path | None,
        labels: Path | None,
        background_class: bool = False,
    ) -> TextPreparation | None:
        """As a suite's ``[workload]`` says, else from the files beside the model; ``None``: it is no model of texts.

        ``alphabet`` and ``labels`` replace what is found.

        Raises:
            WorkloadError: the alphabet cannot be used.
        """
        if section is not None:
            if section.task is not Task.TEXT_CLASSIFICATION and alphabet is None:
                return None
            if labels is None and section.labels is not None:
                labels = base / section.labels
            if alphabet is None:
                assert section.text is not None
                return cls(text_encoding(section.text, base), labels, section.background_class)
            return cls(read_text_encoding(alphabet), labels, section.background_class)
        beside = model.parent / ALPHABET_NAME
        if alphabet is None and not beside.is_file():
            return None
        if labels is None and (model.parent / LABELS_NAME).is_file():
            labels = model.parent / LABELS_NAME
        return cls(read_text_encoding(alphabet or beside), labels, background_class)


def label_texts(
    model: Path, texts: Sequence[str], preparation: TextPreparation, cache: Path, *, top: int, io: ModelIO
) -> Suggestions:
    """The ``top`` labels of each text.

    Raises:
        ModelError, WorkloadError: the model, the labels or the texts cannot be used, or do not fit together.
    """
    source = open_source(model)
    labels = preparation.labels
    with shard_pool(TargetSettings(cache=cache)) as pool:
        return suggest(
            source.path,
            source.format.value,
            texts,
            preparation.encoding,
            read_labels(labels, preparation.background_class) if labels is not None else None,
            BlobStore(cache),
            top=top,
            io=io,
            pool=pool,
        )
