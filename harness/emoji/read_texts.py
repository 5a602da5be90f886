"""Texts out of files, one a line, in flat memory however large the file: plain text, JSON lines, gzip of either."""

from __future__ import annotations

import codecs
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Final, cast

from harness.emoji.clean_text import Skip
from harness.errors import InputError

STANDARD_INPUT: Final = "-"
LONGEST_LINE_BYTES: Final = 1 << 20

_GZIP: Final = b"\x1f\x8b"
_OTHER_ENCODINGS: Final = {
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    codecs.BOM_UTF32_BE: "UTF-32",
}


def read_texts(
    paths: Sequence[Path], *, json_key: str = "text", on_read: Callable[[int], None] | None = None
) -> Iterator[str | Skip]:
    """Each line's text, or why it has none.

    A file whose first line that is not blank starts with ``{`` is read as JSON lines, with the text under
    ``json_key``; ``-`` is standard input. ``on_read`` is told how many bytes were read since the last time.

    Raises:
        InputError: a file is missing, in another encoding than UTF-8, or damaged gzip.
    """
    for path in paths:
        yield from _read_file(path, json_key, on_read or _silent)


def _silent(read_bytes: int) -> None:
    del read_bytes


def _read_file(path: Path, json_key: str, on_read: Callable[[int], None]) -> Iterator[str | Skip]:
    try:
        with _opened(path) as file, _unpacked(file) as lines:
            yield from _read_lines(path, lines, file, json_key, on_read)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"is damaged gzip: {error}", where=str(path), next_step="Fetch or write the file again."
        ) from error
    except FileNotFoundError as error:
        raise InputError(
            "there is no such file", where=str(path), next_step="Name files of texts, one text a line."
        ) from error


def _opened(path: Path) -> AbstractContextManager[IO[bytes]]:
    if str(path) == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    return path.open("rb")


def _unpacked(file: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    if _peek(file).startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    return nullcontext(file)


def _peek(file: IO[bytes]) -> bytes:
    peek = getattr(file, "peek", None)
    return bytes(peek(4)[:4]) if peek else b""


def _read_lines(
    path: Path, lines: IO[bytes], file: IO[bytes], json_key: str, on_read: Callable[[int], None]
) -> Iterator[str | Skip]:
    is_json: bool | None = None
    before = 0
    for number, line in enumerate(_lines_of(lines)):
        if number == 0:
            line = _without_mark(path, line)
        if number % 4096 == 0 and file.seekable():
            position = file.tell()
            on_read(position - before)
            before = position
        if len(line) > LONGEST_LINE_BYTES:
            yield Skip.LONG_LINE
            continue
        if is_json is None and line.strip():
            is_json = line.lstrip().startswith(b"{")
        yield _text_of(line, json_key, is_json=bool(is_json))
    if file.seekable():
        on_read(file.tell() - before)


def _lines_of(lines: IO[bytes]) -> Iterator[bytes]:
    """Lines without their ends; of one that is longer than ``LONGEST_LINE_BYTES``, its start and no more."""
    while line := lines.readline(LONGEST_LINE_BYTES + 2):
        rest = line
        while not rest.endswith(b"\n") and (rest := lines.readline(LONGEST_LINE_BYTES)):
            pass
        yield line.rstrip(b"\r\n")


def _without_mark(path: Path, line: bytes) -> bytes:
    for mark, name in _OTHER_ENCODINGS.items():
        if line.startswith(mark):
            raise InputError(
                f"is written in {name}",
                where=str(path),
                next_step=f"Convert it: iconv -f {name} -t UTF-8 {path.name} > texts.txt",
            )
    return line.removeprefix(codecs.BOM_UTF8)


def _text_of(line: bytes, json_key: str, *, is_json: bool) -> str | Skip:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return Skip.NOT_UTF8
    if not is_json or not text.strip():
        return text
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return Skip.NO_JSON_TEXT
    value = entry.get(json_key) if isinstance(entry, dict) else None
    return value if isinstance(value, str) else Skip.NO_JSON_TEXT
