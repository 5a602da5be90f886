"""What a client makes of what a worker answers and notes: of any bytes, and of what is well formed and wrong."""

from __future__ import annotations

import json
import pickle
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cluster.answers import read_answer
from harness.cluster.connection import Cluster
from harness.cluster.messages import AnyNote, Done, EventHappened, WaitingForPerson
from harness.errors import HarnessError, TargetError, WireError

CALL = "1" * 32
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=12) | st.just("answer"), inner, max_size=4)
    ),
    max_leaves=12,
)


def refused(**changes: object) -> tuple[bytes]:
    answer = {"answer": "refused", "kind": "TargetError", "problem": "no", "next_step": "wait", **changes}
    return (json.dumps(answer).encode(),)


def heard(*said: object) -> list[AnyNote]:
    """The notes of the one call that is waited for."""
    notes: list[AnyNote] = []
    cluster = cast(Cluster, SimpleNamespace(_listeners={CALL: notes.append}))
    for text in said:
        Cluster._heard(cluster, (0.0, text))
    return notes


@given(
    raw=st.binary(max_size=60)
    | st.lists(st.binary(max_size=60) | st.none() | st.text(max_size=5), max_size=3)
    | json_values.map(lambda value: (json.dumps(value).encode(), b"beside"))
)
@settings(max_examples=300)
def test_what_is_no_answer_is_told_as_one_error(raw: object) -> None:
    with pytest.raises(WireError, match="a worker's answer cannot be read"):
        read_answer(raw)


@pytest.mark.parametrize(
    "raw",
    [
        (),
        b'{"answer": "done"}',
        (pickle.dumps(print),),
        (b'{"answer": "done", "answer": "done"}',),
        (b'{"answer": "lacking", "address": "tls://me", "blobs": []}',),
        (b"[" * 100_000,),
        (b'{"answer": "job-ran", "files": [{"name": "../../.ssh/id.json", "bytes": 1}]}',),
        (b'{"answer": "lacking", "address": "a", "blobs": [{"sha256": "../x", "bytes": 1}]}',),
        (
            b'{"answer": "lacking", "address": "a", "blobs": [{"sha256": "'
            + b"0" * 64
            + b'", "bytes": 1e999}]}',
        ),
    ],
)
def test_answers_that_are_wrong_in_a_known_way(raw: object) -> None:
    with pytest.raises(WireError, match="a worker's answer cannot be read"):
        read_answer(raw)
    assert read_answer((b'{"answer": "done"}', b"x")) == (Done(), (b"x",))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("ModelError", "ModelError"),
        ("SystemExit", "TargetError"),
        ("ExitStatus", "TargetError"),
        ("IntEnum", "TargetError"),
        ("__builtins__", "TargetError"),
    ],
)
def test_a_refusal_is_an_error_of_the_harness_and_nothing_else(kind: str, expected: str) -> None:
    with pytest.raises(HarnessError) as raised:
        read_answer(refused(kind=kind))
    assert type(raised.value).__name__ == expected
    assert (raised.value.problem, raised.value.next_step) == ("no", "wait")


@given(said=st.lists(st.binary(max_size=40) | json_values | json_values.map(json.dumps), max_size=5))
@settings(max_examples=200)
def test_what_is_no_note_of_the_call_is_passed_over(said: list[Any]) -> None:
    note = '{"note": "event", "call": "%s", "event": "x"}'
    assert heard(*said, note % ("2" * 32), note % CALL) == [EventHappened(call=CALL, event="x")]


def test_a_note_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from harness.cli.live_progress import LiveProgress
    from harness.cli.main import _explain

    text = "\x1b]0;owned\x07\x1b[2J [red]tap[/]\nTrust \u202eoffered\ud800"
    (note,) = heard(json.dumps({"note": "waiting", "call": CALL, "text": text.replace("\ud800", "")}))
    assert isinstance(note, WaitingForPerson)
    LiveProgress(Console(width=300)).waiting("desk\x1b[31m", note.text)
    _explain(TargetError(text, where="desk\x9b2J", next_step=text))
    shown = capsys.readouterr()
    for out in (shown.out, shown.err):
        assert "[red]tap[/]" in out and "Trust" in out
        assert not set(out) & {"\x1b", "\x07", "\x9b", "\u202e", "\ud800"}
