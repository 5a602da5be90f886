"""Sampling until decided: one more round of jobs, a look at the evidence, and so on. docs/statistics.md says why that
is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.measurements import Measurement, Result, result_name
from harness.core.policy import BASELINE
from harness.core.runs import JobStatus, SamplingBudget, SamplingEnd, ScheduledJob
from harness.core.sampling import next_shard, shard_size
from harness.core.schedule import further_round
from harness.core.sequential import EvidenceUnit
from harness.core.variants import Variant
from harness.core.verdict import RuleResult, judge, open_rules
from harness.pipeline.evaluate import read_log, variant_results
from harness.pipeline.measure import measure
from harness.pipeline.progress import Progress
from harness.pipeline.sampled_evidence import EvidenceReader
from harness.pipeline.stored_scores import StoredScores
from harness.store import RunFolder
from harness.suite.document import Suite
from harness.suite.policy import PolicySection
from harness.targets.base import Target
from harness.wire.blobs import BlobStore


def sample_until_decided(
    folder: RunFolder,
    suite: Suite,
    variants: Mapping[str, Variant],
    cache: BlobStore,
    target: Target,
    progress: Progress,
    *,
    policy: PolicySection,
    baseline: Sequence[Result] | None,
) -> None:
    """Run round after round until ``policy`` is decided for every candidate or the plan's budget is spent.

    A variant runs on as long as one of its rules, or of those relative to it, is open and more samples can decide it.
    Each round stands in the schedule before it runs, so a run that was cut off goes on where it was.

    Raises:
        TargetError: the target cannot be used; the run can be resumed.
    """
    budget = folder.plan().until_decided
    assert budget is not None
    gate = _Gate(folder, suite, policy, baseline)
    is_first = True
    while True:
        measure(folder, suite.variants.specs, variants, cache, target, progress, announce=is_first)
        is_first = False
        outcomes = [folder.outcome(job.job_id) for job in folder.schedule()]
        if any(outcome is None or outcome.status.is_interrupted for outcome in outcomes):
            # The device was in the way: another round would meet it again. The run can be resumed.
            return
        still_open = gate.open_rules()
        end, wanted = _next(folder, gate, still_open, budget)
        if end is not None:
            folder.write_sampling_end(end)
            return
        jobs = _further(folder, gate, wanted)
        progress.round_added(jobs, tuple(f"{one.variant} {one.rule.metric.value}" for one in still_open))


class _Gate:
    """The evidence so far, and what it decides."""

    def __init__(
        self,
        folder: RunFolder,
        suite: Suite,
        policy: PolicySection,
        baseline: Sequence[Result] | None,
    ) -> None:
        self.workload = folder.workload()
        order = folder.input_order()
        self.order = tuple(order.tolist()) if order is not None else tuple(range(len(self.workload.inputs)))
        self._folder = folder
        self._suite = suite
        self._policy = policy
        self._baseline = baseline
        self._scores = StoredScores(folder, len(self.workload.inputs), suite.model.output)
        self._reader = EvidenceReader(self._scores, self.workload)
        self._read: set[str] = set()
        self._results: dict[str, Result] = {}

    def open_rules(self) -> tuple[RuleResult, ...]:
        """The candidates' rules that more samples may decide, after reading what is new."""
        jobs = self._folder.schedule()
        outcomes = {job.job_id: self._folder.outcome(job.job_id) for job in jobs}
        order = self._folder.input_order()
        logs = [read_log(self._folder, job, order) for job in jobs if job.job_id not in self._read]
        self._reader.add(logs, outcomes)
        self._read.update(outcomes)
        # Who and where does not change from round to round, and the figures are the reader's: only failures are news.
        if not self._results or any(
            one and one.status is not JobStatus.FINISHED for one in outcomes.values()
        ):
            for found in variant_results(
                self._folder, self._suite, logs, outcomes, self._scores, self._policy.confidence
            ):
                is_news = isinstance(found, Measurement) or found.outcome == "failed"
                if is_news or result_name(found) not in self._results:
                    self._results[result_name(found)] = found
        results = tuple(self._results.values())
        verdict = judge(self._policy.policy, results, self._baseline, sampled=self._reader.evidence())
        return open_rules(verdict, results)


def _next(
    folder: RunFolder, gate: _Gate, still_open: Sequence[RuleResult], budget: SamplingBudget
) -> tuple[SamplingEnd | None, set[str]]:
    """Why sampling ends, or who runs on."""
    jobs = folder.schedule()
    rounds = 1 + max(job.round_index for job in jobs)
    outcomes = [folder.outcome(job.job_id) for job in jobs]
    spent_ns = sum(outcome.wall_ns for outcome in outcomes if outcome)
    all_ran = any(job.first_input + job.input_count == len(gate.order) for job in jobs)
    wanted: set[str] = set()
    for one in still_open:
        assert one.evidence is not None
        if one.evidence.unit is EvidenceUnit.ORIGINAL and all_ran:
            continue
        wanted.add(one.variant)
        if one.rule.relative_to not in (None, BASELINE):
            wanted.add(str(one.rule.relative_to))
    reason = None
    if not still_open:
        reason = "No rule is left that more samples would decide."
    elif not wanted:
        reason = f"All {len(gate.order)} inputs have run: add inputs to decide it."
    elif rounds >= budget.max_rounds:
        reason = f"The budget of {budget.max_rounds} rounds is spent."
    elif spent_ns >= budget.max_duration_ns:
        reason = f"The budget of {budget.max_duration_ns / 1e9:.6g} s is spent."
    if reason is None:
        return None, wanted
    return SamplingEnd(rounds=rounds, spent_ns=spent_ns, is_decided=not still_open, reason=reason), wanted


def _further(folder: RunFolder, gate: _Gate, wanted: set[str]) -> tuple[ScheduledJob, ...]:
    jobs, plan = folder.schedule(), folder.plan()
    last = max(jobs, key=lambda job: job.round_index)
    least = shard_size(plan, len(gate.order))
    shard = next_shard(gate.order, gate.workload, last.first_input + last.input_count, least)
    names = [name for name in dict.fromkeys(job.variant for job in jobs) if name in wanted]
    further = further_round(names, last.round_index + 1, shard, plan.seed)
    folder.write_schedule((*jobs, *further), gate.order)
    return further
