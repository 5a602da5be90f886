"""The client still sends what the virtual iPhone was written to answer, byte for byte."""

from __future__ import annotations

from importlib.metadata import version
from itertools import zip_longest

import pytest

from fixtures.client_transcripts import Sent, Transcripts, read_transcripts, record_transcripts

_NOTHING = Sent(meaning="nothing", hex="")


def changes(recorded: Transcripts, now: Transcripts) -> list[str]:
    """What the client sends otherwise than recorded, one sentence each."""
    found = []
    for name in recorded.keys() | now.keys():
        pairs = zip_longest(recorded.get(name, []), now.get(name, []), fillvalue=_NOTHING)
        for number, (before, after) in enumerate(pairs, start=1):
            if before != after:
                found.append(
                    f"{name}, piece {number}: pymobiledevice3 {version('pymobiledevice3')} sends {after.meaning} "
                    f"({after.hex}) where {before.meaning} ({before.hex}) was recorded. See whether the virtual "
                    "iPhone answers it rightly, then record anew: python -m fixtures.client_transcripts"
                )
    return found


def test_the_client_sends_what_was_recorded() -> None:
    assert changes(read_transcripts(), record_transcripts()) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (Sent(meaning="DISPATCH on channel 0: hello ()", hex="00"), "sends DISPATCH on channel 0: hello ()"),
        (None, "sends nothing ()"),
    ],
)
def test_another_byte_or_a_missing_piece_is_told(changed: Sent | None, sentence: str) -> None:
    recorded = read_transcripts()
    last = recorded["instruments"][-1]
    now = {**recorded, "instruments": recorded["instruments"][:-1] + ([changed] if changed else [])}
    (change,) = changes(recorded, now)
    assert sentence in change
    assert f"where {last.meaning} ({last.hex}) was recorded" in change
