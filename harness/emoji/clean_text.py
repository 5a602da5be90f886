"""One text as people write it to what a keyboard sees before an emoji is chosen: pure functions."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from harness.emoji.find_emoji import find_emoji

LONGEST_TEXT: Final = 144
"""Characters of a text with its emoji, links and mentions; longer ones are no short texts."""

_LINK: Final = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_MENTION: Final = re.compile(r"(?<![\w@])@\w+")
_RETWEET: Final = re.compile(r"^\s*RT\b\s*(?=@)")
_REPEAT: Final = re.compile(r"(\D)\1{2,}")
_FORMAT_CATEGORIES: Final = frozenset({"Cc", "Cf", "Co", "Cn"})
_STYLE_SELECTORS: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))


class Skip(StrEnum):
    """Why a text is left out of the data; the values are what the report shows."""

    EMPTY = "empty line"
    NOT_UTF8 = "not UTF-8"
    NO_JSON_TEXT = "no text in the JSON line"
    LONE_SURROGATE = "half of a surrogate pair"
    LONG_LINE = "line too long to be a text"
    TOO_LONG = f"longer than {LONGEST_TEXT} characters"
    NO_EMOJI = "no emoji"
    SEVERAL_EMOJI = "several different emoji"
    NOTHING_ELSE = "nothing but emoji, links and mentions"
    DUPLICATE = "said before"
    OUTSIDE = "emoji outside the labels"


@dataclass(frozen=True)
class Candidate:
    """A cleaned text without its emoji, and the labels of these in order, each once."""

    text: str
    labels: tuple[str, ...]


def candidate(text: str, *, keep_skin_tones: bool = False, only_one_emoji: bool = False) -> Candidate | Skip:
    """``text`` without its emoji, links and mentions, or why it cannot be learnt from."""
    if not text.strip():
        return Skip.EMPTY
    try:
        text.encode()
    except UnicodeEncodeError:
        return Skip.LONE_SURROGATE
    text = html.unescape(text)
    if len(text) > LONGEST_TEXT:
        return Skip.TOO_LONG
    places = list(find_emoji(text, keep_skin_tones=keep_skin_tones))
    labels = tuple(dict.fromkeys(place.label for place in places))
    if not labels:
        return Skip.NO_EMOJI
    if only_one_emoji and len(labels) > 1:
        return Skip.SEVERAL_EMOJI
    for place in reversed(places):
        text = f"{text[: place.start]} {text[place.end :]}"
    cleaned = clean(text)
    return Candidate(cleaned, labels) if cleaned else Skip.NOTHING_ELSE


def clean(text: str) -> str:
    """``text`` in Unicode's composed form (NFC), without links, mentions and what is not seen.

    Characters said more than twice in a row, digits apart, are said twice (``sooooo`` is ``soo``); white space is one
    space.
    Zero-width characters, marks of direction and variation selectors go: what is left is in the order it was typed.
    """
    text = unicodedata.normalize("NFC", text)
    text = _MENTION.sub(" ", _LINK.sub(" ", _RETWEET.sub(" ", text)))
    if not text.isprintable() or not _STYLE_SELECTORS.isdisjoint(text):
        text = "".join(map(_visible, text))
    text = " ".join(text.split())
    return " ".join(_REPEAT.sub(r"\1\1", text).split())


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character) in _FORMAT_CATEGORIES or character in _STYLE_SELECTORS:
        return ""
    return character
