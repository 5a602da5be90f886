from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ModelError
from harness.models.protobuf_wire import Field, ProtobufError, count_field, fields, mapped, text

# 1: varint 150; 2: "testing"; 3: fixed32; 4: fixed64 (the examples of protobuf's own documentation, and two more).
MESSAGE = b"\x08\x96\x01" + b"\x12\x07testing" + b"\x1d\x01\0\0\0" + b"\x21" + bytes(8)


def test_every_kind_of_field() -> None:
    found = list(fields(MESSAGE))
    assert found[0] == Field(1, 0, 1, 3, 150)
    assert text(MESSAGE, found[1]) == "testing"
    assert [(field.number, field.end - field.start) for field in found[2:]] == [(3, 4), (4, 8)]


@pytest.mark.parametrize("kept", [1, 2, 4, 11, 13, 16, 20])
def test_a_message_that_was_cut_off(kept: int) -> None:
    with pytest.raises(ProtobufError):
        list(fields(MESSAGE[:kept]))


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (b"\x00", "begins no field"),
        (b"\x0b", "the unknown type 3"),
        (b"\x08" + b"\xff" * 11, "too long"),
        (b"\x0a\xff\xff\xff\xff\x7f", "the message ends at 6"),
    ],
)
def test_what_is_no_message(message: bytes, problem: str) -> None:
    with pytest.raises(ProtobufError, match=problem):
        list(fields(message))


def test_a_text_that_is_not_utf_8() -> None:
    message = b"\x0a\x01\xff"
    with pytest.raises(ProtobufError, match="not UTF-8"):
        text(message, next(fields(message)))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_to_their_end_or_refused(message: bytes) -> None:
    try:
        found = list(fields(message))
    except ProtobufError:
        return
    assert (found[-1].end if found else 0) == len(message)


def test_fields_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(MESSAGE + b"\x12\x00")
    assert count_field(path, 2) == 2
    path.write_bytes(b"")
    assert count_field(path, 2) == 0


def test_a_file_larger_than_a_protobuf(tmp_path: Path) -> None:
    path = tmp_path / "huge.pb"
    with path.open("wb") as out:
        out.truncate(2**31)
    with pytest.raises(ModelError, match="at most 2 GiB"), mapped(path):
        pass
