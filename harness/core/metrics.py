"""From event logs and outputs to the measurement of one variant."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.agreement import OutputTally, ScoreChunk
from harness.core.events import Delegation, Memory, Profile, Stage
from harness.core.joblog import (
    JobLog,
    attempts,
    described,
    event_count,
    failure,
    finished,
    is_finished,
    keystrokes,
    last_stage,
    memory_by_stage,
    round_latencies,
    rounds,
    stage_durations,
    steady_conditions,
    steady_samples,
    warmup_runs,
)
from harness.core.measurements import (
    THERMAL_STATES,
    Disturbance,
    KeystrokeLatency,
    Latency,
    Measurement,
    MemoryFigures,
    NotMeasured,
    Result,
)
from harness.core.stats import P90_LEAST_SAMPLES, order_statistic, percentiles
from harness.core.variants import Variant
from harness.core.workload import OutputKind, Workload

PeakKind = Literal["peak_footprint_bytes", "peak_resident_bytes"]


def measure(
    variant: Variant,
    logs: Sequence[JobLog],
    scores: Iterable[ScoreChunk] | None,
    workload: Workload,
    *,
    confidence: float = 0.95,
    in_part: bool = False,
) -> Result:
    """All that ``logs`` and ``scores`` say of ``variant``, or why it is not measured.

    ``scores`` are of every input that ran, once, and are read chunk by chunk; ``None`` as long as records are missing.
    ``in_part``: not every input of the workload need have run. Of several logs of one job the longest counts, since
    logs only grow. ``failed`` beats ``incomplete``: a job that failed is not mended by resuming the others.

    Raises:
        ModelError: the reference has an output that is not finite.
        WorkloadError: a truth is no class of the model.
    """
    logs = _one_for_each_job(logs)
    ran = np.zeros(len(workload.inputs), dtype=bool)
    trouble = _trouble(variant, logs, ran)
    if trouble is None and not ran.all() and not (in_part and ran.any()):
        problem = f"{int((~ran).sum())} of {len(ran)} inputs have not been run"
        trouble = _incomplete(variant, None, "inputs_missing", problem)
    trouble = trouble or _unlike_processes(variant, logs)
    if trouble is not None or scores is None:
        return trouble or _incomplete(variant, None, "outputs_missing", "the outputs are not all there")
    start = attempts(logs[0])[0]
    tally = OutputTally(
        [one.name for one in workload.inputs],
        [one.truth for one in workload.inputs],
        workload.output_kind,
        _output_step(logs[0], workload),
    )
    for chunk in scores:
        classes, expected = chunk.outputs.shape[1], chunk.reference.shape[1]
        if classes != expected:
            problem = f"its outputs have {classes} classes for an input, the reference's {expected}"
            return _failed(variant, None, "outputs_mismatch", problem)
        tally.add(chunk)
    return Measurement(
        variant=variant,
        device=start.device,
        runtime=start.runtime,
        threads=start.threads,
        confidence=confidence,
        latency=latency(logs, confidence),
        memory=memory(logs),
        agreement=tally.agreement(confidence),
        accuracy=tally.accuracy(confidence),
        repeat_mismatches=sum(end.repeat_mismatches for log in logs if (end := finished(log))),
        keystrokes=keystroke_latency(logs, workload.typing_pause_ns, confidence),
        inputs_run=None if ran.all() else tuple(np.flatnonzero(ran).tolist()),
        disturbance=disturbance(logs),
        profiles=tuple(event for log in logs for event in log.events if isinstance(event, Profile)),
        delegations=tuple(event for log in logs for event in log.events if isinstance(event, Delegation)),
    )


def keystroke_latency(
    logs: Sequence[JobLog], pause_ns: int, confidence: float = 0.95
) -> KeystrokeLatency | None:
    """Of all passes that typed texts; ``None`` where there was none."""
    passes = [keystrokes(log) for log in logs]
    by_round = [np.array([ns for one in of_log for ns in one.latency_ns]) for of_log in passes if of_log]
    if not by_round:
        return None
    ordered = [np.sort(samples) for samples in by_round]
    return KeystrokeLatency(
        texts=sum(one.texts for of_log in passes for one in of_log),
        pause_ns=pause_ns,
        latency=percentiles(np.concatenate(by_round), confidence),
        round_p50_ns=tuple(order_statistic(samples, 0.5) for samples in ordered),
        round_p90_ns=tuple(order_statistic(samples, 0.9) for samples in ordered),
    )


def _output_step(log: JobLog, workload: Workload) -> float | None:
    """The scale of a quantized output of probabilities; logits have no smallest probability to speak of."""
    model = described(log)
    if model is None or workload.output_kind is not OutputKind.PROBABILITIES:
        return None
    quantization = model.outputs[0].quantization
    return quantization.scale if quantization else None


def _one_for_each_job(logs: Sequence[JobLog]) -> list[JobLog]:
    longest: dict[str, JobLog] = {}
    for log in logs:
        known = longest.get(log.job_id)
        if known is None or event_count(log) > event_count(known):
            longest[log.job_id] = log
    return [log for group in rounds(list(longest.values())) for log in group]


def _trouble(variant: Variant, logs: Sequence[JobLog], ran: NDArray[np.bool_]) -> NotMeasured | None:
    """What is wrong with the logs, if anything; ``ran`` is filled in for each input of the workload."""
    for log in logs:
        failed = failure(log)
        if failed is not None:
            return _failed(variant, failed.stage, failed.code, f"job {log.job_id}: {failed.message}")
    for log in logs:
        if not is_finished(log):
            stage = last_stage(log)
            after = f"after the stage {stage}" if stage else "before its first stage was complete"
            return _incomplete(variant, stage, "cut_off", f"job {log.job_id} was cut off {after}")
    for log in logs:
        counted, end = len(steady_samples(log)[0]), finished(log)
        if not attempts(log) or end is None or counted != end.steady_samples:
            said = end.steady_samples if end else 0
            problem = f"job {log.job_id} says it has {said} steady samples, its log has {counted}"
            return _failed(variant, Stage.STEADY, "log_inconsistent", problem)
    for log in logs:
        inputs = steady_samples(log)[0]
        if int(inputs.max()) >= len(ran):
            problem = f"job {log.job_id} ran an input beyond its {log.input_count}, or beyond the workload's {len(ran)}"
            return _failed(variant, Stage.STEADY, "log_inconsistent", problem)
        ran[inputs] = True
    return None


def _unlike_processes(variant: Variant, logs: Sequence[JobLog]) -> NotMeasured | None:
    """Figures of two devices, runtimes or thread counts are not one distribution."""
    starts = [start for log in logs for start in attempts(log)]
    kinds = {
        f"{start.device.target_class} {start.device.model}, {start.runtime.name} {start.runtime.version}, "
        f"{start.threads} threads"
        for start in starts
    }
    if len(kinds) == 1:
        return None
    problem = f"its jobs ran on different devices, runtimes or threads: {'; '.join(sorted(kinds))}"
    return _failed(variant, None, "mixed_conditions", problem, "Run each device in a run of its own.")


def _failed(
    variant: Variant,
    stage: Stage | None,
    code: str,
    problem: str,
    next_step: str = "Read the job's event log, mend the cause and run the variant again.",
) -> NotMeasured:
    return NotMeasured(
        outcome="failed",
        name=variant.name,
        stage=stage,
        code=code,
        problem=problem,
        next_step=next_step,
        variant=variant,
    )


def _incomplete(variant: Variant, stage: Stage | None, code: str, problem: str) -> NotMeasured:
    return NotMeasured(
        outcome="incomplete",
        name=variant.name,
        stage=stage,
        code=code,
        problem=problem,
        next_step="Resume the run: what was measured so far is kept.",
        variant=variant,
    )


def latency(logs: Sequence[JobLog], confidence: float = 0.95) -> Latency:
    """Of complete logs. Load, compile and first run have one entry for each process, in order."""
    by_round = [np.sort(samples) for samples in round_latencies(logs)]
    return Latency(
        steady=percentiles(np.concatenate(by_round), confidence),
        load_ns=_durations(logs, Stage.LOAD),
        compile_ns=_durations(logs, Stage.COMPILE),
        first_run_ns=_durations(logs, Stage.FIRST_RUN),
        warmup_runs=sum(warmup_runs(log) for log in logs),
        round_p50_ns=tuple(order_statistic(samples, 0.5) for samples in by_round),
        round_p90_ns=(
            tuple(order_statistic(samples, 0.9) for samples in by_round)
            if min(len(samples) for samples in by_round) >= P90_LEAST_SAMPLES
            else ()
        ),
    )


def disturbance(logs: Sequence[JobLog]) -> Disturbance:
    """The worst conditions of any steady block; absent where no block told."""
    blocks = [block for log in logs for block in steady_conditions(log) if block is not None]
    states = [block.thermal_state for block in blocks if block.thermal_state is not None]
    slowed = [block.low_power_mode for block in blocks if block.low_power_mode is not None]
    return Disturbance(
        worst_thermal_state=max(states, key=THERMAL_STATES.index) if states else None,
        low_power_mode=any(slowed) if slowed else None,
    )


def _durations(logs: Sequence[JobLog], stage: Stage) -> tuple[int, ...]:
    return tuple(duration for log in logs for duration in stage_durations(log, stage))


def memory(logs: Sequence[JobLog]) -> MemoryFigures:
    """Medians by stage over all processes; the peak of each round and the largest of them.

    The peak is the physical footprint's where any process tells it (Darwin), else resident memory's.
    """
    processes = [process for log in logs for process in memory_by_stage(log)]
    kind: PeakKind | None = next(
        (
            candidate
            for candidate in _PEAK_KINDS
            if any(_known(process.values(), candidate) for process in processes)
        ),
        None,
    )
    peaks: list[int] = []
    if kind is not None:
        for group in rounds(logs):
            known = [
                peak
                for log in group
                for process in memory_by_stage(log)
                for peak in _known(process.values(), kind)
            ]
            if known:
                peaks.append(max(known))
    return MemoryFigures(
        by_stage={
            stage: _median([process[stage] for process in processes if stage in process])
            for stage in Stage
            if any(stage in process for process in processes)
        },
        peak_bytes=max(peaks) if peaks else None,
        peak_kind=kind,
        peak_bytes_by_round=tuple(peaks),
    )


_PEAK_KINDS: tuple[PeakKind, ...] = ("peak_footprint_bytes", "peak_resident_bytes")


def _known(memories: Iterable[Memory], kind: str) -> list[int]:
    figures: list[int | None] = [getattr(one, kind) for one in memories]
    return [figure for figure in figures if figure is not None]


def _median(memories: Sequence[Memory]) -> Memory:
    """Per kind; of an even number the lower of the two in the middle, a figure that occurred."""
    figures = {kind: _known(memories, kind) for kind in Memory.model_fields}
    return Memory(**{kind: statistics.median_low(known) for kind, known in figures.items() if known})
