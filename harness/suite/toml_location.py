"""The line of a key in a TOML text: what ``tomllib`` does not tell, and an error message needs."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(rf"^\s*({_DOTTED})\s*=")


def line_of_key(text: str, keys: Sequence[str | int]) -> int:
    """The line (from 1) that defines the key at path ``keys``, or the nearest table or key above it in the path.

    Numbers in ``keys`` are indices into an array of tables (``[[policy.rules]]``) or into an array on the
    key's own line.
    """
    places = _places(text)
    wanted = tuple(keys)
    while wanted:
        if wanted in places:
            return places[wanted]
        wanted = wanted[:-1]
    return 1


def _places(text: str) -> dict[tuple[str | int, ...], int]:
    places: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _TABLE.match(line)
        if header:
            names = _split(header[2])
            table = names
            if header[1] == "[[":
                index = counts.get(names, 0)
                counts[names] = index + 1
                places.setdefault(names, number)
                table = (*names, index)
            places.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key:
            places.setdefault((*table, *_split(key[1])), number)
    return places


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
