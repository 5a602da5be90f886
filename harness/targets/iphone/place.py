"""Files that go to a phone without being run at once (jobs for a person's tap, live variants), or leave it again."""

from __future__ import annotations

import re
from pathlib import Path

from harness.targets.iphone.deploy import deploy, push_blobs
from harness.targets.iphone.deployment import AMPLE_BYTES, INBOX
from harness.targets.iphone.device.session import PhoneSession
from harness.targets.iphone.messages import DropBlobs, Dropped, PlaceLive, Pushed, StageJobs
from harness.targets.iphone.trouble import PhoneTrouble, Trouble

_LIVE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.json")


async def stage_jobs(session: PhoneSession, request: StageJobs) -> Pushed:
    """Put all jobs of a run on the phone where a person has to tap the app, so that one tap runs them all.

    Where the app can be launched nothing is done, but that the phone is fit for the run is known then.
    """
    await session.runner()
    if await session.developer(request.launch) is not None:
        return Pushed(bytes=0, bytes_there=0)
    if not request.jobs:
        return Pushed(bytes=0, bytes_there=0, needs_tap=True)
    async with await session.files() as files:
        return await deploy(files, Path(request.root), request.jobs, request.token, session.on_note)


async def place_live(session: PhoneSession, request: PlaceLive) -> Pushed:
    """Put a variant on the phone for the app's live screens; its document is written last."""
    if not _LIVE_NAME.fullmatch(request.name):
        raise PhoneTrouble(Trouble.REFUSED, f"{request.name!r} is no name of a live variant's file")
    async with await session.files() as files:
        await files.make_folders(f"{INBOX}/blobs")
        await files.make_folders(f"{INBOX}/live")
        pushed = await push_blobs(files, Path(request.root), request.blobs, session.on_note)
        await files.write(f"{INBOX}/live/{request.name}", request.document.encode())
    return pushed


async def drop_blobs(session: PhoneSession, request: DropBlobs) -> Dropped:
    """Remove the blobs, each with the marker that vouches for it; what is not there is no trouble.

    While the phone has ample room they stay: the next run of the suite need not send them again.
    """
    freed_bytes = 0
    async with await session.files() as files:
        if await files.free_bytes() >= AMPLE_BYTES:
            return Dropped(bytes=0)
        for blob in request.blobs:
            path = f"{INBOX}/blobs/{blob.sha256}"
            entry = await files.entry(path)
            if entry is not None:
                await files.remove(f"{path}.verified")
                await files.remove(path)
                freed_bytes += entry.bytes
    return Dropped(bytes=freed_bytes)
