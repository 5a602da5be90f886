"""Whether the runner starts on the phone, and what it says of the phone's state: by a job that it has to refuse."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
import time
from pathlib import Path

from harness.core.events import JobFailed, StageFinished
from harness.core.jobs import DType, Job, JobInput, RunSettings, StopRule, TensorEncoding
from harness.targets.iphone.deploy import deploy
from harness.targets.iphone.device.connect import attached_phones, inspect_phone
from harness.targets.iphone.device.session import PhoneSession
from harness.targets.iphone.follow import LogFollower
from harness.targets.iphone.messages import LaunchMode, PhoneState
from harness.targets.iphone.trouble import PhoneTrouble, Trouble
from harness.wire.blobs import BlobStore
from harness.wire.event_log import read_events
from harness.wire.job_folder import job_folder, write_job

_JOB_ID = "doctor"
_LIMIT_S = 20.0
_NO_MODEL = b"no model: harness doctor asks whether the runner starts"


async def probe(session: PhoneSession) -> PhoneState:
    """The phone's state with what the runner told; ``trouble`` and ``problem`` say why it did not start.

    Raises:
        PhoneTrouble: the phone is not there.
    """
    phone = next((one for one in await attached_phones() if one.udid == session.udid), None)
    if phone is None:
        raise PhoneTrouble(Trouble.NOT_ATTACHED, f"no phone with UDID {session.udid} is attached")
    state = await inspect_phone(phone.udid, " and ".join(phone.connections))
    if state.trouble is not None or state.runner is None:
        return state
    try:
        with tempfile.TemporaryDirectory() as folder:
            await _run(session, Path(folder))
            return state.model_copy(update=_said(Path(folder)) | {"has_started": True})
    except PhoneTrouble as trouble:
        return state.model_copy(
            update={"trouble": trouble.kind, "problem": trouble.problem, "has_started": False}
        )


async def _run(session: PhoneSession, root: Path) -> None:
    runner = await session.runner()
    developer = await session.developer(LaunchMode.AUTO)
    if developer is None:
        raise PhoneTrouble(Trouble.DEVELOPER_MODE_OFF, session.tap_reason)
    write_job(root, _job(BlobStore(root)))
    follower = LogFollower(job_folder(root, _JOB_ID), _JOB_ID, lambda note: None)
    async with await session.files() as files:
        await deploy(files, root, [_JOB_ID], secrets.token_hex(16), lambda note: None)
        pid = await developer.launch(runner.bundle_id, ["--run-job", _JOB_ID])
        deadline_s = time.monotonic() + _LIMIT_S
        while not follower.is_final and time.monotonic() < deadline_s:
            await developer.wait(follower.poll_s)
            await follower.look(files)
        await developer.kill(pid)
        await follower.remove(files)
        await files.remove(f"Documents/inbox/blobs/{hashlib.sha256(_NO_MODEL).hexdigest()}")
    if not isinstance(follower.last, JobFailed):
        raise PhoneTrouble(Trouble.REFUSED, f"the runner was launched and said nothing for {_LIMIT_S:g} s")


def _job(store: BlobStore) -> Job:
    blob = store.put_bytes(_NO_MODEL)
    once = StopRule(min_runs=1, min_duration_ns=0)
    return Job(
        job_id=_JOB_ID,
        variant="doctor",
        model=blob,
        inputs=(JobInput(blob=blob, encoding=TensorEncoding(dtype=DType.UINT8, shape=(blob.bytes,))),),
        first_input=0,
        input_count=1,
        settings=RunSettings(threads=1, warmup=once, steady=once),
    )


def _said(root: Path) -> dict[str, object]:
    """The conditions that came with the first stage, where the runner's platform tells them."""
    for event in read_events(job_folder(root, _JOB_ID) / "events.jsonl"):
        if isinstance(event, StageFinished) and event.conditions is not None:
            conditions = event.conditions
            return {
                "thermal_state": conditions.thermal_state,
                "low_power_mode": conditions.low_power_mode,
            }
    return {}
