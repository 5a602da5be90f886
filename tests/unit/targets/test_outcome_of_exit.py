"""How a job ended, from the runner's exit status and its log."""

from __future__ import annotations

import signal

import pytest

from harness.core.events import (
    Device,
    Event,
    JobFailed,
    JobFinished,
    JobStarted,
    Memory,
    Runner,
    Runtime,
    Stage,
    StageFinished,
    TargetClass,
)
from harness.core.runs import JobStatus
from harness.targets.base import outcome_of_exit, stage_in_progress

STARTED = JobStarted(
    t_ns=0,
    wire_version=1,
    job_id="j",
    attempt=1,
    unix_ns=1,
    runner=Runner(version="1", platform="p", build="b"),
    runtime=Runtime(name="LiteRT", version="2", library="l"),
    device=Device(
        target_class=TargetClass.LOCAL, model="m", os="o", os_version="1", cpu="c", logical_cores=1
    ),
    threads=1,
)


def finished_stage(stage: Stage) -> StageFinished:
    return StageFinished(t_ns=1, stage=stage, duration_ns=1, memory=Memory())


@pytest.mark.parametrize(
    ("done", "now"),
    [
        ([], Stage.START),
        ([Stage.START], Stage.LOAD),
        ([Stage.START, Stage.LOAD], Stage.COMPILE),
        ([Stage.COMPILE], Stage.FIRST_RUN),
        ([Stage.FIRST_RUN], Stage.WARMUP),
        ([Stage.WARMUP], Stage.STEADY),
        ([Stage.STEADY], Stage.STEADY),
    ],
)
def test_the_stage_in_progress(done: list[Stage], now: Stage) -> None:
    assert stage_in_progress([STARTED, *map(finished_stage, done)]) is now


def test_a_new_attempt_begins_anew() -> None:
    assert stage_in_progress([STARTED, finished_stage(Stage.COMPILE), STARTED]) is Stage.START


def outcome(
    returncode: int, *events: Event, error_text: str = ""
) -> tuple[JobStatus, Stage | None, str, str]:
    found = outcome_of_exit("j", returncode, events, error_text=error_text, wall_ns=3)
    assert found.wall_ns == 3 and found.job_id == "j"
    assert (found.status is JobStatus.FINISHED) == (found.next_step == "")
    return found.status, found.stage, found.code, found.problem


FINISHED = JobFinished(
    t_ns=2, steady_samples=1, output_records=1, outputs_bytes=4, outputs_sha256="0" * 64, repeat_mismatches=0
)


def test_the_log_is_the_truth_of_the_end() -> None:
    """A runner that is ended while it exits has finished its job all the same."""
    assert outcome(0, STARTED, FINISHED)[0] is JobStatus.FINISHED
    assert outcome(-signal.SIGTERM, STARTED, FINISHED)[0] is JobStatus.FINISHED


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("model_invalid", JobStatus.REFUSED),
        ("compile_failed", JobStatus.REFUSED),
        ("something_new", JobStatus.REFUSED),
        ("out_of_memory", JobStatus.OUT_OF_MEMORY),
    ],
)
def test_the_runners_own_words(code: str, status: JobStatus) -> None:
    failed = JobFailed(t_ns=2, stage=Stage.COMPILE, code=code, message="why")
    assert outcome(3, STARTED, failed) == (status, Stage.COMPILE, code, "why")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGBUS])
def test_a_signal_has_its_name(number: signal.Signals) -> None:
    status, stage, code, problem = outcome(-number, STARTED, finished_stage(Stage.START))
    assert (status, stage, code) == (JobStatus.CRASHED, Stage.LOAD, number.name.lower())
    assert number.name in problem


def test_a_kill_may_be_want_of_memory() -> None:
    found = outcome_of_exit("j", -signal.SIGKILL, [STARTED], error_text="", wall_ns=0)
    assert "memory" in found.next_step


def test_a_signal_without_a_name() -> None:
    assert outcome(-200)[2] == "signal 200"


def test_another_exit_status_tells_the_last_words() -> None:
    status, stage, code, problem = outcome(7, error_text="first\nlast words\n")
    assert (status, stage, code) == (JobStatus.CRASHED, Stage.START, "exit_7")
    assert problem.endswith("last words")
