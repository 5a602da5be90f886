"""The inside of an engine's process: takes what is opened, then one part after another, from standard input.

``harness.shards.engine_process`` is the other side and says what goes over the pipes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import BinaryIO, TypeAlias, TypeVar

from harness.core.value import Value
from harness.errors import HarnessError
from harness.wire.strict_json import parse_object

Opening = TypeVar("Opening", bound=Value)
Part = TypeVar("Part", bound=Value)

Payload: TypeAlias = Sequence[memoryview]


def serve(
    opening_type: type[Opening],
    part_type: type[Part],
    open_engine: Callable[[Opening], Callable[[Part, Payload], bytes]],
) -> int:
    """Answer until standard input ends; the engine is opened once, with the first part. Returns the exit status.

    A ``HarnessError`` is told and ends the process: what a failed engine does next is nobody's business.
    Engines print to standard output as they please; from here on that is standard error.
    """
    source = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    line = source.readline()
    if not line:
        return 0
    opening = opening_type.model_validate_json(line)
    engine = None
    while line := source.readline():
        header = parse_object(line)
        part = part_type.model_validate_json(json.dumps(header["part"]))
        payload = [_read(source, size) for size in _sizes(header["payload_bytes"])]
        try:
            if engine is None:
                engine = open_engine(opening)
            answer = engine(part, payload)
        except HarnessError as error:
            told = {
                "kind": type(error).__name__,
                "problem": error.problem,
                "where": error.where,
                "next_step": error.next_step,
            }
            _tell(answers, {"error": told})
            return 1
        _tell(answers, {"answer_bytes": len(answer)})
        answers.write(answer)
        answers.flush()
    return 0


def _sizes(given: object) -> list[int]:
    assert isinstance(given, list)
    return [int(size) for size in given]


def _read(source: BinaryIO, size: int) -> memoryview:
    # Not bytes: some engines take only what could be written to.
    buffer = memoryview(bytearray(size))
    filled = 0
    while filled < size:
        count = source.readinto(buffer[filled:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError(f"the caller sent {filled} of {size} bytes")
        filled += count
    return buffer


def _tell(answers: BinaryIO, message: dict[str, object]) -> None:
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()
