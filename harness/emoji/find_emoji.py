"""Where the emoji of a text stand, and which label each of them is.

What is an emoji is told by the ``emoji`` library, from the Unicode Consortium's tables (UTS #51): sequences, skin
tones, flags, keycaps and sequences joined by zero-width joiners are one emoji each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

_SKIN_TONES: Final = dict.fromkeys(range(0x1F3FB, 0x1F400))
_STYLE_SELECTORS: Final = {0xFE0E: None, 0xFE0F: None}
_KEYCAP: Final = "\u20e3"
# The digit, and a variation selector.
_BEFORE_KEYCAP: Final = 2
_EMOJI_STYLE: Final = "\ufe0f"
# Signs of print before they were emoji: they are taken as such only where the text asks for the emoji's form.
_PRINTED_SIGNS: Final = frozenset("©®™")


@dataclass(frozen=True)
class Place:
    """``text[start:end]`` is the emoji as it stands there; ``label`` names it."""

    start: int
    end: int
    label: str


def find_emoji(text: str, *, keep_skin_tones: bool = False) -> Iterator[Place]:
    """The emoji of ``text`` in order.

    A label is the fully qualified form, whether the text's has its variation selectors or not: one heart, not two.
    Skin tones are left out of it unless ``keep_skin_tones``.
    """
    starts = _first_characters()
    if starts.isdisjoint(text):
        return
    import emoji

    # The library looks at one character after another, and most texts have their emoji at the end.
    first = next(place for place, character in enumerate(text) if character in starts)
    begin = max(first - _BEFORE_KEYCAP, 0)
    for found in emoji.analyze(text[begin:], join_emoji=True):
        match = found.value
        if isinstance(match, emoji.EmojiMatch) and found.chars not in _PRINTED_SIGNS:
            label = label_of(found.chars, keep_skin_tones=keep_skin_tones)
            yield Place(begin + match.start, begin + match.end, label)


def label_of(sequence: str, *, keep_skin_tones: bool = False) -> str:
    """The one form of an emoji that stands for all the ways to write it."""
    bare = sequence.translate(_STYLE_SELECTORS)
    if not keep_skin_tones:
        # A skin tone alone is an emoji of its own.
        bare = bare.translate(_SKIN_TONES) or bare
    return _qualified_forms().get(bare, sequence)


def is_label(text: str) -> bool:
    """Whether ``text`` is one emoji as ``label_of`` writes it."""
    return _qualified_forms().get(text.translate(_STYLE_SELECTORS)) == text


@cache
def _qualified_forms() -> dict[str, str]:
    """From each emoji without variation selectors to its fully qualified form."""
    import emoji

    forms: dict[str, str] = {}
    for sequence in emoji.EMOJI_DATA:
        bare = sequence.translate(_STYLE_SELECTORS)
        # The fully qualified form is the one with the most selectors (UTS #51, ED-18a).
        if sequence.count(_EMOJI_STYLE) >= forms.get(bare, "").count(_EMOJI_STYLE):
            forms[bare] = sequence
    return forms


@cache
def _first_characters() -> frozenset[str]:
    """Every text with an emoji has one of these; a digit is the start of an emoji only before the keycap."""
    import emoji

    return frozenset({sequence[0] for sequence in emoji.EMOJI_DATA if not sequence[0].isascii()} | {_KEYCAP})
