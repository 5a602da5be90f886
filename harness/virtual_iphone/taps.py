"""A tap on the runner app's icon: it runs every unfinished job of its inbox, in the order of their names."""

from __future__ import annotations

from pathlib import Path

from harness.virtual_iphone.phone import Phone
from harness.virtual_iphone.processes import ProcessEnd

_LAST_EVENTS = (b'"event":"job_finished"', b'"event":"job_failed"')
_TAIL_BYTES = 4096


async def tap(phone: Phone, bundle_id: str) -> list[ProcessEnd]:
    """How each job's process ended; the rest is left where one does not finish or fail properly.

    The app runs them in one process; here each has its own, so that the phone sees one process after another.

    Raises:
        LaunchRefusedError: the phone does not start the app.
    """
    app = phone.apps.find(bundle_id)
    jobs = unfinished_jobs(app.container / "Documents" / "inbox") if app is not None else []
    ends: list[ProcessEnd] = []
    for job_id in jobs or [""]:
        arguments = ("--run-job", job_id) if job_id else ()
        process = await phone.processes.launch(bundle_id, arguments)
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
