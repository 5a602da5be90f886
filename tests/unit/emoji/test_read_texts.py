"""Lines out of files, good and bad."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from harness.emoji.clean_text import Skip
from harness.emoji.read_texts import LONGEST_LINE_BYTES, read_texts
from harness.errors import InputError


def _read(path: Path, content: bytes) -> list[str | Skip]:
    path.write_bytes(content)
    return list(read_texts([path]))


def test_lines_of_text(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfone\r\n\ntwo \xf0\x9f\x98\x80\nbad \xff\xfe\nlast"
    assert _read(tmp_path / "a.txt", content) == ["one", "", "two 😀", Skip.NOT_UTF8, "last"]
    assert _read(tmp_path / "a.txt", gzip.compress(content))[2] == "two 😀"
    assert _read(tmp_path / "a.txt", b"") == []


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        '{"text": "one \\ud83d\\ude00", "id": 1}',
        '{"text": "half \\ud83d"}',
        '{"id": 2}',
        '{"text": 3}',
        '{"text": "cut',
        "[" * 100_000,
        '"text"',
    ]
    found = _read(tmp_path / "a.jsonl", "\n".join(lines).encode())
    assert found == ["one 😀", "half \ud83d", *[Skip.NO_JSON_TEXT] * 5]
    (tmp_path / "b").write_text('\n{"body": "x"}\n')
    assert list(read_texts([tmp_path / "b"], json_key="body")) == ["", "x"]


def test_a_line_without_end_is_not_kept_in_memory(tmp_path: Path) -> None:
    content = b"a\n" + b"x" * (3 * LONGEST_LINE_BYTES) + b"\nb\n"
    assert _read(tmp_path / "a.txt", content) == ["a", Skip.LONG_LINE, "b"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("text".encode("utf-16"), "written in UTF-16"),
        ("text".encode("utf-16-be").join([b"\xfe\xff", b""]), "written in UTF-16"),
        (gzip.compress(b"text\n" * 100, mtime=0)[:-9], "damaged gzip"),
    ],
)
def test_another_encoding_is_an_error(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        _read(tmp_path / "a.txt", content)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_texts([tmp_path / "none"]))


def test_progress_adds_up_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"line\n" * 10_000)
    read: list[int] = []
    assert len(list(read_texts([path], on_read=read.append))) == 10_000
    assert sum(read) == 50_000
