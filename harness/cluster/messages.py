"""What a worker of a cluster is asked and what it answers: JSON objects, with bytes beside them.

Both sides read them strictly. Nothing here names a path of either machine: files are blobs, named by their hash, and a
run's working folder on a worker is named by the run's token.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.cluster.devices import LONGEST_RESOURCE
from harness.core.jobs import Blob, Count, Job, JobId, PositiveCount
from harness.core.runs import JobOutcome
from harness.core.value import Value

PART_BYTES = 8 * 1024 * 1024
"""What is sent at once: small enough for a worker's memory, large enough that the number of calls does not matter."""

Token = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Resource = Annotated[str, Field(min_length=1, max_length=LONGEST_RESOURCE)]
FileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}\.(jsonl|json|bin)$")]


class BegunFile(Value):
    """A file of a job that was begun elsewhere."""

    name: Literal["events.jsonl", "outputs.bin"]
    content: Blob


class RunJob(Value):
    """Run ``job`` on ``device``, or go on with it where its log ends."""

    op: Literal["run-job"] = "run-job"
    session: Token
    """The run's token: it names the run's folder on the worker, and on the phone."""
    run_id: JobId
    device: Resource
    """A device as the worker announced it."""
    job: Job
    begun: Annotated[tuple[BegunFile, ...], Field(max_length=2)] = ()
    """What an earlier attempt left: the job goes on from there, unless the worker has more of it."""
    idle_limit_s: Annotated[float, Field(gt=0)]
    topic: Token
    """Where the notes on the way go."""
    call: Token
    """By which they are known."""

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All that the worker needs."""
        return (*self.job.blobs, *(file.content for file in self.begun))


class ReadPart(Value):
    """Give a part of a file of the job's folder."""

    op: Literal["read-part"] = "read-part"
    session: Token
    job_id: JobId
    name: FileName
    first_byte: Count
    byte_count: Annotated[PositiveCount, Field(le=PART_BYTES)]


class ReceivePart(Value):
    """Take a part of a blob; the parts of one ``transfer`` come in order. The last one makes it a blob."""

    op: Literal["receive-part"] = "receive-part"
    blob: Blob
    transfer: Token
    first_byte: Count


class Forget(Value):
    """No further job of the session needs these inputs."""

    op: Literal["forget"] = "forget"
    session: Token
    device: Resource
    blobs: tuple[Blob, ...]


class RunShard(Value):
    """Compute a part of a reference or of a calibration. ``request`` is a ``ShardRequest`` as JSON."""

    op: Literal["run-shard"] = "run-shard"
    request: str


AnyRequest = Annotated[RunJob | ReadPart | ReceivePart | Forget | RunShard, Field(discriminator="op")]
REQUEST: TypeAdapter[AnyRequest] = TypeAdapter(AnyRequest)


class Lacking(Value):
    """The worker at ``address`` needs these blobs first; ask again when it has them."""

    answer: Literal["lacking"] = "lacking"
    address: str
    blobs: Annotated[tuple[Blob, ...], Field(min_length=1)]


class Refused(Value):
    """It cannot be done; ``kind`` is the name of an exception of ``harness.errors``."""

    answer: Literal["refused"] = "refused"
    kind: str
    problem: str
    where: str | None = None
    next_step: str


class FileSize(Value):
    """A file of the job's folder."""

    name: FileName
    bytes: Count


class JobRan(Value):
    """How the job ended, and the files that it left. Their bytes are beside the answer where they are few."""

    answer: Literal["job-ran"] = "job-ran"
    address: str
    """Of the worker that has the files."""
    outcome: JobOutcome
    files: tuple[FileSize, ...]
    is_inline: bool


class Done(Value):
    """It is done; what was asked for is beside the answer."""

    answer: Literal["done"] = "done"


AnyAnswer = Annotated[Lacking | Refused | JobRan | Done, Field(discriminator="answer")]
ANSWER: TypeAdapter[AnyAnswer] = TypeAdapter(AnyAnswer)


class Started(Value):
    """The worker began with the call."""

    note: Literal["started"] = "started"
    call: Token


class EventHappened(Value):
    """The job's log grew by ``event``: one line of it, as JSON."""

    note: Literal["event"] = "event"
    call: Token
    event: str


class Transferring(Value):
    """Bytes on their way from the worker to the device."""

    note: Literal["transferring"] = "transferring"
    call: Token
    done_bytes: Count
    total_bytes: Count


class WaitingForPerson(Value):
    """The device waits for a person; an empty ``text`` ends it."""

    note: Literal["waiting"] = "waiting"
    call: Token
    text: str


AnyNote = Annotated[Started | EventHappened | Transferring | WaitingForPerson, Field(discriminator="note")]
NOTE: TypeAdapter[AnyNote] = TypeAdapter(AnyNote)
