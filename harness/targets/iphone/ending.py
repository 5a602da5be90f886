"""How a job ended on a phone, from all the evidence there is. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.events import Event, JobFailed, JobFinished, StageFinished
from harness.core.runs import JobOutcome, JobStatus
from harness.targets.base import outcome_of_exit, stage_in_progress
from harness.targets.iphone.crash_reports import Crash, Jetsam, parse_report
from harness.targets.iphone.messages import Evidence
from harness.targets.iphone.trouble import Trouble

_REFUSED_TO_START = 2
_SIGKILL = 9
"""On the phone; the harness's own system may have no such signal."""


def outcome_of_evidence(
    job_id: str, events: Sequence[Event], evidence: Evidence, *, idle_limit_s: float, wall_ns: int
) -> JobOutcome:
    """The runner's own words count first, then what iOS reported, then how the process went away."""
    outcome = _outcome(job_id, events, evidence, idle_limit_s, wall_ns)
    return outcome.model_copy(update={"interruptions": evidence.interruptions})


def _outcome(
    job_id: str, events: Sequence[Event], evidence: Evidence, idle_limit_s: float, wall_ns: int
) -> JobOutcome:
    last = events[-1] if events else None
    if isinstance(last, JobFinished | JobFailed):
        return outcome_of_exit(job_id, 0, events, error_text="", wall_ns=wall_ns)
    stage = stage_in_progress(events)

    def ended(
        status: JobStatus, code: str, problem: str, next_step: str, memory: Jetsam | None = None
    ) -> JobOutcome:
        return JobOutcome(
            job_id=job_id,
            status=status,
            stage=stage,
            code=code,
            problem=problem,
            next_step=next_step,
            wall_ns=wall_ns,
            footprint_bytes=memory.footprint_bytes if memory else None,
            limit_bytes=memory.limit_bytes if memory else None,
        )

    if evidence.damaged_log:
        return ended(
            JobStatus.CRASHED,
            "log_damaged",
            f"the runner's event log on the phone cannot be read: {evidence.damaged_log}",
            "Check that the runner is this harness's: harness doctor --target iphone. Then run the suite again.",
        )
    if evidence.trouble is Trouble.LOCKED:
        return ended(
            JobStatus.LOCKED,
            "locked",
            f"the phone locked its screen in stage {stage.value}: iOS suspends the app then",
            Trouble.LOCKED.advice,
        )
    if evidence.trouble is not None:
        return ended(
            JobStatus.DISCONNECTED,
            evidence.trouble.value,
            f"the phone went away in stage {stage.value}: {evidence.problem}",
            evidence.trouble.advice,
        )
    for report in evidence.reports:
        said = parse_report(report.text, evidence.process_name, evidence.pid)
        if isinstance(said, Jetsam):
            said = said.model_copy(update={"limit_bytes": said.limit_bytes or _limit_told(events)})
            return ended(
                JobStatus.OUT_OF_MEMORY,
                "jetsam",
                f"iOS ended the app for memory ({said.reason}) in stage {stage.value}{_against_limit(said)}",
                'Try a smaller variant, or loading = "mapped" in the suite; phones with more memory allow more.',
                memory=said,
            )
        if isinstance(said, Crash) and said.is_watchdog:
            return ended(
                JobStatus.WATCHDOG,
                "watchdog",
                f"iOS's watchdog ended the app in stage {stage.value}: {said.termination}",
                "The app did not answer the system in time: close other apps and try again, or use a smaller variant.",
            )
        if isinstance(said, Crash):
            words = " ".join(word for word in (said.exception, said.signal) if word) or said.termination
            return ended(
                JobStatus.CRASHED,
                (said.signal or said.exception or "crashed").lower(),
                f"the runner died of {words} in stage {stage.value} ({report.name})",
                "The runtime crashed on this variant: build it by another recipe, or report it to LiteRT.",
            )
    if evidence.was_silent:
        return ended(
            JobStatus.TIMED_OUT,
            "timed_out",
            f"the runner wrote nothing for {idle_limit_s:g} s in stage {stage.value} and was ended",
            "Raise run.idle_limit_seconds in the suite if the model is that slow.",
        )
    if evidence.signal:
        problem = outcome_of_exit(job_id, -evidence.signal, events, error_text="", wall_ns=wall_ns)
        if evidence.signal == _SIGKILL:
            return problem.model_copy(
                update={
                    "next_step": "iOS left no report of it: perhaps the app was closed by hand. Try again."
                }
            )
        return problem
    if evidence.exit_status is not None:
        said_nothing = (
            "see the app's own screen" if evidence.exit_status == _REFUSED_TO_START else "it said nothing"
        )
        return outcome_of_exit(
            job_id, evidence.exit_status, events, error_text=said_nothing, wall_ns=wall_ns
        ).model_copy(update={"next_step": "Run 'harness doctor --target iphone' to check the runner."})
    return ended(
        JobStatus.CRASHED,
        "gone",
        f"the runner is gone in stage {stage.value}, and the phone does not say why",
        "Try again; if it stays, look for reports under Settings > Privacy & Security > Analytics on the phone.",
    )


def _limit_told(events: Sequence[Event]) -> int | None:
    """What the runner could use at most, by its last figures: what it used and what was left of the limit."""
    for event in reversed(events):
        if isinstance(event, StageFinished):
            used, left = event.memory.footprint_bytes, event.memory.limit_remaining_bytes
            if used is not None and left is not None:
                return used + left
    return None


def _against_limit(said: Jetsam) -> str:
    if said.footprint_bytes is None:
        return ""
    limit = f" of {said.limit_bytes / 1e6:.0f} MB allowed" if said.limit_bytes else ""
    return f": it used {said.footprint_bytes / 1e6:.0f} MB{limit}"
