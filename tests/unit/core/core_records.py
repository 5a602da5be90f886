"""Makers of small, valid core values, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.core import joblog
from harness.core.agreement import proportion
from harness.core.events import (
    Conditions,
    Device,
    Event,
    JobFailed,
    JobFinished,
    JobStarted,
    Memory,
    Runner,
    Runtime,
    Samples,
    Stage,
    StageFinished,
    TargetClass,
)
from harness.core.joblog import JobLog
from harness.core.jobs import Blob, PixelEncoding
from harness.core.measurements import (
    Agreement,
    Latency,
    Measurement,
    MemoryFigures,
    NotMeasured,
    PairedAccuracy,
)
from harness.core.runs import ScheduledJob
from harness.core.stats import mcnemar_exact, order_statistic, paired_drop, percentiles
from harness.core.variants import Build, Recipe, Variant
from harness.core.workload import OutputKind, Task, Workload, WorkloadInput

SHA = "0" * 64


def device(target_class: str = "local", model: str = "Desk", cores: int = 4) -> Device:
    return Device(
        target_class=TargetClass(target_class),
        model=model,
        os="os",
        os_version="1",
        cpu="c",
        logical_cores=cores,
    )


def variant(
    name: str, file_bytes: int = 1000, compressed_bytes: int = 900, recipe: str | None = None
) -> Variant:
    return Variant(
        name=name,
        recipe=Recipe(recipe or name),
        model=Blob(sha256=SHA, bytes=file_bytes),
        compressed_bytes=compressed_bytes,
        build=Build(duration_s=0.0, cached=False, tools={}),
    )


def workload(
    truths: Sequence[int | None],
    groups: Sequence[str] | None = None,
    kind: OutputKind = OutputKind.PROBABILITIES,
) -> Workload:
    groups = groups or [str(index) for index in range(len(truths))]
    return Workload(
        task=Task.IMAGE_CLASSIFICATION,
        inputs=tuple(
            WorkloadInput(name=f"i{index}", group=group, truth=truth)
            for index, (truth, group) in enumerate(zip(truths, groups, strict=True))
        ),
        records=Blob(sha256=SHA, bytes=len(truths)),
        encoding=PixelEncoding(shape=(1, 1, 1), mean=(0.0,), scale=(1.0,)),
        output_kind=kind,
    )


def started(
    attempt: int = 1, at: Device | None = None, version: str = "2.3.0", threads: int = 2, job_id: str = "j"
) -> JobStarted:
    return JobStarted(
        t_ns=0,
        job_id=job_id,
        attempt=attempt,
        unix_ns=0,
        runner=Runner(version="1", platform="p", build="b"),
        runtime=Runtime(name="LiteRT", version=version, library="l"),
        device=at or device(),
        threads=threads,
    )


def stage(which: Stage, duration_ns: int | None = None, **memory: int) -> StageFinished:
    return StageFinished(t_ns=0, stage=which, duration_ns=duration_ns, memory=Memory(**memory))


def samples(
    inputs: Sequence[int],
    latency_ns: Sequence[int],
    phase: str = "steady",
    conditions: Conditions | None = None,
) -> Samples:
    assert phase in ("steady", "warmup")
    return Samples(
        t_ns=0,
        phase=Stage.STEADY if phase == "steady" else Stage.WARMUP,
        inputs=tuple(inputs),
        latency_ns=tuple(latency_ns),
        conditions=conditions,
    )


def failed(which: Stage = Stage.COMPILE, code: str = "compile_failed") -> JobFailed:
    return JobFailed(t_ns=0, stage=which, code=code, message="no kernel")


def ended(steady_samples: int, repeat_mismatches: int = 0) -> JobFinished:
    return JobFinished(
        t_ns=0,
        steady_samples=steady_samples,
        output_records=1,
        outputs_bytes=1,
        outputs_sha256=SHA,
        repeat_mismatches=repeat_mismatches,
    )


def job_log(
    events: Sequence[Event],
    job_id: str = "j",
    round_index: int = 0,
    first_input: int = 0,
    input_count: int = 2,
    of: str = "int8",
) -> JobLog:
    job = ScheduledJob(
        job_id=job_id, variant=of, round_index=round_index, first_input=first_input, input_count=input_count
    )
    return joblog.job_log(job, events)


def measurement(
    name: str = "int8",
    *,
    rounds: Sequence[Sequence[int]] = (tuple(range(1000, 1100)),),
    top1: tuple[int, int] = (99, 100),
    top5: tuple[int, int] | None = None,
    accuracy: tuple[int, int, int] | None = None,
    peaks: Sequence[int] = (),
    file_bytes: int = 1000,
    compressed_bytes: int = 900,
    first_run_ns: Sequence[int] = (),
    at: Device | None = None,
    threads: int = 2,
    runtime_version: str = "2.3.0",
    confidence: float = 0.95,
    repeat_mismatches: int = 0,
    invalid_outputs: int = 0,
    constant_output: bool = False,
) -> Measurement:
    """``accuracy``: only the reference right, only the variant right, of so many (all others both right)."""
    by_round = [np.array(one, dtype=np.int64) for one in rounds]
    paired = None
    if accuracy is not None:
        lost, won, trials = accuracy
        paired = PairedAccuracy(
            variant=proportion(trials - lost, trials),
            reference=proportion(trials - won, trials),
            only_reference_right=lost,
            only_variant_right=won,
            drop=paired_drop(lost, won, trials),
            mcnemar_p=mcnemar_exact(lost, won),
        )
    return Measurement(
        variant=variant(name, file_bytes, compressed_bytes),
        device=at or device(),
        runtime=Runtime(name="LiteRT", version=runtime_version, library="l"),
        threads=threads,
        confidence=confidence,
        latency=Latency(
            steady=percentiles(np.concatenate(by_round), confidence),
            load_ns=(),
            compile_ns=(),
            first_run_ns=tuple(first_run_ns),
            warmup_runs=0,
            round_p50_ns=tuple(order_statistic(np.sort(one), 0.5) for one in by_round),
            round_p90_ns=tuple(order_statistic(np.sort(one), 0.9) for one in by_round),
        ),
        memory=MemoryFigures(
            by_stage={},
            peak_bytes=max(peaks) if peaks else None,
            peak_kind="peak_resident_bytes" if peaks else None,
            peak_bytes_by_round=tuple(peaks),
        ),
        agreement=Agreement(
            top1=proportion(*top1),
            top5=proportion(*top5) if top5 else None,
            mean_kl_divergence_nats=None,
            largest_absolute_difference=None,
            invalid_outputs=invalid_outputs,
            constant_output=constant_output,
            disagreements=(),
        ),
        accuracy=paired,
        repeat_mismatches=repeat_mismatches,
    )


def not_measured(name: str, outcome: str) -> NotMeasured:
    return NotMeasured.model_validate_json(
        f'{{"outcome": "{outcome}", "name": "{name}", "code": "c", "problem": "it stopped", "next_step": "n"}}'
    )
