"""Which log goes on: the host's or the phone's."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.targets.iphone.adoption import (
    COMPARED_BYTES,
    Adoption,
    adopt,
    complete_records,
    overlap_to_compare,
)

_RECORDS = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=8)


def decided(ours: bytes, theirs: bytes | None) -> Adoption:
    start, end = overlap_to_compare(len(ours), len(theirs or b""))
    equal = (theirs or b"")[start:end] == ours[start:end]
    return adopt(len(ours), None if theirs is None else len(theirs), overlap_is_equal=equal)


@settings(max_examples=200, deadline=None)
@given(_RECORDS, _RECORDS)
def test_a_log_that_goes_on_is_fetched(known: list[bytes], more: list[bytes]) -> None:
    ours, theirs = b"".join(known), b"".join(known + more)
    assert decided(ours, theirs) is (Adoption.FRESH if not theirs else Adoption.PULL)


@settings(max_examples=200, deadline=None)
@given(_RECORDS.filter(bool), _RECORDS.filter(bool))
def test_what_the_phone_lost_is_sent_again(known: list[bytes], lost: list[bytes]) -> None:
    ours = b"".join(known + lost)
    assert decided(ours, b"".join(known)) is Adoption.PUSH
    assert decided(ours, None) is Adoption.PUSH


def test_a_log_of_other_bytes_does_not_count() -> None:
    assert decided(b"a\nb\n", b"a\nX\nc\n") is Adoption.PUSH
    assert decided(b"", None) is Adoption.FRESH
    assert decided(b"", b"a\n") is Adoption.PULL


def test_only_the_end_of_long_logs_is_compared() -> None:
    assert overlap_to_compare(10 * COMPARED_BYTES, 9 * COMPARED_BYTES) == (
        8 * COMPARED_BYTES,
        9 * COMPARED_BYTES,
    )


def test_a_line_that_was_cut_off_is_no_record() -> None:
    assert complete_records(b'{"a":1}\n{"b"') == b'{"a":1}\n'
    assert complete_records(b'{"b"') == b""
    assert complete_records(b"") == b""
