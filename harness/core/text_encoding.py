"""How a short text becomes a model's input: one number for each of its first characters.

A character is a Unicode code point. Its number is its place in the alphabet + 2; ``UNKNOWN`` stands for one that the
alphabet lacks, ``PADDING`` fills the end of a short text, and what is beyond the length is cut off. Character
embeddings of a keyboard's model are tens of kilobytes, where word embeddings are tens of megabytes.

The phone encodes what is typed by the same rule, so the rule needs no more of Unicode than a table that every platform
has: with ``lowercase``, a character is replaced by its lower case where that is one character (``İ``, whose lower case
is two, stays as it is), each by itself and in no language's special way. Texts are not normalized.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from harness.core.value import Value

PADDING: Final = 0
UNKNOWN: Final = 1
FIRST_CHARACTER: Final = 2

LONGEST_ALPHABET: Final = 65_536
DEFAULT_LENGTH: Final = 120


def _distinct(alphabet: str) -> str:
    if len(set(alphabet)) != len(alphabet):
        twice = next(character for character in alphabet if alphabet.count(character) > 1)
        raise ValueError(f"the alphabet holds {twice!r} twice")
    if any("\ud800" <= character <= "\udfff" for character in alphabet):
        raise ValueError("the alphabet holds half of a surrogate pair, which is no character")
    return alphabet


Alphabet = Annotated[str, Field(min_length=1, max_length=LONGEST_ALPHABET), AfterValidator(_distinct)]

TextLength = Annotated[int, Field(ge=1, le=4096, description="characters of a text that reach the model")]


class TextEncoding(Value):
    """The rule that a model was trained with; ``alphabet.json`` holds it beside the model.

    ``unknown`` and ``padding`` are always 1 and 0: they are written so that the file explains itself.
    """

    alphabet: Alphabet
    lowercase: bool = True
    length: TextLength = DEFAULT_LENGTH
    unknown: Annotated[int, Field(ge=UNKNOWN, le=UNKNOWN)] = UNKNOWN
    padding: Annotated[int, Field(ge=PADDING, le=PADDING)] = PADDING

    @property
    def vocabulary_size(self) -> int:
        """How many different numbers there are: the alphabet, ``unknown`` and ``padding``."""
        return len(self.alphabet) + FIRST_CHARACTER


def encode_texts(texts: Sequence[str], encoding: TextEncoding) -> NDArray[np.int32]:
    """``[len(texts), encoding.length]``: each text's characters as numbers, padded on the right."""
    numbers = {character: place + FIRST_CHARACTER for place, character in enumerate(encoding.alphabet)}
    encoded = np.full((len(texts), encoding.length), PADDING, np.int32)
    for row, text in zip(encoded, texts, strict=True):
        start = text[: encoding.length]
        row[: len(start)] = [numbers.get(character, UNKNOWN) for character in _cased(start, encoding)]
    return encoded


def lowered(text: str) -> str:
    """``text`` with each character in lower case where that is one character: the length stays."""
    # The quick way wherever it is the same; only a full mapping such as that of İ changes the length, and only a
    # final Σ depends on what stands around it.
    if "Σ" not in text and len(whole := text.lower()) == len(text):
        return whole
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def _cased(text: str, encoding: TextEncoding) -> str:
    return lowered(text) if encoding.lowercase else text
