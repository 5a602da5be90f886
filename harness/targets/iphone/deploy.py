"""Put jobs on the phone: clear, make room, push what is missing, join the logs, write the job files last."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from harness.core.jobs import Blob, Job
from harness.targets.iphone.adoption import (
    Adoption,
    adopt,
    complete_records,
    overlap_to_compare,
)
from harness.targets.iphone.deployment import (
    INBOX,
    OWNER,
    FileThere,
    JobThere,
    Owner,
    PushPlan,
    clearing,
    outdated,
    parked_name,
    plan_push,
)
from harness.targets.iphone.device.files import PhoneFiles
from harness.targets.iphone.messages import Note, Pushed, Transferred
from harness.targets.iphone.trouble import PhoneTrouble, Trouble
from harness.wire.blobs import BlobStore
from harness.wire.job_folder import job_folder, read_job
from harness.wire.strict_json import parse_object

_BLOBS, _JOBS, _PARKED = f"{INBOX}/blobs", f"{INBOX}/jobs", f"{INBOX}/parked"
_LARGEST_OWNER_BYTES = 4096
OnNote = Callable[[Note], None]


async def deploy(
    files: PhoneFiles, root: Path, job_ids: Sequence[str], token: str, on_note: OnNote
) -> Pushed:
    """Bring the jobs of ``root`` onto the phone, ready to be run; what is there already is not pushed again.

    A job that ran there before keeps its log and outputs; what the host's log lacks is fetched by the caller.

    Raises:
        PhoneTrouble: no room, lost, silent, or a local file that was damaged.
    """
    jobs = [read_job(job_folder(root, job_id)) for job_id in job_ids]
    for folder in (_BLOBS, _JOBS):
        await files.make_folders(folder)
    await _clear(files, token, job_ids)
    blobs = tuple(dict.fromkeys(blob for job in jobs for blob in job.blobs))
    pushed = await push_blobs(files, root, blobs, on_note)
    for job in jobs:
        await _place(files, root, job, token)
    return pushed.model_copy(update={"sent_bytes": files.sent_bytes})


async def push_blobs(files: PhoneFiles, root: Path, blobs: Sequence[Blob], on_note: OnNote) -> Pushed:
    """Push those of ``blobs`` that are not on the phone, after making room for them."""
    plan = await _plan(files, blobs)
    for name in plan.remove_parked:
        await files.remove(f"{_PARKED}/{name}")
    for name in plan.remove_blobs:
        await files.remove(f"{_BLOBS}/{name}")
    done_bytes = 0

    def on_bytes(count: int) -> None:
        nonlocal done_bytes
        done_bytes += count
        on_note(Transferred(what="push", done=min(done_bytes, plan.bytes), total=plan.bytes))

    store = BlobStore(root)
    for blob in plan.push:
        # An older file of that name has the wrong size; its marker must not vouch for the new one.
        await files.remove(f"{_BLOBS}/{blob.sha256}.verified")
        await files.push_blob(store.path(blob), f"{_BLOBS}/{blob.sha256}", blob, on_bytes)
    return Pushed(bytes=plan.bytes, bytes_there=plan.bytes_there)


async def _plan(files: PhoneFiles, blobs: Sequence[Blob]) -> PushPlan:
    """Looks only at what is needed; at everything where room is short."""
    found = await asyncio.gather(*(files.entry(f"{_BLOBS}/{blob.sha256}") for blob in blobs))
    there = {entry.name: entry for entry in found if entry is not None}
    free_bytes = await files.free_bytes()
    plan = plan_push(blobs, there, (), free_bytes)
    if plan.missing_bytes:
        parked = [
            FileThere(
                name=folder.name,
                bytes=await _size(files, f"{_PARKED}/{folder.name}"),
                modified_unix_ns=folder.modified_unix_ns,
            )
            for folder in (await files.entries(_PARKED)).values()
        ]
        plan = plan_push(blobs, await files.entries(_BLOBS), parked, free_bytes)
    if plan.missing_bytes:
        raise PhoneTrouble(
            Trouble.NO_ROOM,
            f"{plan.bytes / 1e6:.1f} MB are to be pushed, and the phone has {free_bytes / 1e6:.0f} MB free, of which "
            f"some are kept: {plan.missing_bytes / 1e6:.1f} MB are missing",
        )
    return plan


async def _size(files: PhoneFiles, folder: str) -> int:
    return sum(entry.bytes for entry in (await files.entries(folder)).values())


async def _clear(files: PhoneFiles, token: str, job_ids: Sequence[str]) -> None:
    names = await files.names(_JOBS)
    jobs = await asyncio.gather(*(_job_there(files, name) for name in names))
    plan = clearing(jobs, token)
    for name in plan.remove:
        await files.remove(f"{_JOBS}/{name}")
    if plan.park:
        await files.make_folders(_PARKED)
    for job in plan.park:
        await files.rename(f"{_JOBS}/{job.name}", f"{_PARKED}/{parked_name(job)}")
    parked = await files.entries(_PARKED)
    for name in outdated(parked.values(), time.time_ns()):
        await files.remove(f"{_PARKED}/{name}")
    for job_id in job_ids:
        name = f"{token}+{job_id}"
        if name in parked:
            await files.rename(f"{_PARKED}/{name}", f"{_JOBS}/{job_id}")
    for name in await files.names(_BLOBS):
        if name.startswith(".incoming-"):
            await files.remove(f"{_BLOBS}/{name}")


async def _job_there(files: PhoneFiles, name: str) -> JobThere:
    folder = f"{_JOBS}/{name}"
    owner = None
    has_log = False
    entry = await files.entry(f"{folder}/{OWNER}")
    if entry is not None and entry.bytes <= _LARGEST_OWNER_BYTES:
        with suppress(ValueError):
            text = await files.read(f"{folder}/{OWNER}", 0, entry.bytes)
            parse_object(text)
            owner = Owner.model_validate_json(text)
        has_log = await files.entry(f"{folder}/events.jsonl") is not None
    return JobThere(name=name, owner=owner, has_log=has_log)


async def _place(files: PhoneFiles, root: Path, job: Job, token: str) -> None:
    local, folder = job_folder(root, job.job_id), f"{_JOBS}/{job.job_id}"
    document = (local / "job.json").read_bytes()
    placed = await files.entry(f"{folder}/job.json")
    if await files.entry(f"{folder}/{OWNER}") is None:
        await files.make_folders(folder)
        owner = Owner(token=token, created_unix_ns=time.time_ns())
        await files.write(f"{folder}/{OWNER}", owner.model_dump_json().encode())
    await _join_logs(files, local, folder)
    if placed is None or placed.bytes != len(document):
        await files.write(f"{folder}/job.json", document)


async def _join_logs(files: PhoneFiles, local: Path, folder: str) -> None:
    """Leave on the phone a log that the host's is the beginning of."""
    log = local / "events.jsonl"
    ours = complete_records(log.read_bytes()) if log.is_file() else b""
    if log.is_file() and len(ours) != log.stat().st_size:
        os.truncate(log, len(ours))
    theirs = await files.entry(f"{folder}/events.jsonl")
    their_bytes = theirs.bytes if theirs is not None else None
    start, end = overlap_to_compare(len(ours), their_bytes or 0)
    same = await files.read(f"{folder}/events.jsonl", start, end - start) == ours[start:end] if end else True
    if adopt(len(ours), their_bytes, overlap_is_equal=same) is not Adoption.PUSH:
        return
    outputs = local / "outputs.bin"
    if outputs.is_file():
        there = await files.entry(f"{folder}/outputs.bin")
        if there is None or there.bytes < outputs.stat().st_size:
            await files.push(outputs, f"{folder}/outputs.bin", outputs.stat().st_size)
    # The outputs first: a record in the log vouches for its output.
    await files.push(log, f"{folder}/events.jsonl", len(ours))
