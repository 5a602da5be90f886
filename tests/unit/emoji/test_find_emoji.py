"""Emoji in texts, as people write them: styled, toned, joined, flagged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emoji.find_emoji import find_emoji, is_label, label_of

_FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
_ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


def _labels(text: str, **options: bool) -> list[str]:
    return [place.label for place in find_emoji(text, **options)]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("love \u2764 and \u2764\ufe0f", ["\u2764\ufe0f", "\u2764\ufe0f"]),
        ("\U0001f44d\U0001f3fd and \U0001f44d", ["\U0001f44d", "\U0001f44d"]),
        (f"we {_FAMILY}!", [_FAMILY]),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", ["\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"]),
        (_ENGLAND, [_ENGLAND]),
        ("1\u20e3 of 10", ["1\ufe0f\u20e3"]),
        ("\U0001f3f3\ufe0f\u200d\U0001f308", ["\U0001f3f3\ufe0f\u200d\U0001f308"]),
        ("a tone alone \U0001f3fb", ["\U0001f3fb"]),
        ("© 2026, all rights ™ # * 7", []),
        ("©\ufe0f", ["©\ufe0f"]),
        ("right to left: \u05d0\u05d1 \U0001f600 \u05d2", ["\U0001f600"]),
        ("no emoji, but é, 日本 and \u200d", []),
    ],
)
def test_a_label_is_one_emoji_however_it_is_written(text: str, labels: list[str]) -> None:
    assert _labels(text) == labels


def test_skin_tones_can_be_labels_of_their_own() -> None:
    assert _labels("\U0001f44d\U0001f3fd", keep_skin_tones=True) == ["\U0001f44d\U0001f3fd"]


def test_every_emoji_of_the_tables_has_one_label_that_is_found_again() -> None:
    import emoji

    for sequence in emoji.EMOJI_DATA:
        label = label_of(sequence, keep_skin_tones=True)
        assert is_label(label), ascii(sequence)
        assert label_of(label, keep_skin_tones=True) == label
        if sequence not in "©®™":
            assert _labels(f"a {sequence} b", keep_skin_tones=True) == [label], ascii(sequence)


@given(st.text(max_size=30))
def test_places_are_where_the_emoji_stand(text: str) -> None:
    end = 0
    for place in find_emoji(text):
        assert end <= place.start < place.end <= len(text)
        assert label_of(text[place.start : place.end]) == place.label
        end = place.end


@pytest.mark.parametrize("text", ["", "a", "\u2764", "\U0001f600\U0001f600", "\U0001f600 "])
def test_only_one_fully_qualified_emoji_is_a_label(text: str) -> None:
    assert not is_label(text)
