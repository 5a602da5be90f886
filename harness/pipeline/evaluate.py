"""From a stored run to its report: read events and outputs, measure, find, judge. Needs no device and no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.agreement import dequantize
from harness.core.events import TargetClass, TensorInfo
from harness.core.findings import find
from harness.core.joblog import (
    JobLog,
    attempts,
    described,
    event_count,
    inference_ns,
    job_log,
    round_latencies,
)
from harness.core.measurements import Measurement, NotMeasured, Result, not_built
from harness.core.metrics import measure
from harness.core.model_io import same_tensor
from harness.core.report import RunReport
from harness.core.runs import JobOutcome, JobStatus
from harness.core.variants import FailedBuild, Variant
from harness.core.verdict import judge
from harness.core.workload import Reference, Workload
from harness.errors import RunError
from harness.store import RunFolder, read_report
from harness.suite.document import Suite
from harness.suite.policy import PolicySection
from harness.suite.read import parse_suite
from harness.wire.event_log import EventLogReader
from harness.wire.job_folder import job_folder, read_output_records


def suite_of(folder: RunFolder) -> Suite:
    """The suite that the run was planned by, from the copy in its plan."""
    plan = folder.plan()
    return parse_suite(plan.suite_toml, where=plan.suite_path)


def evaluate(
    folder: RunFolder, policy: PolicySection | None = None, policy_base: Path | None = None
) -> RunReport:
    """The report of a run as it is stored now, judged by ``policy`` (none: the suite's own).

    ``policy_base`` is the folder that a relative baseline path starts from (none: the suite's).

    Raises:
        RunError: the run was cut off before there was anything to evaluate.
        WireError: an event log or an output file is damaged.
    """
    plan = folder.plan()
    suite = suite_of(folder)
    if not (folder.has_workload() and folder.has_reference() and folder.has_schedule()):
        raise RunError(
            "the run was cut off before its first measurement",
            where=str(folder.path),
            next_step=f"Finish it: harness run --resume {folder.path}",
        )
    section = policy or suite.policy
    baseline = read_baseline(section, policy_base or Path(plan.suite_path).parent)
    workload = folder.workload()
    reference = folder.reference()
    reference_outputs = _reference_outputs(folder, reference, len(workload.inputs))
    logs = read_logs(folder)
    outcomes = {job.job_id: folder.outcome(job.job_id) for job in folder.schedule()}
    results: list[Result] = []
    for spec in suite.variants.specs:
        built = folder.variant(spec.name)
        of_variant = [log for log in logs if log.variant == spec.name]
        if isinstance(built, FailedBuild):
            results.append(not_built(built))
        elif built is not None:
            results.append(
                _result(
                    folder,
                    built,
                    of_variant,
                    outcomes,
                    reference_outputs,
                    workload,
                    section.confidence,
                    suite.model.output,
                )
            )
    verdict = judge(section.policy, results, baseline, round_latencies=_by_variant(logs))
    started = next((event for log in logs for event in attempts(log)), None)
    return RunReport(
        plan=plan,
        target_description=plan.target,
        target_class=started.device.target_class if started else TargetClass.LOCAL,
        workload=workload,
        reference_engine=reference.engine,
        skipped_inputs=folder.skipped(),
        results=tuple(results),
        reference_variant=_reference_variant(results),
        chain=folder.chain(),
        findings=tuple(find(results, logs, workload, reference.engine)),
        verdict=verdict,
        jobs_done=sum(outcome is not None for outcome in outcomes.values()),
        jobs_planned=len(outcomes),
        measuring_ns=sum(outcome.wall_ns for outcome in outcomes.values() if outcome),
        inference_ns=sum(inference_ns(log) for log in logs),
    )


def read_baseline(section: PolicySection, base: Path) -> tuple[Result, ...] | None:
    """The results of the policy's baseline, whose path starts from ``base``; ``None`` where it names none.

    Raises:
        WireError: it cannot be read.
    """
    return read_report(base / section.baseline).results if section.baseline is not None else None


def read_logs(folder: RunFolder) -> list[JobLog]:
    """The event logs of all jobs that have begun, in the order of the schedule."""
    logs = (
        job_log(job, EventLogReader(job_folder(folder.path, job.job_id) / "events.jsonl").new_events())
        for job in folder.schedule()
    )
    return [log for log in logs if event_count(log)]


def steady_latencies(folder: RunFolder) -> dict[str, list[NDArray[np.int64]]]:
    """For each variant the steady latencies in nanoseconds, one array for each round."""
    return _by_variant(read_logs(folder))


def _by_variant(logs: Sequence[JobLog]) -> dict[str, list[NDArray[np.int64]]]:
    grouped: dict[str, list[JobLog]] = {}
    for log in logs:
        grouped.setdefault(log.variant, []).append(log)
    return {name: round_latencies(of_variant) for name, of_variant in grouped.items()}


def _reference_outputs(folder: RunFolder, reference: Reference, input_count: int) -> NDArray[np.float32]:
    path = folder.blobs.path(reference.outputs)
    expected_bytes = input_count * reference.classes * 4
    if not folder.blobs.has(reference.outputs) or reference.outputs.bytes != expected_bytes:
        raise RunError(
            "the reference outputs are missing or damaged", where=str(path), next_step="Run the suite again."
        )
    return np.fromfile(path, dtype="<f4").reshape(input_count, reference.classes)


def _result(
    folder: RunFolder,
    variant: Variant,
    logs: Sequence[JobLog],
    outcomes: dict[str, JobOutcome | None],
    reference: NDArray[np.float32],
    workload: Workload,
    confidence: float,
    output_name: str,
) -> Result:
    of_variant = [outcomes[job.job_id] for job in folder.schedule() if job.variant == variant.name]
    bad = (JobStatus.FINISHED, JobStatus.SKIPPED)
    failed = next((outcome for outcome in of_variant if outcome and outcome.status not in bad), None)
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
    if any(outcome is None for outcome in of_variant) or not logs:
        return NotMeasured(
            outcome="incomplete",
            name=variant.name,
            code="cut_off",
            problem=f"{sum(outcome is not None for outcome in of_variant)} of {len(of_variant)} jobs have run",
            next_step=f"Finish the run: harness run --resume {folder.path}",
            variant=variant,
        )
    outputs = _outputs(folder, logs, reference.shape, output_name)
    return measure(variant, logs, outputs, reference, workload, confidence=confidence)


def _outputs(
    folder: RunFolder, logs: Sequence[JobLog], shape: tuple[int, ...], output_name: str
) -> NDArray[np.float32] | None:
    """The variant's outputs ``[inputs, classes]``; rounds that ran the same inputs repeat the same bytes."""
    rows: NDArray[np.float32] | None = None
    for log in logs:
        model = described(log)
        if model is None:
            return None
        index = output_index(model.outputs, output_name, where=str(folder.path))
        raw = read_output_records(
            job_folder(folder.path, log.job_id) / "outputs.bin", model, log.input_count
        )[index].reshape(log.input_count, -1)
        if rows is None:
            rows = np.full((shape[0], raw.shape[1]), np.nan, dtype=np.float32)
        rows[log.first_input : log.first_input + log.input_count] = dequantize(
            raw, model.outputs[index].quantization
        )
    return rows


def output_index(outputs: Sequence[TensorInfo], name: str, *, where: str) -> int:
    """Which of a variant's outputs is the source's ``name``: the runtime's order need not be the model's.

    A single output is it whatever it is called, as the conversion of a graph leaves that one. Without a name it is
    the first.

    Raises:
        RunError: none of several outputs has that name.
    """
    if not name or len(outputs) == 1:
        return 0
    for index, tensor in enumerate(outputs):
        if same_tensor(tensor.name, name):
            return index
    raise RunError(
        f"the variants have no output {name!r}, they have {', '.join(tensor.name for tensor in outputs)}",
        where=where,
        next_step="Set model.output in the suite to one of them, and run it again.",
    )


def _reference_variant(results: Sequence[Result]) -> str | None:
    measured = [result.variant.name for result in results if isinstance(result, Measurement)]
    return "float32" if "float32" in measured else (measured[0] if measured else None)
