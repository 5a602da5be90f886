"""How a job ended, from every kind of evidence, and from reports that are hostile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.events import Event, JobFailed, Memory, Stage, StageFinished
from harness.core.runs import JobOutcome, JobStatus
from harness.targets.iphone.crash_reports import Crash, Jetsam, parse_report
from harness.targets.iphone.ending import outcome_of_evidence
from harness.targets.iphone.messages import Evidence, Report
from harness.targets.iphone.trouble import Trouble

PAGE = 16384
LOADED: tuple[Event, ...] = (
    StageFinished(t_ns=1, stage=Stage.START, memory=Memory()),
    StageFinished(
        t_ns=2,
        stage=Stage.LOAD,
        duration_ns=1,
        memory=Memory(footprint_bytes=100_000_000, limit_remaining_bytes=1_900_000_000),
    ),
)


def ips(header: dict[str, Any], body: dict[str, Any]) -> str:
    return f"{json.dumps(header)}\n{json.dumps(body, indent=1)}\n"


def jetsam(**process: Any) -> str:
    victim = {"name": "HarnessRunner", "pid": 7, "reason": "per-process-limit", "rpages": 125_000} | process
    return ips(
        {"bug_type": "298"},
        {"memoryStatus": {"pageSize": PAGE}, "processes": [{"name": "other", "pid": 1, "rpages": 9}, victim]},
    )


def crash(**body: Any) -> str:
    return ips(
        {"bug_type": "309"},
        {
            "procName": "HarnessRunner",
            "pid": 7,
            "exception": {"type": "EXC_BAD_ACCESS", "signal": "SIGSEGV"},
            "termination": {"namespace": "SIGNAL", "code": 11, "indicator": "Segmentation fault: 11"},
        }
        | body,
    )


def ended(evidence: Evidence, events: tuple[Event, ...] = LOADED) -> JobOutcome:
    outcome = outcome_of_evidence("job", events, evidence, idle_limit_s=30, wall_ns=5)
    assert outcome.problem and outcome.next_step
    return outcome


def with_report(text: str) -> Evidence:
    return Evidence(
        signal=9,
        is_gone=True,
        reports=(Report(name="r.ips", text=text),),
        process_name="HarnessRunner",
        pid=7,
    )


def test_jetsam_has_footprint_and_limit() -> None:
    outcome = ended(with_report(jetsam(memoryLimit=122_071)))
    assert (outcome.status, outcome.code, outcome.stage) == (JobStatus.OUT_OF_MEMORY, "jetsam", Stage.COMPILE)
    assert (outcome.footprint_bytes, outcome.limit_bytes) == (125_000 * PAGE, 122_071 * PAGE)
    assert "2048 MB of 2000 MB" in outcome.problem


def test_a_limit_that_the_report_lacks_is_the_runners() -> None:
    assert ended(with_report(jetsam())).limit_bytes == 2_000_000_000


def test_a_report_about_another_process_is_none() -> None:
    outcome = ended(with_report(jetsam(pid=8)))
    assert (outcome.status, outcome.code) == (JobStatus.CRASHED, "sigkill")
    assert parse_report(crash(pid=8), "HarnessRunner", 7) is None
    assert parse_report(crash(procName="Other"), "HarnessRunner", None) is None


def test_a_crash_and_the_watchdog() -> None:
    outcome = ended(with_report(crash()))
    assert (outcome.status, outcome.code) == (JobStatus.CRASHED, "sigsegv")
    assert "EXC_BAD_ACCESS" in outcome.problem and "r.ips" in outcome.problem
    killed = ended(with_report(crash(termination={"namespace": "FRONTBOARD", "code": 0x8BADF00D})))
    assert (killed.status, killed.code) == (JobStatus.WATCHDOG, "watchdog")


@pytest.mark.parametrize(
    ("evidence", "status", "code"),
    [
        (Evidence(trouble=Trouble.LOCKED, problem="x"), JobStatus.LOCKED, "locked"),
        (Evidence(trouble=Trouble.LOST, problem="x"), JobStatus.DISCONNECTED, "lost"),
        (Evidence(trouble=Trouble.SILENT, problem="x"), JobStatus.DISCONNECTED, "silent"),
        (Evidence(is_gone=True, was_silent=True), JobStatus.TIMED_OUT, "timed_out"),
        (Evidence(is_gone=True, signal=11), JobStatus.CRASHED, "sigsegv"),
        (Evidence(is_gone=True, exit_status=2), JobStatus.CRASHED, "exit_2"),
        (Evidence(is_gone=True), JobStatus.CRASHED, "gone"),
        (Evidence(damaged_log="line 3"), JobStatus.CRASHED, "log_damaged"),
    ],
)
def test_every_other_end(evidence: Evidence, status: JobStatus, code: str) -> None:
    outcome = ended(evidence)
    assert (outcome.status, outcome.code) == (status, code)
    assert outcome.status.is_interrupted == (status in (JobStatus.LOCKED, JobStatus.DISCONNECTED))


def test_the_runners_own_words_come_first() -> None:
    failed = JobFailed(t_ns=3, stage=Stage.LOAD, code="model_invalid", message="no model")
    outcome = ended(with_report(crash()), (*LOADED, failed))
    assert (outcome.status, outcome.code, outcome.problem) == (JobStatus.REFUSED, "model_invalid", "no model")


def test_what_came_in_between_is_kept() -> None:
    assert ended(Evidence(is_gone=True, interruptions=("the cable",))).interruptions == ("the cable",)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
_KEYS = ("memoryStatus", "processes", "procName", "pid", "exception", "termination", "pageSize", "reasons")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=6), st.text(max_size=30))
def test_no_report_breaks_it(body: dict[str, Any], garbage: str) -> None:
    for text in (ips({"bug_type": "298"}, body), ips({}, body), garbage, garbage + "\n" + garbage):
        assert isinstance(parse_report(text, "HarnessRunner", 7), Crash | Jetsam | None)
