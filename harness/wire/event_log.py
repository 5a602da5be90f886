"""The event log: ``events.jsonl``, read strictly, whole or as it grows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from harness.core.events import EVENT_ADAPTER, Event
from harness.core.jobs import WIRE_VERSION
from harness.errors import WireError
from harness.wire.strict_json import explain, parse_object, version_problem

LARGEST_LINE_BYTES = 4 * 1024 * 1024
_NEXT_STEP = "The event log is damaged or of another program: run the job again."


def parse_event(line: bytes, *, where: str) -> Event:
    """The event in one line of a log.

    Raises:
        WireError: not an event of this wire version; ``where`` names the file and line.
    """
    try:
        document = parse_object(line)
        newer = version_problem(document, "wire_version", WIRE_VERSION)
        if newer:
            raise WireError(newer, where=where, next_step="Update the harness that reads this log.")
        return EVENT_ADAPTER.validate_json(line)
    except ValidationError as problem:
        raise WireError(explain(problem), where=where, next_step=_NEXT_STEP) from None
    except (ValueError, UnicodeDecodeError) as problem:
        raise WireError(f"not an event: {problem}", where=where, next_step=_NEXT_STEP) from None


class EventLogReader:
    """Reads the records that were appended since the last call; a line that is not ended yet is left for later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset_bytes = 0
        self._line_number = 0

    def new_events(self) -> Iterator[Event]:
        """The events that are new in the file; none while it does not exist.

        Raises:
            WireError: a complete line that is not an event.
        """
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self._offset_bytes)
            while True:
                line = file.readline(LARGEST_LINE_BYTES + 1)
                if len(line) > LARGEST_LINE_BYTES:
                    raise WireError(
                        f"a line longer than {LARGEST_LINE_BYTES} bytes",
                        where=f"{self._path}:{self._line_number + 1}",
                        next_step=_NEXT_STEP,
                    )
                if not line.endswith(b"\n"):
                    return
                self._offset_bytes += len(line)
                self._line_number += 1
                yield parse_event(line, where=f"{self._path}:{self._line_number}")


def read_events(path: Path) -> tuple[Event, ...]:
    """All complete records of the log, in order; empty where there is no log yet.

    Raises:
        WireError: a complete line that is not an event.
    """
    return tuple(EventLogReader(path).new_events())
