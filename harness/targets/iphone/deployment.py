"""What goes to the phone for a job, what is there already, and what may go to make room. Pure.

Below the app's ``Documents/inbox`` (a job root, docs/wire-format.md), beside what the runner reads:

    jobs/<job_id>/owner.json     whose job this is: token and time; written before everything else of the job
    parked/<token>+<job_id>/     unfinished jobs of other runs, kept for their ``--resume``
    blobs/.incoming-*            a push that was cut off

The clearing rule (docs/iphone.md): a collected job is removed at once; an unfinished one of another run is parked, and
removed after a week or when room is short, the oldest first; then blobs that this job does not need, the oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from harness.core.jobs import Blob, Count
from harness.core.value import Value

INBOX = "Documents/inbox"
OWNER = "owner.json"
PARKED_DAYS = 7
RESERVE_BYTES = 200_000_000
"""Left free on the phone: iOS gets slow, and kills more, when its disk is full."""
AMPLE_BYTES = 4_000_000_000
"""With so much free, inputs that this run needs no more are kept for the next one."""
_NS_PER_DAY = 86_400 * 1_000_000_000


class Owner(Value):
    """``owner.json``. ``created_unix_ns`` counts on the host's clock."""

    token: str = Field(pattern=r"^[0-9a-f]{32}$")
    created_unix_ns: Count


class FileThere(Value):
    """A file or folder on the phone."""

    name: str
    bytes: Count
    modified_unix_ns: Count


class JobThere(Value):
    """A folder of ``jobs/``; ``owner`` is absent where nothing says whose it is."""

    name: str
    owner: Owner | None
    has_log: bool


class Clearing(Value):
    """What is done with the job folders before a job is deployed."""

    park: tuple[JobThere, ...]
    remove: tuple[str, ...]


class PushPlan(Value):
    """The blobs to push, and what to remove first, in this order."""

    push: tuple[Blob, ...]
    bytes: Count
    bytes_there: Count
    remove_parked: tuple[str, ...]
    remove_blobs: tuple[str, ...]
    missing_bytes: Count
    """What no clearing can make room for; 0: it fits."""


def parked_name(job: JobThere) -> str:
    """The folder in ``parked/`` of a job that has an owner."""
    assert job.owner is not None
    return f"{job.owner.token}+{job.name}"


def clearing(jobs: Iterable[JobThere], keep_token: str) -> Clearing:
    """The jobs of run ``keep_token`` stay where they are."""
    park, remove = [], []
    for job in jobs:
        if job.owner is not None and job.owner.token == keep_token:
            continue
        if job.owner is not None and job.has_log:
            park.append(job)
        else:
            # Nothing was measured yet, or nobody will ever ask for it.
            remove.append(job.name)
    return Clearing(park=tuple(park), remove=tuple(remove))


def outdated(parked: Iterable[FileThere], now_unix_ns: int) -> tuple[str, ...]:
    """Parked jobs that nobody resumed for a week."""
    limit_ns = now_unix_ns - PARKED_DAYS * _NS_PER_DAY
    return tuple(folder.name for folder in parked if folder.modified_unix_ns < limit_ns)


def plan_push(
    needed: Sequence[Blob],
    there: Mapping[str, FileThere],
    parked: Sequence[FileThere],
    free_bytes: int,
    further_bytes: int = 0,
) -> PushPlan:
    """``there``: the files of ``blobs/`` by name; ``parked`` with the size of each; ``further_bytes``: what else the
    job writes (log, outputs)."""
    push = tuple(
        blob for blob in needed if (found := there.get(blob.sha256)) is None or found.bytes != blob.bytes
    )
    push_bytes = sum(blob.bytes for blob in push)
    short_bytes = push_bytes + further_bytes + RESERVE_BYTES - free_bytes
    remove_parked, short_bytes = _give_up(parked, short_bytes)
    kept = {blob.sha256 for blob in needed}
    others = [file for name, file in there.items() if name.removesuffix(".verified") not in kept]
    remove_blobs, short_bytes = _give_up(others, short_bytes)
    return PushPlan(
        push=push,
        bytes=push_bytes,
        bytes_there=sum(blob.bytes for blob in needed) - push_bytes,
        remove_parked=remove_parked,
        remove_blobs=remove_blobs,
        missing_bytes=max(0, short_bytes),
    )


def _give_up(candidates: Iterable[FileThere], short_bytes: int) -> tuple[tuple[str, ...], int]:
    """The oldest of ``candidates`` until enough is free, and what is still short."""
    given_up = []
    for file in sorted(candidates, key=lambda file: file.modified_unix_ns):
        if short_bytes <= 0:
            break
        given_up.append(file.name)
        short_bytes -= file.bytes
    return tuple(given_up), short_bytes
