"""Archives as Foundation writes them: read by the client's own reader, and refused where they are hostile."""

from __future__ import annotations

import contextlib
import datetime
import math
import plistlib
import uuid
from typing import Any

import pytest
from bpylist2 import archiver
from hypothesis import given, settings
from hypothesis import strategies as st
from pymobiledevice3.dtx import ns_types

from harness.virtual_iphone.instruments.keyed_archive import (
    ArchiveError,
    NSError,
    TapMessage,
    archive,
    unarchive,
)

_FIRST = plistlib.UID(1)
_SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
)
_VALUES = st.recursive(
    st.none() | _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(_VALUES)
def test_what_is_archived_is_what_both_readers_find(value: Any) -> None:
    data = archive(value)
    assert unarchive(data) == value
    ns_types.register_ns_keyed_classes()
    assert archiver.unarchive(data) == value


@settings(max_examples=60, deadline=None)
@given(_VALUES.filter(lambda value: "None" not in repr(value)))
def test_the_clients_archives_are_read(value: Any) -> None:
    assert unarchive(archiver.archive(value)) == value


def test_foundation_classes_survive() -> None:
    moment = datetime.datetime(2026, 11, 26, 12, 0, 0, 500_000, datetime.UTC)
    identifier = uuid.uuid4()
    error = NSError.described("SomeDomain", -7, "It failed", NSUnderlyingError=NSError("Below", 1))
    assert unarchive(archive([moment, identifier, error])) == [moment, identifier, error]


def test_a_tap_message_is_what_the_client_unwraps() -> None:
    ns_types.register_ns_keyed_classes()
    rows = [{"Processes": {7: [1, None, 2.5]}}]
    assert archiver.unarchive(archive(TapMessage("DTSysmonTapMessage", rows))) == rows


def _document(objects: list[Any], root: Any = _FIRST, **changes: Any) -> bytes:
    document = {
        "$version": 100_000,
        "$archiver": "NSKeyedArchiver",
        "$top": {"root": root},
        "$objects": ["$null", *objects],
    }
    return plistlib.dumps(document | changes, fmt=plistlib.FMT_BINARY)


def _class(name: str) -> dict[str, Any]:
    return {"$classname": name, "$classes": [name, "NSObject"]}


def _array(*members: int) -> dict[str, Any]:
    return {"NS.objects": [plistlib.UID(member) for member in members], "$class": plistlib.UID(2)}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a binary property list"),
        (b"bplist00", "not a binary property list"),
        (plistlib.dumps({"a": 1}), "not a binary property list"),
        (plistlib.dumps({"a": 1}, fmt=plistlib.FMT_BINARY), "not a keyed archive"),
        (_document(["x"], **{"$version": 1}), "archive version 1"),
        (_document(["x"], 3), "a reference is missing"),
        (_document([], plistlib.UID(9)), "object 9 of 1"),
        (_document([_array(1), _class("NSArray")]), "contains itself"),
        (_document([_array(3), _class("NSArray"), _array(1)]), "contains itself"),
        (_document([{"$class": plistlib.UID(2)}, _class("NSTask")]), "class NSTask has no place"),
        (_document([{"$class": plistlib.UID(9)}]), "without a class"),
        (_document([{"NS.objects": 3, "$class": plistlib.UID(2)}, _class("NSArray")]), "is no list"),
        (_document([["bare"]]), "a bare list"),
    ],
)
def test_a_hostile_archive_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ArchiveError, match=reason):
        unarchive(data)


def test_an_archive_of_shared_lists_stays_as_small_as_it_came() -> None:
    # Each list holds the next one ten times: written out it would be 10^40 members.
    levels = [_array(*[index + 3] * 10) for index in range(1, 40)]
    objects = [_array(3), _class("NSArray"), *levels, "end"]
    found = unarchive(_document(objects))
    depth = 0
    while isinstance(found, list):
        found, depth = found[0], depth + 1
    assert (found, depth) == ("end", 40)


def test_nesting_beyond_the_limit_is_refused() -> None:
    objects = [_array(3), _class("NSArray"), *[_array(index + 4) for index in range(100)], "end"]
    with pytest.raises(ArchiveError, match="nested deeper"):
        unarchive(_document(objects))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    whole = bytearray(archive({"environment": {"A": "b"}, "arguments": ["x", 1, 2.5, b"y"]}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with contextlib.suppress(ArchiveError):
        unarchive(cut)


def test_numbers_beyond_64_bits_are_refused() -> None:
    with pytest.raises(ArchiveError):
        archive(2**65)
    assert math.isnan(unarchive(archive(math.nan)))
