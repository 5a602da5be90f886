"""Class texts and true classes: the labels file and the truth file."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from harness.core.workload import Workload
from harness.errors import WorkloadError

BACKGROUND_LABEL: Final = "background"


def read_labels(path: Path, background_class: bool = False) -> tuple[str, ...]:
    """The text of each of the model's classes.

    Args:
        path: UTF-8, one label a line, blank only at the end.
        background_class: the model has one more class in front, "none of these", which gets a label here.

    Raises:
        WorkloadError: missing, not UTF-8, empty, or with a blank line between labels.
    """
    # Not splitlines(): it also splits at characters that may be part of a label (U+2028, form feed).
    lines = [line.strip() for line in _read_text(path, "labels").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise WorkloadError(
            "the labels file is empty",
            where=str(path),
            next_step="Write one label a line, in the model's order.",
        )
    for number, line in enumerate(lines, 1):
        if not line:
            raise WorkloadError(
                "a blank line stands between labels",
                where=f"{path}:{number}",
                next_step="Every line is one class: give it a text or remove it.",
            )
    return (BACKGROUND_LABEL, *lines) if background_class else tuple(lines)


def read_truth(
    path: Path,
    files: Mapping[str, Path],
    labels: Sequence[str] | None,
    background_class: bool = False,
) -> dict[str, int]:
    """The true class of each named input, as the model counts classes.

    Args:
        path: UTF-8 CSV with the header ``file,label``. ``file`` is an input's name, its path from the
            CSV's folder, or its bare file name where only one input has it. ``label`` is a label's text,
            or where no label reads so, the line of the labels file counted from 0.
        files: name of each input, and where it is.
        labels: as ``read_labels`` returns them.

    Raises:
        WorkloadError: with the line: an unknown file, an unknown or ambiguous label, a file twice.
    """
    text = _read_text(path, "truth")
    by_key = _keys(files, path.parent)
    classes = _LabelIndex(labels, background_class)
    truth: dict[str, int] = {}
    line_of: dict[str, int] = {}
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None)
        if header is None or [column.strip() for column in header] != ["file", "label"]:
            raise WorkloadError(
                "the header is not file,label",
                where=f"{path}:1",
                next_step="Make the first line: file,label (a label with a comma goes in double quotes).",
            )
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if not row:
                continue
            if len(row) != 2:
                raise WorkloadError(
                    f"the line has {len(row)} columns instead of 2",
                    where=where,
                    next_step="Write file,label; a text with a comma goes in double quotes.",
                )
            name = _input_name(row[0].strip(), by_key, where)
            if name in truth:
                raise WorkloadError(
                    f"{name} has its label on line {line_of[name]} already",
                    where=where,
                    next_step="Keep one line for each file.",
                )
            truth[name] = classes.find(row[1].strip(), where)
            line_of[name] = reader.line_num
    except csv.Error as error:
        raise WorkloadError(
            f"not a CSV file: {error}", where=f"{path}:{reader.line_num}", next_step="Write it as UTF-8 CSV."
        ) from error
    if not truth:
        raise WorkloadError(
            "the truth file names no input",
            where=str(path),
            next_step="Add a line file,label for each photo.",
        )
    return truth


def check_labels(workload: Workload, classes: int) -> None:
    """Whether labels and truth fit a model of ``classes`` outputs.

    Raises:
        WorkloadError: another number of labels, or a true class that the model does not have.
    """
    check_label_count(workload.labels, classes)
    for item in workload.inputs:
        if item.truth is not None and item.truth >= classes:
            raise WorkloadError(
                f"true class {item.truth} for a model of {classes} outputs (0 to {classes - 1})",
                where=item.name,
                next_step="Check the truth file and background_class.",
            )


def check_label_count(labels: Sequence[str] | None, classes: int) -> None:
    """Whether there is one of ``labels``, where there are any, for each of ``classes`` outputs.

    Raises:
        WorkloadError: another number of labels.
    """
    if labels is not None and len(labels) != classes:
        count = len(labels)
        next_step = "Use the labels file that belongs to the model: one line for each output."
        if count == classes - 1:
            next_step = (
                "If class 0 of the model is a background class, set background_class = true. " + next_step
            )
        elif count == classes + 1:
            next_step = (
                "If the first label is a background class that the model lacks, remove it from the labels "
                "file, or background_class = true from the suite. " + next_step
            )
        raise WorkloadError(f"{count} labels for {classes} outputs", where="labels", next_step=next_step)


class _LabelIndex:
    """From what a truth file says to the model's class."""

    def __init__(self, labels: Sequence[str] | None, background_class: bool) -> None:
        self._labels = labels
        self._shift = int(background_class)
        self._classes_of: dict[str, list[int]] = {}
        for index, label in enumerate(labels or ()):
            self._classes_of.setdefault(label, []).append(index)

    def find(self, text: str, where: str) -> int:
        classes = self._classes_of.get(text, [])
        if len(classes) == 1:
            return classes[0]
        if classes:
            numbers = ", ".join(str(index - self._shift) for index in classes)
            raise WorkloadError(
                f"the label {text!r} stands for several classes",
                where=where,
                next_step=f"Give its line in the labels file instead, counted from 0: {numbers}.",
            )
        if not (text.isascii() and text.isdigit()) or len(text) > 9:
            raise self._unknown(text, where)
        index = int(text) + self._shift
        if index < 0 or (self._labels is not None and index >= len(self._labels)):
            raise self._unknown(text, where)
        return index

    def _unknown(self, text: str, where: str) -> WorkloadError:
        if self._labels is None:
            return WorkloadError(
                f"{text!r} is not the number of a class",
                where=where,
                next_step="Give a labels file, or class numbers counted from 0.",
            )
        near = difflib.get_close_matches(text, self._classes_of, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        return WorkloadError(
            f"no label reads {text!r}",
            where=where,
            next_step=hint + "Use a text of the labels file, or its line counted from 0.",
        )


def _keys(files: Mapping[str, Path], folder: Path) -> dict[str, set[str]]:
    """What may stand in the ``file`` column, and the inputs it may mean."""
    keys: dict[str, set[str]] = {}
    base = folder.absolute()
    for name, path in files.items():
        spellings = {name, path.name, str(path)}
        if path.is_relative_to(base):
            spellings.add(path.relative_to(base).as_posix())
        for spelling in spellings:
            keys.setdefault(spelling, set()).add(name)
    return keys


def _input_name(given: str, by_key: Mapping[str, set[str]], where: str) -> str:
    names = by_key.get(given.removeprefix("./"), set())
    if given in names:
        return given
    if len(names) == 1:
        return next(iter(names))
    if names:
        raise WorkloadError(
            f"{given!r} may be {' or '.join(sorted(names)[:3])}",
            where=where,
            next_step="Write the path from this file's folder.",
        )
    near = difflib.get_close_matches(given, by_key, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise WorkloadError(
        f"{given!r} is not among the inputs",
        where=where,
        next_step=hint + "Remove the line or add the photo to the inputs.",
    )


def _read_text(path: Path, what: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise WorkloadError(
            f"the {what} file cannot be read: {error.strerror or error}",
            where=str(path),
            next_step="Check the path in the suite.",
        ) from error
    except UnicodeDecodeError as error:
        raise WorkloadError(
            f"the {what} file is not UTF-8 (byte {error.start})",
            where=str(path),
            next_step="Save it as UTF-8 text.",
        ) from error
