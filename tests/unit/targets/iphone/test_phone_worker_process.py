"""The harness's end of the pipes, with processes in the worker's place that do what no worker should."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.targets.iphone.messages import ListPhones, Note, Phones, Transferred
from harness.targets.iphone.phone_lock import PhoneLock
from harness.targets.iphone.trouble import Trouble
from harness.targets.iphone.worker_process import PhoneFailedError, WorkerProcess

EMPTY = '{"note":"phones","phones":[]}'


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> WorkerProcess:
    """Runs ``request.param`` as Python instead of the worker."""
    program = tmp_path / "program.py"
    program.write_text("import sys\nline = sys.stdin.readline()\n" + textwrap.dedent(request.param))
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} -u {program}\n")
    python.chmod(0o755)
    monkeypatch.setattr("harness.python_worker.sys.executable", str(python))
    monkeypatch.setattr("harness.targets.iphone.worker_process._LAST_RESORT_S", 0.3)
    return WorkerProcess(where="a phone")


def ask(worker: WorkerProcess, notes: list[Note] | None = None) -> Phones:
    heard = notes if notes is not None else []
    try:
        return worker.ask(ListPhones(), Phones, silence_limit_s=0.7, on_note=heard.append)
    finally:
        worker.close()


TALK = f"""
print('{{"note":"transferred","what":"push","done":1,"total":2}}')
print('{EMPTY}')
"""


@pytest.mark.parametrize("worker", [TALK], indirect=True)
def test_notes_come_before_the_answer(worker: WorkerProcess) -> None:
    notes: list[Note] = []
    assert ask(worker, notes).phones == ()
    assert notes == [Transferred(what="push", done=1, total=2)]


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        ("sys.exit(0)", "it died"),
        ("print('no memory', file=sys.stderr); sys.exit(9)", "no memory"),
        ("import time; time.sleep(60)", "it said nothing"),
        ("print('hello')", "no note"),
        ('print(\'{"note":"surprise"}\')', "does not know"),
        ('print(\'{"note":"phones","phones":[],"more":1}\')', "more"),
        ('print(\'{"note":"phones","phones":[],"phones":[]}\')', "twice"),
        ('print(\'{"note":"pushed","bytes":1,"bytes_there":0}\')', "answered with pushed"),
        ("sys.stdout.write('x' * 20_000_000)", "died"),
    ],
    indirect=["worker"],
)
def test_a_worker_that_breaks_is_one_error(worker: WorkerProcess, said: str) -> None:
    with pytest.raises(TargetError) as caught:
        ask(worker)
    assert said in caught.value.problem
    assert caught.value.where == "a phone" and "--resume" in caught.value.next_step


@pytest.mark.parametrize(
    "worker", ['print(\'{"note":"failed","kind":"locked","problem":"the screen"}\')'], indirect=True
)
def test_what_the_worker_could_not_do(worker: WorkerProcess) -> None:
    with pytest.raises(PhoneFailedError) as caught:
        ask(worker)
    assert caught.value.kind is Trouble.LOCKED
    assert (caught.value.problem, caught.value.next_step) == ("the screen", Trouble.LOCKED.advice)
    with pytest.raises(TargetError, match="was ended"):
        worker.ask(ListPhones(), Phones, silence_limit_s=1)


def test_the_second_harness_is_told_who_holds_the_phone(tmp_path: Path) -> None:
    first, second = PhoneLock(tmp_path, "0000-1/..", "run-a"), PhoneLock(tmp_path, "0000-1/..", "run-b")
    first.acquire()
    first.acquire()
    with pytest.raises(TargetError, match="run run-a"):
        second.acquire()
    assert [path.parent for path in tmp_path.rglob("*.lock")] == [tmp_path]
    other = PhoneLock(tmp_path, "0000-2", "run-b")
    other.acquire()
    other.release()
    first.release()
    second.acquire()
    second.release()
