"""The rule by which host and phone turn characters into numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.core.text_encoding import TextEncoding, encode_texts, lowered

_LATIN = TextEncoding(alphabet=" abcé", length=6)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("abc", [3, 4, 5, 0, 0, 0]),
        ("ÉA b", [6, 3, 2, 4, 0, 0]),
        ("aaaaaabbb", [3, 3, 3, 3, 3, 3]),
        ("", [0, 0, 0, 0, 0, 0]),
        # A right-to-left letter, a zero-width joiner, half a surrogate pair, an emoji: one code point each.
        ("a\u05d0\u200d\ud83d😀b", [3, 1, 1, 1, 1, 4]),
    ],
)
def test_each_character_is_its_place_in_the_alphabet(text: str, numbers: list[int]) -> None:
    encoded = encode_texts([text], _LATIN)
    assert encoded.dtype == np.int32
    assert encoded.tolist() == [numbers]


def test_case_is_kept_where_the_model_knows_it() -> None:
    encoding = TextEncoding(alphabet="aA", lowercase=False, length=2)
    assert encode_texts(["aA"], encoding).tolist() == [[2, 3]]


def test_no_texts_are_no_rows() -> None:
    assert encode_texts([], _LATIN).shape == (0, 6)


@pytest.mark.parametrize(
    ("text", "low"), [("İX", "İx"), ("\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c3"), ("ǅ", "ǆ"), ("ẞ", "ß")]
)
def test_lower_case_keeps_the_length_and_looks_at_one_character(text: str, low: str) -> None:
    assert lowered(text) == low


@given(st.text(max_size=40))
def test_lowering_a_text_is_lowering_its_characters(text: str) -> None:
    assert lowered(text) == "".join(lowered(character) for character in text)


@given(st.text(st.sampled_from(" abcéABCÉxİ"), max_size=9))
def test_what_was_encoded_can_be_read_back(text: str) -> None:
    known = {"\0": 0, "?": 1} | {character: place + 2 for place, character in enumerate(_LATIN.alphabet)}
    characters = {number: character for character, number in known.items()}
    read = "".join(characters[number] for number in encode_texts([text], _LATIN)[0].tolist())
    expected = "".join(character if character in known else "?" for character in lowered(text)[:6])
    assert read == expected.ljust(6, "\0")


@pytest.mark.parametrize("alphabet", ["", "aba", "a\ud800"])
def test_an_alphabet_that_cannot_be_one_is_refused(alphabet: str) -> None:
    with pytest.raises(ValidationError):
        TextEncoding(alphabet=alphabet)


def test_the_numbers_of_unknown_and_padding_are_fixed() -> None:
    with pytest.raises(ValidationError):
        TextEncoding(alphabet="a", unknown=0)
    assert TextEncoding(alphabet="ab").vocabulary_size == 4
