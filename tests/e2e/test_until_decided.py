"""Sampling until decided, with the real runner: it stops, says why, goes on after a cut, and is judged again alike."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, assert_explained, end, jobs, measured, runner_processes, wait_until_measuring

from harness.core.joblog import steady_samples
from harness.core.rule_result import Answer
from harness.core.runs import JobOutcome, JobStatus
from harness.core.sequential import Decision
from harness.store import list_runs
from harness.targets.base import OnEvent
from harness.targets.local import LocalTarget

INPUTS = 160
SEQUENTIAL = "until_decided = {{max_rounds = {rounds}, inputs_per_round = {inputs}}}\n"
POLICY = (
    '[policy]\ncandidates = ["float16"]\nindifference = 0.2\n'
    '[[policy.rules]]\nmetric = "top1_agreement"\nmin = 0.75\n'
    '[[policy.rules]]\nmetric = "p50_latency"\nmax_ms = 1000\n'
)


def suite(desk: Desk, *, rounds: int = 20, inputs: int = 8, policy: str = POLICY, min_runs: int = 20) -> str:
    desk.tensors(count=INPUTS)
    run = SEQUENTIAL.format(rounds=rounds, inputs=inputs)
    return str(desk.suite(run=run, policy=policy, min_runs=min_runs))


def test_it_stops_as_soon_as_every_rule_is_decided(desk: Desk) -> None:
    answer = desk.harness("run", suite(desk))
    assert answer.status == 0, answer
    report = desk.report()
    end_of_sampling = report.sampling_end
    assert end_of_sampling is not None and end_of_sampling.is_decided
    # Six rounds decide a clear latency; as many inputs of the 160 were enough for agreement, so the rest never ran.
    assert end_of_sampling.rounds == 6
    float16 = measured(report, "float16")
    assert float16.agreement.top1.trials == 6 * 8 == len(float16.inputs_run or ())
    # The reference is no candidate and nothing is relative to it: one round of it was enough.
    assert measured(report, "float32").agreement.top1.trials == 8
    order = list_runs(desk.runs)[-1].input_order()
    assert order is not None and sorted(order.tolist()) == list(range(INPUTS))
    assert list(float16.inputs_run or ()) == sorted(order[:48].tolist())
    assert "6 rounds, sampled until decided" in answer.out
    # The same samples, the same answer, with no device at hand; and by another policy another.
    gate = desk.harness("gate", list_runs(desk.runs)[-1].path, "--json")
    assert gate.status == 0
    again = json.loads(gate.out)["results"]
    assert again == json.loads(report.verdict.model_dump_json())["results"]
    strict = desk.write("strict.toml", POLICY.replace("0.75", "0.999"))
    assert desk.harness("gate", list_runs(desk.runs)[-1].path, "--policy", strict).status == 3


def test_each_record_reaches_the_runner_where_the_order_says(desk: Desk) -> None:
    """Outputs are compared input by input: float32 against itself agrees only if nothing was shuffled on the way."""
    assert desk.harness("run", suite(desk, rounds=4, policy="")).status == 3
    report = desk.report()
    assert report.sampling_end is not None and report.sampling_end.rounds == 1
    float32 = measured(report, "float32")
    assert float32.agreement.largest_absolute_difference is not None
    assert float32.agreement.largest_absolute_difference < 1e-5
    for _, log in jobs(desk.newest()):
        assert set(steady_samples(log)[0].tolist()) == set(log.inputs.tolist())
        assert log.inputs.tolist() != list(range(8))


def test_the_budget_ends_it_undecided(desk: Desk) -> None:
    undecidable = POLICY.replace("0.75", "1.0")
    answer = desk.harness("run", suite(desk, rounds=3, policy=undecidable))
    assert answer.status == 3
    report = desk.report()
    assert report.sampling_end is not None and not report.sampling_end.is_decided
    assert report.sampling_end.reason == "The budget of 3 rounds is spent."
    (agreement,) = [
        one for one in report.verdict.results if one.rule.limit == 1.0 and one.variant == "float16"
    ]
    assert agreement.answer is Answer.UNDECIDED
    assert agreement.evidence is not None and agreement.evidence.decision is Decision.OPEN
    assert "budget of 3 rounds" in agreement.reason


def test_inputs_that_all_ran_are_not_counted_again(desk: Desk) -> None:
    undecidable = POLICY.replace("0.75", "1.0")
    assert desk.harness("run", suite(desk, rounds=30, inputs=80, policy=undecidable)).status == 3
    report = desk.report()
    # Two rounds run all inputs, six decide the latency; the agreement stays open.
    assert report.sampling_end is not None and report.sampling_end.rounds == 6
    assert "All 160 inputs have run" in report.sampling_end.reason
    found = {one.rule.metric.value: one for one in report.verdict.results if one.variant == "float16"}
    assert found["p50_latency"].answer is Answer.PASS
    agreement = found["top1_agreement"].evidence
    assert agreement is not None and agreement.units == INPUTS


def test_a_run_that_was_cut_off_goes_on_where_it_was(desk: Desk) -> None:
    process = desk.start("run", suite(desk, min_runs=60_000))
    try:
        folder = wait_until_measuring(desk, process, 3)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not folder.is_complete
        before = folder.schedule()
        assert desk.harness("run", "--resume").status == 0
    finally:
        end(process)
        for one in list_runs(desk.runs):
            for orphan in runner_processes(one):
                os.kill(orphan, signal.SIGKILL)
    assert folder.is_complete
    assert folder.schedule()[: len(before)] == before
    for job, log in jobs(folder):
        assert len(steady_samples(log)[1]) >= job.settings.steady.min_runs
    report = desk.report()
    assert report.sampling_end is not None and report.sampling_end.is_decided
    assert measured(report, "float16").agreement.top1.trials == 48


def test_a_device_in_the_way_leaves_the_run_to_be_resumed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a phone whose cable was pulled in the third round: no further round is begun on it."""
    real_run, calls = LocalTarget.run, []

    def pulled(self: LocalTarget, root: Path, job_id: str, on_event: OnEvent) -> JobOutcome:
        calls.append(job_id)
        if job_id.startswith("r02"):
            return JobOutcome(job_id=job_id, status=JobStatus.DISCONNECTED, code="lost")
        return real_run(self, root, job_id, on_event)

    monkeypatch.setattr(LocalTarget, "run", pulled)
    assert desk.harness("run", suite(desk)).status == 3
    assert calls[-1] == "r02-float16" and not desk.newest().is_complete
    assert desk.newest().sampling_end() is None
    monkeypatch.setattr(LocalTarget, "run", real_run)
    assert desk.harness("run", "--resume").status == 0
    assert desk.newest().is_complete
    assert measured(desk.report(), "float16").agreement.top1.trials == 48


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("{max_rounds = 0}", "max_rounds"),
        ("{max_round = 3}", "max_round"),
        ("{max_seconds = -1}", "max_seconds"),
    ],
)
def test_a_wrong_table_is_explained(desk: Desk, table: str, says: str) -> None:
    desk.tensors()
    assert_explained(desk.harness("run", desk.suite(run=f"until_decided = {table}\n")), 2, "suite.toml", says)


def test_the_option_turns_it_on_and_a_resumed_run_keeps_what_it_is(desk: Desk) -> None:
    desk.tensors(count=40)
    plain = desk.suite(policy=POLICY, recipes=("float16",))
    assert_explained(desk.harness("run", "--resume", "--until-decided"), 2, "--until-decided")
    assert desk.harness("run", plain, "--until-decided").status in (0, 3)
    assert desk.newest().plan().until_decided is not None
    assert np.array(desk.newest().input_order()).shape == (40,)
