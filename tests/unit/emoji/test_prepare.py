"""Texts to examples: labels chosen, duplicates gone, parts apart, every line counted."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prepared_texts import EMOJI, contents, examples, prepared, some_texts

from harness.core.emoji_data import Part, PreparationSettings
from harness.core.text_encoding import lowered
from harness.emoji.clean_text import Skip
from harness.emoji.dataset import read_dataset
from harness.emoji.prepare import prepare
from harness.errors import InputError


def test_every_line_is_kept_or_counted(tmp_path: Path) -> None:
    lines = [
        *some_texts(),
        *some_texts(12),
        "SUN NUMBER 0 ☀",
        "nothing here",
        "",
        "rare thing 🪓",
        "x" * 150 + "🎂",
    ]
    preparation = prepared(tmp_path, lines, PreparationSettings(most_labels=6))
    assert preparation.lines == len(lines)
    assert preparation.kept == 300
    assert preparation.skipped == {
        Skip.DUPLICATE.value: 13,
        Skip.NO_EMOJI.value: 1,
        Skip.EMPTY.value: 1,
        Skip.OUTSIDE.value: 1,
        Skip.TOO_LONG.value: 1,
    }
    found = contents(tmp_path)
    assert sorted(EMOJI) == sorted(read_dataset(tmp_path / "data").labels)
    assert {part: len(texts) for part, texts in found.items()} == {
        part: preparation.count(part) for part in Part
    }
    assert ("cake number 2", "🎂") in examples(tmp_path)


def test_parts_share_no_text_and_keep_theirs(tmp_path: Path) -> None:
    few, many = some_texts(200), some_texts(600)
    random.Random(7).shuffle(many)
    prepared(tmp_path, few)
    before = contents(tmp_path)
    prepared(tmp_path, [*many, *(text.upper() for text in many)])
    after = contents(tmp_path)
    for part in Part:
        assert {text.lower() for text, _ in before[part]} <= {text.lower() for text, _ in after[part]}
    texts = [text.lower() for text, _ in examples(tmp_path)]
    assert len(texts) == len(set(texts)) == 600
    assert 30 <= len(after[Part.TEST]) <= 90 and 30 <= len(after[Part.VALIDATION]) <= 90


def test_the_order_of_the_lines_changes_nothing_and_the_seed_the_parts(tmp_path: Path) -> None:
    lines = [*some_texts(), "sun number 0 ☔", "sun number 0 ☔", "Sun number 6 🎂"]
    first = prepared(tmp_path, lines)
    random.Random(3).shuffle(lines)
    assert prepared(tmp_path, lines) == first
    assert ("sun number 0", "☔") in examples(tmp_path)
    other = prepared(tmp_path, lines, PreparationSettings(seed=2))
    assert other.sha256 != first.sha256


@given(st.lists(st.tuples(st.text("ab c", max_size=4), st.sampled_from(EMOJI[:3])), max_size=30))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_stands_in_two_parts(tmp_path: Path, said: list[tuple[str, str]]) -> None:
    lines = [*some_texts(60), *(f"{text} {emoji}" for text, emoji in said)]
    preparation = prepared(tmp_path, lines, PreparationSettings(validation_share=0.3, test_share=0.3))
    assert preparation.lines == len(lines)
    texts = [lowered(text) for text, _ in examples(tmp_path)]
    assert len(texts) == len(set(texts)) == preparation.kept


def test_the_first_emoji_that_is_a_label_counts(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_bytes("\ufeff🎂\r\n☔\r\n".encode())
    lines = [*some_texts(), "so much 🪓☔🎂"]
    preparation = prepared(tmp_path, lines, labels=labels)
    assert preparation.settings.fixed_labels and preparation.skipped[Skip.OUTSIDE.value] == 200
    assert ("so much", "☔") in examples(tmp_path)
    assert read_dataset(tmp_path / "data").labels == ("🎂", "☔")


def test_the_alphabet_is_what_was_said_most_in_the_texts_to_train_on(tmp_path: Path) -> None:
    preparation = prepared(tmp_path, some_texts(), PreparationSettings(most_characters=5, length=4))
    encoding = read_dataset(tmp_path / "data").encoding
    assert len(encoding.alphabet) == 5 and set(encoding.alphabet) <= set(" numberaio")
    assert encoding.length == 4 and preparation.cut == 300
    assert 0 < preparation.unknown_characters < preparation.characters


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "no text has an emoji"),
        (["only words"] * 3, "3 no emoji"),
        ([f"sun {number} ☀️" for number in range(50)], "every text has the same emoji"),
        (["sun ☀️", "rain ☔"], "too few"),
    ],
)
def test_what_cannot_be_learnt_from_is_an_error(tmp_path: Path, lines: list[str], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        prepared(tmp_path, lines)
    assert not (tmp_path / "data").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["texts.txt"]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ("🎂\n", "nothing to choose"),
        ("🎂\n☔\n🎂\n", r":3.*twice"),
        ("🎂\ncake\n", r":2.*not one"),
        ("🎂\n❤\n", "fully qualified"),
    ],
)
def test_labels_that_cannot_be_are_an_error(tmp_path: Path, labels: str, problem: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(labels, encoding="utf-8")
    with pytest.raises(InputError, match=problem):
        prepared(tmp_path, some_texts(), labels=path)


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="is not replaced"):
        prepare([], tmp_path / "data", PreparationSettings())
    assert (tmp_path / "data" / "thesis.txt").read_text() == "years of work"


def test_prepared_texts_that_were_changed_are_an_error(tmp_path: Path) -> None:
    prepared(tmp_path, some_texts())
    train = tmp_path / "data" / "train.jsonl"
    first = json.loads(train.read_text().split("\n")[0])
    train.write_text(json.dumps({**first, "label": "🪓"}) + "\n")
    with pytest.raises(InputError, match=r"train.jsonl:1.*not in labels.txt"):
        contents(tmp_path)
    train.write_text("{}\n")
    with pytest.raises(InputError, match="is not"):
        contents(tmp_path)
    (tmp_path / "data" / "preparation.json").write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        read_dataset(tmp_path / "data")
