"""A variant that crashes, hangs or is refused fails alone; the others are measured and the report says why."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk import AGREES, Desk, assert_explained, measured, not_measured

from harness.core.events import Stage
from harness.core.runs import JobStatus
from harness.core.verdict import Answer as Verdict
from harness.targets.runner_executable import runner_executable

ALL_MUST_PASS = '[policy]\ncandidates = ["float32", "float16", "rounded"]\n' + AGREES
RECIPES = ("float32", "float16", "rounded")


@pytest.fixture
def bad_runner(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets HARNESS_RUNNER to a script that does ``BEHAVIOUR`` for the float16 jobs and else runs the real runner."""
    script = desk.write(
        "runner.sh",
        "#!/bin/sh\n"
        'case "$2" in\n'
        '  *float16*) eval "$BEHAVIOUR" ;;\n'
        "esac\n"
        f'exec "{runner_executable()}" "$@"\n',
    )
    script.chmod(0o755)
    monkeypatch.setenv("HARNESS_RUNNER", str(script))
    desk.tensors()


@pytest.mark.usefixtures("bad_runner")
@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        ("kill -SEGV $$", JobStatus.CRASHED, "sigsegv"),
        ("kill -KILL $$", JobStatus.CRASHED, "sigkill"),
        ("echo the library is gone >&2; exit 7", JobStatus.CRASHED, "exit_7"),
        ("exec sleep 600", JobStatus.TIMED_OUT, "timed_out"),
    ],
    ids=["sigsegv", "sigkill", "exit", "hang"],
)
def test_the_rest_of_the_run_is_measured(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, behaviour: str, status: JobStatus, code: str
) -> None:
    monkeypatch.setenv("BEHAVIOUR", behaviour)
    suite = desk.suite(recipes=RECIPES, run="idle_limit_seconds = 1.0\n")
    answer = desk.harness("run", suite)
    assert answer.status == 0, answer
    report = desk.report()
    failed = not_measured(report, "float16")
    assert (failed.outcome, failed.code, failed.stage) == ("failed", code, Stage.START)
    assert failed.next_step
    for name in ("float32", "rounded"):
        assert measured(report, name).agreement.top1.trials == 12
    assert report.is_complete
    outcomes = {job.job_id: desk.newest().outcome(job.job_id) for job in desk.newest().schedule()}
    first, second = outcomes["r00-float16"], outcomes["r01-float16"]
    assert first is not None and first.status is status
    assert second is not None and second.status is JobStatus.SKIPPED
    assert "float16" not in report.verdict.releasable
    assert "float16" in answer.out and failed.problem.split(":")[0] in answer.out
    # The same policy says more when it asks for that variant.
    strict = desk.write("strict.toml", ALL_MUST_PASS)
    gated = desk.harness("gate", desk.newest().path, "--policy", strict)
    assert gated.status == 1 and "float16" in gated.out


@pytest.mark.usefixtures("bad_runner")
def test_a_candidate_that_crashes_fails_the_gate(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEHAVIOUR", "kill -SEGV $$")
    assert desk.harness("run", desk.suite(recipes=RECIPES, policy=ALL_MUST_PASS)).status == 1
    verdict = desk.report().verdict
    assert verdict.answer is Verdict.FAIL
    assert "float16" in verdict.reason and "SIGSEGV" in verdict.reason


@pytest.mark.usefixtures("bad_runner")
def test_a_crash_in_a_later_round(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEHAVIOUR", 'case "$2" in *r01*) kill -SEGV $$ ;; esac')
    assert desk.harness("run", desk.suite(recipes=RECIPES)).status == 0
    assert not_measured(desk.report(), "float16").code == "sigsegv"


@pytest.mark.usefixtures("bad_runner")
def test_a_replayed_crash_is_the_same_crash(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEHAVIOUR", "kill -SEGV $$")
    suite = desk.suite(recipes=RECIPES)
    assert desk.harness("run", suite).status == 0
    first = not_measured(desk.report(), "float16")
    assert desk.harness("run", suite, "--target", f"replay:{desk.newest().path}").status == 0
    assert not_measured(desk.report(), "float16") == first


@pytest.mark.usefixtures("bad_runner")
def test_every_variant_crashes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEHAVIOUR", "kill -SEGV $$")
    answer = desk.harness("run", desk.suite(recipes=("float16",)))
    assert answer.status == 3
    assert desk.report().verdict.answer is Verdict.UNDECIDED


@pytest.mark.usefixtures("bad_runner")
def test_a_runner_used_wrongly_stops_the_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 2 is no trouble of the model: nothing is blamed on the variant, and the run can be resumed."""
    monkeypatch.setenv("BEHAVIOUR", "echo what is --runtime >&2; exit 2")
    answer = desk.harness("run", desk.suite(recipes=RECIPES))
    assert_explained(answer, 4, "r00-float16", "what is --runtime")
    monkeypatch.setenv("BEHAVIOUR", ":")
    assert desk.harness("run", "--resume").status == 0
    assert measured(desk.report(), "float16").agreement.top1.trials == 12


def test_records_that_do_not_fit_the_model(desk: Desk, tmp_path: Path) -> None:
    import numpy as np

    np.save(tmp_path / "inputs.npy", np.zeros((4, 8, 8, 4), np.float32))
    answer = desk.harness("run", desk.suite(recipes=("float32",)))
    assert_explained(answer, 2, "image_float32.tflite")


@pytest.mark.parametrize("runner", ["missing", "not-executable", "not-a-program"])
def test_the_runner_is_no_runner(desk: Desk, monkeypatch: pytest.MonkeyPatch, runner: str) -> None:
    path = desk.folder / "runner"
    if runner != "missing":
        desk.write("runner", "no program\n").chmod(0o755 if runner == "not-a-program" else 0o644)
    monkeypatch.setenv("HARNESS_RUNNER", str(path))
    desk.tensors()
    assert_explained(desk.harness("run", desk.suite(recipes=("float32",))), 4, str(path))
    doctor = desk.harness("doctor")
    assert doctor.status == 4 and str(path) in doctor.out.replace("\n", "")
