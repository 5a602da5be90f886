"""What a worker keeps of a job that it has begun, and whether that can be gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.core.events import Event, JobFinished
from harness.core.jobs import Blob
from harness.core.runs import JobOutcome, JobStatus
from harness.errors import WireError
from harness.wire.blobs import blob_of
from harness.wire.event_log import EventLogReader
from harness.wire.strict_json import read_value

LOG: Final = "events.jsonl"
OUTPUTS: Final = "outputs.bin"
OUTCOME: Final = "outcome.json"
_NEXT_STEP: Final = "Go on: harness run --resume."


def kept_outcome(folder: Path) -> JobOutcome | None:
    """How the job in ``folder`` has ended before; ``None`` where it has not.

    Raises:
        WireError: the file is damaged, or another job's.
    """
    if not (folder / OUTCOME).is_file():
        return None
    outcome = read_value(folder / OUTCOME, JobOutcome, next_step=_NEXT_STEP)
    if outcome.job_id != folder.name:
        raise WireError(f"is of the job {outcome.job_id}", where=str(folder / OUTCOME), next_step=_NEXT_STEP)
    return outcome


def is_whole(folder: Path) -> bool:
    """Whether the log can be read, and a job that has finished left the outputs that its log says.

    A file that was damaged since would otherwise be in the way of the job for ever.
    """
    try:
        outcome = kept_outcome(folder)
        last: Event | None = None
        for event in EventLogReader(folder / LOG).new_events():
            last = event
        if isinstance(last, JobFinished):
            said = Blob(sha256=last.outputs_sha256, bytes=last.outputs_bytes)
            return (folder / OUTPUTS).is_file() and blob_of(folder / OUTPUTS) == said
        return outcome is None or outcome.status is not JobStatus.FINISHED
    except (WireError, OSError):
        return False
