"""Both sides of the pipes to an engine's process, with real processes that speak well or badly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from harness.core.value import Value
from harness.errors import BuildError, HarnessError, ModelError
from harness.shards import engine_process
from harness.shards.engine_process import EngineProcess


class Opening(Value):
    greeting: str = "hello"


class Part(Value):
    first: int = 0


GOOD = """
import sys
from harness.core.value import Value
from harness.errors import WorkloadError
from harness.shards.engine_server import serve

class Opening(Value):
    greeting: str

class Part(Value):
    first: int

def open_engine(opening):
    print("an engine that talks")
    opened = [0]

    def answer(part, payload):
        opened[0] += 1
        if part.first < 0:
            raise WorkloadError("negative", where="here", next_step="there")
        buffers = b"|".join(bytes(buffer) for buffer in payload)
        return f"{opening.greeting} {opened[0]} {part.first} ".encode() + buffers

    return answer

sys.exit(serve(Opening, Part, open_engine))
"""

Start = Callable[[str], EngineProcess]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    def started(program: str) -> EngineProcess:
        (tmp_path / "made_engine.py").write_text(program)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return EngineProcess("made_engine", Opening(), model="model", engine="Engine 1")

    return started


def test_parts_are_answered_by_one_open_engine(start: Start) -> None:
    large = bytes(range(256)) * 20_000
    with closing(start(GOOD)) as process:
        assert process.run(Part(first=7), [b"a", b"", large]) == b"hello 1 7 a||" + large
        assert process.run(Part(first=8), []) == b"hello 2 8 "


def test_an_error_is_told_and_the_end(start: Start) -> None:
    with closing(start(GOOD)) as process:
        with pytest.raises(HarnessError) as caught:
            process.run(Part(first=-1), [])
        assert (type(caught.value).__name__, caught.value.where) == ("WorkloadError", "here")
        assert (caught.value.problem, caught.value.next_step) == ("negative", "there")
        with pytest.raises(ModelError, match="Engine 1"):
            process.run(Part(first=1), [])


def saying(*lines: str, then: str = "sys.exit(0)") -> str:
    """A process that answers the first part with ``lines``, and does then ``then``."""
    told = "".join(f"sys.stdout.buffer.write({line!r}.encode('latin-1'))\n" for line in lines)
    return f"import sys, time\nsys.stdin.buffer.readline()\n{told}sys.stdout.flush()\n{then}\n"


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        (saying('{"answer_bytes": 4}\n', "abc"), "ended with status 0"),
        (saying('{"answer_bytes": 3'), "ended with status 0"),
        (saying('{"answer_bytes": 1, "answer_bytes": 2}\n', "ab"), "ended with status 0"),
        (saying("\xff\xfe\n"), "ended with status 0"),
        (saying('{"answer_bytes": -1}\n', '{"answer_bytes": 99999999999999}\n'), "ended with status 0"),
        (saying("[]\n", then="time.sleep(60)"), "cannot be read"),
        (saying('{"error": "no more"}\n'), "None"),
        (saying('{"error": {"kind": "SystemExit", "problem": "odd", "next_step": ""}}\n'), "odd"),
        (saying(then="sys.exit('last\\nwords')"), "status 1: words"),
        ("", "ended with status 0"),
    ],
)
def test_nonsense_is_an_error(
    start: Start, monkeypatch: pytest.MonkeyPatch, program: str, problem: str
) -> None:
    monkeypatch.setattr(engine_process, "_DYING_S", 0.5)
    with closing(start(program)) as process:
        with pytest.raises(ModelError, match=problem) as caught:
            process.run(Part(), [bytes(1000)])
        assert caught.value.where == "model"


def test_a_build_error_stays_one(start: Start) -> None:
    told = {"error": {"kind": "BuildError", "problem": "p", "where": None, "next_step": "n"}}
    with closing(start(saying(json.dumps(told) + "\n"))) as process, pytest.raises(BuildError, match="p"):
        process.run(Part(), [])


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{}\n",
        b'{"greeting": "x"}\n{"part": {"first": 1}, "payload_bytes": [5]}\nabc',
        b'{"greeting": "x"}\n{"part": {"first": "one"}, "payload_bytes": []}\n',
        b'{"greeting": "x"}\n{"part": {"first": 1}, "payload_bytes": 5}\n',
        b'{"greeting": "x"}\n{"part": {"first": 1}, "payload_bytes": [-5]}\n',
        b"\x80\x04.\n",
    ],
)
def test_a_caller_that_speaks_badly_gets_no_answer(tmp_path: Path, said: bytes) -> None:
    (tmp_path / "made_engine.py").write_text(GOOD)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "made_engine.py")], input=said, capture_output=True, timeout=60
    )
    assert done.stdout == b""
    assert (done.returncode == 0) is (said == b"")
