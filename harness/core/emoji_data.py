"""What was made of texts with emoji: the settings of the preparation, and the count of every line."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from harness.core.jobs import Count, Sha256
from harness.core.value import Value


class Part(StrEnum):
    """What a text is for; no text is in two of them."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"

    @property
    def file_name(self) -> str:
        return f"{self.value}.jsonl"


class PreparationSettings(Value):
    """What ``harness emoji prepare`` was asked for."""

    most_labels: Annotated[int, Field(ge=2, le=4096)] = 100
    fixed_labels: bool = False
    several: Literal["first", "skip"] = "first"
    keep_skin_tones: bool = False
    validation_share: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    test_share: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    most_characters: Annotated[int, Field(ge=1, le=60_000)] = 100
    length: Annotated[int, Field(ge=1, le=4096)] = 120


class LabelCount(Value):
    """How many texts of each part have this label."""

    label: str
    train: Count
    validation: Count
    test: Count


class Preparation(Value):
    """What became of every line that was read.

    ``lines`` is the sum of ``kept`` and of all ``skipped``. ``cut`` texts are longer than the model's input: the
    model sees their start.
    """

    version: Literal[1] = 1
    settings: PreparationSettings
    lines: Count
    kept: Count
    skipped: dict[str, Count]
    cut: Count
    unknown_characters: Count
    characters: Count
    labels: tuple[LabelCount, ...]
    sha256: dict[str, Sha256]

    def count(self, part: Part) -> int:
        return sum(getattr(label, part.value) for label in self.labels)

    @property
    def largest_share(self) -> float:
        """The share of the most frequent label in the test part: what always answering it would score."""
        counts = [label.test for label in self.labels]
        return max(counts) / sum(counts) if sum(counts) else 0.0
