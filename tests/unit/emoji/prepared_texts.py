"""Texts to prepare, as lists of lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.core.emoji_data import Part, Preparation, PreparationSettings
from harness.emoji.dataset import read_dataset
from harness.emoji.prepare import prepare
from harness.emoji.read_texts import read_texts

WORDS = ("sun", "rain", "cake", "train", "music", "cat")
EMOJI = ("☀️", "☔", "🎂", "🚆", "🎵", "🐱")


def some_texts(count: int = 300) -> list[str]:
    """Each word with its emoji, in ``count`` different texts."""
    return [f"{WORDS[number % 6]} number {number} {EMOJI[number % 6]}" for number in range(count)]


def written(folder: Path, lines: Iterable[str]) -> Path:
    path = folder / "texts.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def prepared(
    folder: Path,
    lines: Iterable[str],
    settings: PreparationSettings | None = None,
    labels: Path | None = None,
) -> Preparation:
    """``lines`` prepared into ``folder / "data"``."""
    path = written(folder, lines)
    return prepare(read_texts([path]), folder / "data", settings or PreparationSettings(), labels_file=labels)


def contents(folder: Path) -> dict[Part, list[tuple[str, str]]]:
    """Part to its texts and labels in ``folder / "data"``."""
    dataset = read_dataset(folder / "data")
    return {
        part: [(example.text, dataset.labels[example.label]) for example in dataset.examples(part)]
        for part in Part
    }


def examples(folder: Path) -> list[tuple[str, str]]:
    """``contents`` of all parts."""
    return [example for part in contents(folder).values() for example in part]
