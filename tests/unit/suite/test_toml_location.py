"""The line of a key, however TOML lets it be written."""

from __future__ import annotations

import pytest

from harness.suite.toml_location import line_of_key

TEXT = """\
version = 1
[run]            # where
  rounds = 5
warmup = { min_runs = 3 }
steady.min_runs = 9
"quoted key" = 1
[ policy ]
confidence = 0.95
[[policy.rules]]
metric = "a"
[[policy.rules]]

metric = "b"
[workload.preprocess]
size = [
  8,
  8,
]
"""


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("version",), 1),
        (("run",), 2),
        (("run", "rounds"), 3),
        (("run", "warmup"), 4),
        (("run", "warmup", "min_runs"), 4),
        (("run", "steady", "min_runs"), 5),
        (("run", "quoted key"), 6),
        (("policy",), 7),
        (("policy", "confidence"), 8),
        (("policy", "rules"), 9),
        (("policy", "rules", 0), 9),
        (("policy", "rules", 0, "metric"), 10),
        (("policy", "rules", 1), 11),
        (("policy", "rules", 1, "metric"), 13),
        (("policy", "rules", 1, "missing"), 11),
        (("policy", "rules", 7, "metric"), 9),
        (("workload", "preprocess", "size", 1), 15),
        (("run", "missing"), 2),
        (("missing",), 1),
        ((), 1),
    ],
)
def test_the_line_of_a_key_or_of_what_holds_it(keys: tuple[str | int, ...], line: int) -> None:
    assert line_of_key(TEXT, keys) == line


def test_the_same_key_in_two_tables() -> None:
    assert line_of_key("[a]\nx = 1\n[b]\nx = 2\n", ("b", "x")) == 4


def test_windows_line_ends() -> None:
    assert line_of_key("version = 1\r\n[run]\r\nrounds = 5\r\n", ("run", "rounds")) == 3


@pytest.mark.parametrize("text", ["", "\n\n", "not toml at all", "[[[", "= 3", "\x00"])
def test_any_text_has_a_first_line(text: str) -> None:
    assert line_of_key(text, ("run", "rounds")) == 1
