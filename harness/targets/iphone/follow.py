"""The event log of a job on the phone, copied to the host as it grows: complete records only, in pieces."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from harness.core.events import Event, Interrupted, JobFailed, JobFinished, Samples, Stage
from harness.errors import WireError
from harness.targets.iphone.adoption import complete_records
from harness.targets.iphone.deployment import INBOX
from harness.targets.iphone.device.files import CHUNK_BYTES, PhoneFiles
from harness.targets.iphone.messages import LogGrew, Note
from harness.targets.iphone.trouble import PhoneTrouble, Trouble
from harness.wire.event_log import LARGEST_LINE_BYTES, parse_event

QUICK_POLL_S = 0.2
SLOW_POLL_S = 2.0
_LONGEST_FINISH_BYTES = 64 * 1024
"""While samples are taken: each look costs the phone's file service a little work."""


class DamagedLogError(Exception):
    """The phone's log has a line that is no record."""


class LogFollower:
    """Appends to the host's copy; knows the last record and when the log grew last."""

    def __init__(self, local: Path, job_id: str, on_note: Callable[[Note], None]) -> None:
        self._log = local / "events.jsonl"
        self._outputs = local / "outputs.bin"
        self._folder = f"{INBOX}/jobs/{job_id}"
        self._on_note = on_note
        self._size_bytes = self._log.stat().st_size if self._log.is_file() else 0
        self._seen_bytes = self._size_bytes
        # Cut off after the last record, and before the outputs: those are all that is left to do.
        self.last: Event | None = _finish_in(self._log)
        self.is_sampling = False
        self.grew_at_s = time.monotonic()

    @property
    def is_final(self) -> bool:
        return isinstance(self.last, JobFinished | JobFailed)

    @property
    def poll_s(self) -> float:
        return SLOW_POLL_S if self.is_sampling else QUICK_POLL_S

    def forget_last(self) -> None:
        """A new attempt begins: what ended the one before says nothing of it."""
        self.last = None
        self.is_sampling = False
        self.grew_at_s = time.monotonic()

    async def look(self, files: PhoneFiles) -> bool:
        """Fetch the records that are new; whether there were any.

        Raises:
            PhoneTrouble: lost or silent.
            DamagedLogError: what the phone holds is no event log.
        """
        entry = await files.entry(f"{self._folder}/events.jsonl")
        if entry is None or entry.bytes == self._size_bytes:
            return False
        if entry.bytes < self._size_bytes:
            raise DamagedLogError(f"it shrank from {self._size_bytes} to {entry.bytes} bytes")
        if entry.bytes != self._seen_bytes:
            self._seen_bytes = entry.bytes
            self.grew_at_s = time.monotonic()
        grew = False
        while self._size_bytes < entry.bytes:
            length = min(max(CHUNK_BYTES, LARGEST_LINE_BYTES + 1), entry.bytes - self._size_bytes)
            piece = complete_records(
                await files.read(f"{self._folder}/events.jsonl", self._size_bytes, length)
            )
            if not piece:
                if length > LARGEST_LINE_BYTES:
                    raise DamagedLogError(f"a line is longer than {LARGEST_LINE_BYTES} bytes")
                break
            self._take(piece)
            grew = True
        return grew

    def _take(self, piece: bytes) -> None:
        for line in piece[:-1].split(b"\n"):
            try:
                event = parse_event(line, where=self._folder)
            except WireError as error:
                raise DamagedLogError(error.problem) from None
            self.last = event
            if not isinstance(event, Interrupted):
                self.is_sampling = isinstance(event, Samples) and event.phase is Stage.STEADY
        with self._log.open("ab") as log:
            log.write(piece)
        self._size_bytes += len(piece)
        self._on_note(LogGrew(size_bytes=self._size_bytes))

    async def collect_outputs(self, files: PhoneFiles) -> None:
        """The outputs of a finished job, checked by the size and hash that its last record states.

        Raises:
            PhoneTrouble: lost or silent; ``REFUSED`` where they do not match twice.
        """
        assert isinstance(self.last, JobFinished)
        finished = self.last
        if self._outputs.is_file() and _sha256(self._outputs) == finished.outputs_sha256:
            return
        path = f"{self._folder}/outputs.bin"
        for _ in range(2):
            entry = await files.entry(path)
            if entry is not None and entry.bytes == finished.outputs_bytes:
                await files.pull(path, self._outputs, finished.outputs_bytes)
                if _sha256(self._outputs) == finished.outputs_sha256:
                    return
        self._outputs.unlink(missing_ok=True)
        raise PhoneTrouble(
            Trouble.REFUSED, "the outputs on the phone do not match the size and hash in the event log"
        )

    async def remove(self, files: PhoneFiles) -> None:
        """Take the job off the phone: all of it is here."""
        await files.remove(self._folder)


def _finish_in(log: Path) -> JobFinished | None:
    """The record that a log ends with, if that is the end of a job."""
    if not log.is_file():
        return None
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LONGEST_FINISH_BYTES))
        tail = file.read()
    if not tail.endswith(b"\n"):
        return None
    try:
        event = parse_event(tail[:-1].rpartition(b"\n")[2], where=str(log))
    except WireError:
        return None
    return event if isinstance(event, JobFinished) else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
