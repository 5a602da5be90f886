"""A tap on the runner app's icon: it runs every unfinished job of its inbox, in the order of their names."""

from __future__ import annotations

from pathlib import Path

from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.processes import LaunchRefusedError, ProcessEnd

_LAST_EVENTS = (b'"event":"job_finished"', b'"event":"job_failed"')
_TAIL_BYTES = 4096


async def tap(phone: Phone, bundle_id: str) -> list[ProcessEnd]:
    """How each job's process ended; the rest is left where one does not finish or fail properly.

    The app runs them in one process; here each has its own, so that the phone sees one process after another. With no
    job nothing is started: the app would show its screen and wait.

    Raises:
        LaunchRefusedError: the phone does not start the app.
    """
    app = phone.apps.find(bundle_id)
    if app is None:
        raise LaunchRefusedError("not-installed", bundle_id)
    jobs = unfinished_jobs(app.container / "Documents" / "inbox")
    ends: list[ProcessEnd] = []
    for job_id in jobs:
        process = await phone.processes.launch(bundle_id, ("--run-job", job_id))
        ends.append(await process.ended)
        if ends[-1].reason != "exit":
            break
    return ends


def unfinished_jobs(inbox: Path) -> list[str]:
    """The jobs whose log does not say that they are over."""
    return sorted(
        file.parent.name
        for file in inbox.glob("jobs/*/job.json")
        if not _is_over(file.with_name("events.jsonl"))
    )


def _is_over(log: Path) -> bool:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            tail = file.read()
    except FileNotFoundError:
        return False
    lines = tail.splitlines()
    return bool(lines) and tail.endswith(b"\n") and any(event in lines[-1] for event in _LAST_EVENTS)
