"""What is left of a text once its emoji has become the label."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emoji.clean_text import LONGEST_TEXT, Candidate, Skip, candidate, clean
from harness.emoji.find_emoji import find_emoji


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("RT @someone: look at https://t.co/Ab1?x=%20 now", ": look at now"),
        ("@a_b hi, mail me@home.org", "hi, mail me@home.org"),
        ("www.example.org/path is down", "is down"),
        ("Sooooo goooood!!!!!!", "Soo good!!"),
        ("  a\tb\u00a0c\u2003d\r ", "a b c d"),
        ("zero\u200bwidth\u2060 \u202eright\u202c\ufeff", "zerowidth right"),
        ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
        ("cafe\u0301", "café"),
        ("2000 a -------- b", "2000 a -- b"),
    ],
)
def test_a_text_is_cleaned(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Skip.EMPTY),
        (" \t\u00a0", Skip.EMPTY),
        ("half \ud83d of a pair", Skip.LONE_SURROGATE),
        ("a" * LONGEST_TEXT + "😀", Skip.TOO_LONG),
        ("only words", Skip.NO_EMOJI),
        ("😀 https://t.co/a @b \u200b", Skip.NOTHING_ELSE),
    ],
)
def test_a_text_to_leave_out_says_why(text: str, reason: Skip) -> None:
    assert candidate(text) is reason


def test_the_emoji_leave_the_text_and_are_its_labels_in_order() -> None:
    found = candidate("hi 😀there 👍🏽👍 &lt;3 ❤")
    assert found == Candidate("hi there <3", ("😀", "👍", "❤️"))
    assert candidate("a" * (LONGEST_TEXT - 1) + "😀") == Candidate("aa", ("😀",))


def test_a_text_with_different_emoji_can_be_left_out() -> None:
    assert candidate("a 😀👍", only_one_emoji=True) is Skip.SEVERAL_EMOJI
    assert candidate("a 😀😀", only_one_emoji=True) == Candidate("a", ("😀",))


_ODD = st.sampled_from("a bé@#/:.😀👍🏽❤️\u200d\u202e\u200b\ud83d\t\u05d0&;www.https://RT")


@given(st.text(_ODD | st.characters(), max_size=60))
def test_what_is_kept_is_one_clean_line_without_emoji(text: str) -> None:
    found = candidate(text)
    if isinstance(found, Skip):
        return
    assert found.labels and found.text == " ".join(found.text.split())
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs"} for character in found.text)
    assert not [place for place in find_emoji(found.text) if place.label in found.labels]
    assert found.text.isprintable() and "\t" not in found.text
