"""Texts and their labels from files, line by line; what cannot be used is counted, by file and reason."""

from __future__ import annotations

import glob
import json
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from harness.core.runs import SkippedInput
from harness.core.text_encoding import TextEncoding
from harness.errors import WorkloadError

LONGEST_LINE_BYTES: Final = 64 * 1024
LARGEST_ALPHABET_FILE_BYTES: Final = 1024 * 1024

_SUFFIXES: Final = (".jsonl", ".txt")
_SHOWN_LINES: Final = 3
# Format characters are a zero-width space, a direction mark and the like: a text of only these shows nothing.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


class LabelledText(NamedTuple):
    """A text, its true class where it is known, and where it stands."""

    text: str
    truth: int | None
    file: str
    line: int


class UnusableTextError(Exception):
    """Why a text cannot be an input, as what follows on "3 texts" in a report."""


def read_text_encoding(path: Path) -> TextEncoding:
    """The rule by which a model's texts are encoded, from the file that its training wrote.

    Raises:
        WorkloadError: it cannot be read or is not such a file.
    """
    next_step = "Name the alphabet.json that was written when the model was trained; docs/suite.md shows one."
    try:
        if path.stat().st_size > LARGEST_ALPHABET_FILE_BYTES:
            raise WorkloadError("is too large for an alphabet", where=str(path), next_step=next_step)
        return TextEncoding.model_validate_json(path.read_bytes())
    except OSError as error:
        raise WorkloadError(
            f"the alphabet cannot be read: {error.strerror or error}", where=str(path), next_step=next_step
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise WorkloadError(
            f"does not say how texts are encoded: {f'{key}: ' if key else ''}{first['msg']}",
            where=str(path),
            next_step=next_step,
        ) from error


def check_text(text: str) -> str:
    """``text``, which can be an input.

    Raises:
        UnusableTextError: it shows nothing, or has half of a surrogate pair, which is no character.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UnusableTextError("have half of a surrogate pair")
    if all(unicodedata.category(character) in _INVISIBLE for character in text):
        raise UnusableTextError("are empty or show nothing")
    return text


class TextReader:
    """Reads texts and remembers what it left out."""

    def __init__(self, labels: Sequence[str] | None, background_class: bool = False) -> None:
        self._labels = labels
        self._classes: Mapping[str, int] = {label: index for index, label in enumerate(labels or ())}
        self._shift = int(background_class)
        self._left_out: dict[tuple[str, str], list[int]] = {}

    def read(self, given: str) -> Iterator[LabelledText]:
        """The texts of a file, a folder's files or a glob's, in the order of their paths.

        Raises:
            WorkloadError: there is no such file, or one that cannot be read.
        """
        for path in find_text_files(given):
            parse = self._from_json if path.suffix.lower() == ".jsonl" else _from_line
            for number, line in enumerate(_lines(path), 1):
                if not line.strip():
                    continue
                try:
                    text, truth = parse(line)
                    yield LabelledText(check_text(text), truth, str(path), number)
                except UnusableTextError as error:
                    self.skip(str(path), number, str(error))

    def skip(self, file: str, line: int, reason: str) -> None:
        """Count the text of that line as left out. ``reason`` follows on "12 texts"."""
        self._left_out.setdefault((file, reason), []).append(line)

    def skipped(self) -> tuple[SkippedInput, ...]:
        """All that was left out so far, an entry for each file and reason."""
        return tuple(
            SkippedInput(
                file=file, reason=f"{reason} (line{'s' * (len(lines) > 1)} {_shown(lines)})", count=len(lines)
            )
            for (file, reason), lines in self._left_out.items()
        )

    def _from_json(self, line: bytes) -> tuple[str, int | None]:
        try:
            entry = json.loads(_decoded(line))
        except (ValueError, RecursionError):
            raise UnusableTextError("are no JSON") from None
        if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
            raise UnusableTextError('have no "text"')
        return entry["text"], self._class(entry.get("label"))

    def _class(self, label: Any) -> int | None:
        """The true class: of a label's text, or counted from 0 in the order of the labels file."""
        if label is None:
            return None
        if isinstance(label, str) and label in self._classes:
            return self._classes[label]
        if isinstance(label, int) and not isinstance(label, bool) and label >= 0:
            index = label + self._shift
            if self._labels is None or index < len(self._labels):
                return index
        raise UnusableTextError(
            "have a label that is none of the model's"
            if self._labels
            else "have a label, and there is no labels file"
        )


def find_text_files(given: str) -> tuple[Path, ...]:
    """Absolute paths, sorted: an existing file of any suffix, or ``.jsonl`` and ``.txt`` of a folder or a glob.

    Raises:
        WorkloadError: nothing is there.
    """
    path = Path(os.path.abspath(given))  # noqa: PTH100
    if path.is_file():
        return (path,)
    if path.is_dir():
        found = [file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES and file.is_file()]
        found = [
            file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts)
        ]
    else:
        found = [Path(match) for match in glob.glob(str(path), recursive=True) if Path(match).is_file()]  # noqa: PTH207
    if not found:
        raise WorkloadError(
            "holds no texts" if path.is_dir() else "no such file or folder",
            where=given,
            next_step=f"Name a file of texts ({', '.join(_SUFFIXES)}), a folder or a glob; it counts from the suite's "
            "folder.",
        )
    return tuple(sorted(found))


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file without their ends; of a line that is too long only its start."""
    try:
        with path.open("rb") as stream:
            while line := stream.readline(LONGEST_LINE_BYTES + 1):
                rest = line
                while not rest.endswith(b"\n") and (rest := stream.readline(LONGEST_LINE_BYTES)):
                    pass
                yield line.rstrip(b"\r\n")
    except OSError as error:
        raise WorkloadError(
            f"the texts cannot be read: {error.strerror or error}",
            where=str(path),
            next_step="Check the path and its permissions.",
        ) from error


def _decoded(line: bytes) -> str:
    if len(line) > LONGEST_LINE_BYTES:
        raise UnusableTextError(f"are longer than {LONGEST_LINE_BYTES // 1024} KiB")
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableTextError("are not UTF-8") from None


def _from_line(line: bytes) -> tuple[str, int | None]:
    return _decoded(line), None


def _shown(lines: Sequence[int]) -> str:
    more = "…" if len(lines) > _SHOWN_LINES else ""
    return f"{', '.join(map(str, lines[:_SHOWN_LINES]))}{', ' + more if more else ''}"
