"""From a stored run to its report: read events and outputs, measure, find, judge. Needs no device and no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.device_findings import find_on_device, set_aside
from harness.core.events import TargetClass
from harness.core.findings import find
from harness.core.joblog import (
    JobLog,
    attempts,
    event_count,
    inference_ns,
    job_log,
    round_latencies,
)
from harness.core.measurements import Measurement, NotMeasured, Result, not_built
from harness.core.metrics import measure
from harness.core.report import RunReport
from harness.core.runs import JobOutcome, JobStatus, ScheduledJob
from harness.core.system_memory import SystemMemory
from harness.core.variants import FailedBuild, Variant
from harness.core.verdict import judge
from harness.core.workload import Workload
from harness.errors import RunError
from harness.pipeline.sampled_evidence import EvidenceReader
from harness.pipeline.stored_scores import StoredScores
from harness.store import RunFolder, read_report
from harness.suite.document import Suite
from harness.suite.policy import PolicySection
from harness.suite.read import parse_suite
from harness.wire.event_log import EventLogReader
from harness.wire.job_folder import job_folder
from harness.wire.strict_json import read_value


def suite_of(folder: RunFolder) -> Suite:
    """The suite that the run was planned by, from the copy in its plan."""
    plan = folder.plan()
    return parse_suite(plan.suite_toml, where=plan.suite_path)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A run's report, and the event logs that it was made from."""

    report: RunReport
    logs: list[JobLog]


def evaluate(
    folder: RunFolder, policy: PolicySection | None = None, policy_base: Path | None = None
) -> RunReport:
    """The report of a run as it is stored now, judged by ``policy`` (none: the suite's own).

    ``policy_base`` is the folder that a relative baseline path starts from (none: the suite's).

    Raises:
        RunError: the run was cut off before there was anything to evaluate.
        WireError: an event log or an output file is damaged.
    """
    return evaluation(folder, policy, policy_base).report


def evaluation(
    folder: RunFolder, policy: PolicySection | None = None, policy_base: Path | None = None
) -> Evaluation:
    """As ``evaluate``, for who also wants the samples one by one."""
    plan = folder.plan()
    suite = suite_of(folder)
    if not (folder.has_workload() and folder.has_reference() and folder.has_schedule()):
        raise RunError(
            "the run was cut off before its first measurement",
            where=str(folder.path),
            next_step=f"Finish it: harness run --resume {folder.path}",
        )
    section = policy or suite.policy
    baseline = baseline_of(folder, (policy, policy_base or Path(plan.suite_path).parent) if policy else None)
    workload = folder.workload()
    reference = folder.reference()
    scores = StoredScores(folder, len(workload.inputs), suite.model.output)
    logs = read_logs(folder)
    outcomes = {job.job_id: folder.outcome(job.job_id) for job in folder.schedule()}
    results = variant_results(folder, suite, logs, outcomes, scores, section.confidence)
    end = folder.sampling_end()
    sampled = None
    if plan.until_decided is not None:
        reader = EvidenceReader(scores, workload)
        reader.add(logs, outcomes)
        sampled = reader.evidence(end.reason if end else "")
    verdict = judge(section.policy, results, baseline, round_latencies=_by_variant(logs), sampled=sampled)
    started = next((event for log in logs for event in attempts(log)), None)
    report = RunReport(
        plan=plan,
        target_description=plan.target,
        target_class=started.device.target_class if started else TargetClass.LOCAL,
        workload=workload,
        reference_engine=reference.engine,
        skipped_inputs=folder.skipped(),
        results=tuple(results),
        reference_variant=_reference_variant(results),
        chain=folder.chain(),
        findings=(
            *find(results, logs, workload, reference.engine),
            *find_on_device(
                logs, outcomes, _system_memory(folder, logs), plan.host.packages.get("ai-edge-litert")
            ),
            *set_aside(folder.set_aside()),
        ),
        verdict=verdict,
        sampling_end=end,
        set_aside=folder.set_aside(),
        jobs_done=sum(
            outcome is not None and not outcome.status.is_interrupted for outcome in outcomes.values()
        ),
        jobs_planned=len(outcomes),
        measuring_ns=sum(outcome.wall_ns for outcome in outcomes.values() if outcome),
        inference_ns=sum(inference_ns(log) for log in logs),
    )
    return Evaluation(report, logs)


def _system_memory(folder: RunFolder, logs: Sequence[JobLog]) -> dict[str, SystemMemory]:
    """What the phone's system counted, by job; only phones tell it."""
    found = {}
    for log in logs:
        path = job_folder(folder.path, log.job_id) / "system_memory.json"
        if path.is_file():
            found[log.job_id] = read_value(path, SystemMemory, next_step="Start a new run.")
    return found


def read_baseline(section: PolicySection, base: Path) -> tuple[Result, ...] | None:
    """The results of the policy's baseline, whose path starts from ``base``; ``None`` where it names none.

    Raises:
        WireError: it cannot be read.
    """
    return read_report(base / section.baseline).results if section.baseline is not None else None


def baseline_of(folder: RunFolder, judging: tuple[PolicySection, Path] | None) -> tuple[Result, ...] | None:
    """The results of the baseline that ``judging`` names; none is given: the suite's own policy.

    Where the file that the suite names is not on this machine, it is the run's copy of it.

    Raises:
        WireError: it cannot be read.
    """
    if judging is not None:
        return read_baseline(*judging)
    section, base = suite_of(folder).policy, Path(folder.plan().suite_path).parent
    if section.baseline is None or _is_there(base / section.baseline):
        return read_baseline(section, base)
    kept = folder.baseline()
    return kept.results if kept is not None else read_baseline(section, base)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # Below somebody else's home.
        return False


def variant_results(
    folder: RunFolder,
    suite: Suite,
    logs: Sequence[JobLog],
    outcomes: Mapping[str, JobOutcome | None],
    scores: StoredScores,
    confidence: float,
) -> list[Result]:
    """What is known of each variant of the suite that was built or failed to be, in its order."""
    workload = folder.workload()
    results: list[Result] = []
    for spec in suite.variants.specs:
        built = folder.variant(spec.name)
        of_variant = [log for log in logs if log.variant == spec.name]
        if isinstance(built, FailedBuild):
            results.append(not_built(built))
        elif built is not None:
            results.append(_result(folder, built, of_variant, outcomes, scores, workload, confidence))
    return results


def read_logs(folder: RunFolder) -> list[JobLog]:
    """The event logs of all jobs that have begun, in the order of the schedule."""
    order = folder.input_order()
    logs = (read_log(folder, job, order) for job in folder.schedule())
    return [log for log in logs if event_count(log)]


def read_log(folder: RunFolder, job: ScheduledJob, order: NDArray[np.int64] | None) -> JobLog:
    """The event log of one job, without events where it has not begun; ``order`` is the run's ``input_order``.

    Raises:
        WireError: a complete line that is not an event.
    """
    path = job_folder(folder.path, job.job_id) / "events.jsonl"
    return job_log(job, EventLogReader(path).new_events(), order)


def _by_variant(logs: Sequence[JobLog]) -> dict[str, list[NDArray[np.int64]]]:
    grouped: dict[str, list[JobLog]] = {}
    for log in logs:
        grouped.setdefault(log.variant, []).append(log)
    return {name: round_latencies(of_variant) for name, of_variant in grouped.items()}


def _result(
    folder: RunFolder,
    variant: Variant,
    logs: Sequence[JobLog],
    outcomes: Mapping[str, JobOutcome | None],
    scores: StoredScores,
    workload: Workload,
    confidence: float,
) -> Result:
    of_variant = [outcomes[job.job_id] for job in folder.schedule() if job.variant == variant.name]
    bad = (JobStatus.FINISHED, JobStatus.SKIPPED)
    failed = next(
        (
            outcome
            for outcome in of_variant
            if outcome and outcome.status not in bad and not outcome.status.is_interrupted
        ),
        None,
    )
    if failed is not None:
        return NotMeasured(
            outcome="failed",
            name=variant.name,
            stage=failed.stage,
            code=failed.code,
            problem=failed.problem,
            next_step=failed.next_step,
            variant=variant,
        )
    in_the_way = next((outcome for outcome in of_variant if outcome and outcome.status.is_interrupted), None)
    if in_the_way is not None:
        return NotMeasured(
            outcome="incomplete",
            name=variant.name,
            stage=in_the_way.stage,
            code=in_the_way.code,
            problem=in_the_way.problem,
            next_step=f"{in_the_way.next_step} Finish the run: harness run --resume {folder.path}",
            variant=variant,
        )
    if any(outcome is None for outcome in of_variant) or not logs:
        return NotMeasured(
            outcome="incomplete",
            name=variant.name,
            code="cut_off",
            problem=f"{sum(outcome is not None for outcome in of_variant)} of {len(of_variant)} jobs have run",
            next_step=f"Finish the run: harness run --resume {folder.path}",
            variant=variant,
        )
    in_part = folder.plan().until_decided is not None
    return measure(variant, logs, scores.of(logs), workload, confidence=confidence, in_part=in_part)


def _reference_variant(results: Sequence[Result]) -> str | None:
    measured = [result.variant.name for result in results if isinstance(result, Measurement)]
    return "float32" if "float32" in measured else (measured[0] if measured else None)
