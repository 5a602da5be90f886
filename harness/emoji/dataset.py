"""A folder of prepared texts: what stands in it, and how it is read.

labels.txt        one emoji a line; the line is the class
alphabet.json     ``harness.core.text_encoding.TextEncoding``
train.jsonl       {"text": …, "label": an emoji of labels.txt} a line; also validation.jsonl and test.jsonl
preparation.json  ``harness.core.emoji_data.Preparation``: the settings, and what was counted and left out
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.core.emoji_data import Part, Preparation
from harness.core.text_encoding import TextEncoding
from harness.emoji.find_emoji import is_label
from harness.errors import InputError

LABELS: Final = "labels.txt"
ALPHABET: Final = "alphabet.json"
PREPARATION: Final = "preparation.json"
_AGAIN: Final = "Prepare the texts again: harness emoji prepare."


@dataclass(frozen=True)
class Example:
    """A text and its class, which is a line of ``labels.txt`` from 0."""

    text: str
    label: int


@dataclass(frozen=True)
class Dataset:
    """A folder that was read and found sound."""

    folder: Path
    labels: tuple[str, ...]
    encoding: TextEncoding
    preparation: Preparation

    def examples(self, part: Part) -> Iterator[Example]:
        """The examples of a part in the order of its file.

        Raises:
            InputError: a line is not what ``harness emoji prepare`` writes, or its label is not in ``labels.txt``.
        """
        numbers = {label: number for number, label in enumerate(self.labels)}
        path = self.folder / part.file_name
        with _opened(path).open("rb") as lines:
            for place, line in enumerate(lines, start=1):
                try:
                    entry = json.loads(line)
                    text, label = entry["text"], entry["label"]
                    if not isinstance(text, str):
                        raise TypeError
                except (ValueError, TypeError, KeyError, RecursionError):
                    raise InputError(
                        'is not {"text": …, "label": …}', where=f"{path}:{place}", next_step=_AGAIN
                    ) from None
                if label not in numbers:
                    raise InputError(
                        f"the label {label!r} is not in {LABELS}", where=f"{path}:{place}", next_step=_AGAIN
                    )
                yield Example(text, numbers[label])


def read_dataset(folder: Path) -> Dataset:
    """The prepared texts in ``folder``; their lines are read later.

    Raises:
        InputError: a file is missing or damaged.
    """
    try:
        preparation = Preparation.model_validate_json(_opened(folder / PREPARATION).read_bytes())
    except ValidationError as error:
        raise _damaged(folder / PREPARATION, error) from error
    return Dataset(folder, read_labels(folder / LABELS), read_encoding(folder / ALPHABET), preparation)


def read_encoding(path: Path) -> TextEncoding:
    """``alphabet.json``.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return TextEncoding.model_validate_json(_opened(path).read_bytes())
    except ValidationError as error:
        raise _damaged(path, error) from error


def read_labels(path: Path) -> tuple[str, ...]:
    """The emoji of ``labels.txt``, in the form of ``find_emoji.label_of``.

    Raises:
        InputError: it is missing, not UTF-8, has fewer than two lines, one twice, or one that is no emoji.
    """
    try:
        # As some editors write: with a mark in front, with two characters at a line's end.
        lines = _opened(path).read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8", where=str(path), next_step="Write it in UTF-8.") from error
    labels = tuple(line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines))
    if len(labels) < 2:
        raise InputError(
            f"has {len(labels)} labels, and there is nothing to choose between",
            where=str(path),
            next_step="Give at least two emoji, one a line.",
        )
    seen: set[str] = set()
    for place, label in enumerate(labels, start=1):
        if label in seen or not is_label(label):
            fault = "stands there twice" if label in seen else "is not one fully qualified emoji"
            raise InputError(
                f"{label!r} {fault}", where=f"{path}:{place}", next_step="Write each emoji once, one a line."
            )
        seen.add(label)
    return labels


def _opened(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"there is no {path.name}", where=str(path.parent), next_step=_AGAIN)
    return path


def _damaged(path: Path, error: ValidationError) -> InputError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return InputError(f"is damaged: {place}: {first['msg']}", where=str(path), next_step=_AGAIN)
