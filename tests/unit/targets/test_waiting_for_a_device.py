"""What a run tells while its job waits for a device of a cluster."""

from __future__ import annotations

from harness.cluster.messages import Started, WaitingForPerson
from harness.targets.cluster import _Listener

CALL = "1" * 32


class Heard:
    """Keeps what a person would see."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def transferring(self, target: str, done_bytes: int, total_bytes: int) -> None:
        raise AssertionError("nothing is sent")

    def waiting(self, target: str, text: str) -> None:
        self.lines.append((target, text))


def test_each_reason_is_told_once_and_taken_back_when_the_job_begins() -> None:
    heard = Heard()
    listener = _Listener(CALL, lambda event: None, heard, "desk0", 0)
    for is_there in (True, True, False, False, True):
        listener.still_waits(is_there=is_there)
    listener.hear(Started(call=CALL))
    listener.still_waits(is_there=True)
    turn = "another job is at work on it; this one takes its turn"
    assert heard.lines == [
        ("desk0", turn),
        ("desk0", "no worker has it"),
        ("desk0", turn),
        ("desk0", ""),
    ]
    # Its worker died: the job is given again, and waits again.
    listener.still_waits(is_there=False)
    assert heard.lines[-1] == ("desk0", "no worker has it")


def test_what_a_person_has_to_do_is_passed_on() -> None:
    heard = Heard()
    listener = _Listener(CALL, lambda event: None, heard, "desk0", 0)
    listener.hear(WaitingForPerson(call=CALL, text="unlock it"))
    assert heard.lines == [("desk0", "unlock it")]
