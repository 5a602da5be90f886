"""The events of one job, and what can be read from them. All attempts count together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from harness.core.events import (
    Conditions,
    Event,
    JobFailed,
    JobFinished,
    JobStarted,
    Memory,
    ModelDescribed,
    Samples,
    Stage,
    StageFinished,
)
from harness.core.jobs import Count, JobId, PositiveCount
from harness.core.value import Value


class JobLog(Value):
    """The whole event log of a job, every attempt in the order it was written.

    ``round_index`` is the round of the interleaved run that the job belongs to; ``first_input`` and
    ``input_count`` are its shard of the workload.
    """

    job_id: JobId
    variant: str
    round_index: Count
    first_input: Count
    input_count: PositiveCount
    events: tuple[Event, ...]


def steady_samples(log: JobLog) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs (indices in the workload) and latencies in nanoseconds, ``[samples]`` each, in time order.

    A resumed job writes only the samples that are missing, so the attempts add up.
    """
    blocks = list(_blocks(log, Stage.STEADY))
    count = sum(len(block.inputs) for block in blocks)
    inputs = np.fromiter(chain.from_iterable(block.inputs for block in blocks), np.int64, count)
    latencies = np.fromiter(chain.from_iterable(block.latency_ns for block in blocks), np.int64, count)
    return inputs + log.first_input, latencies


def warmup_runs(log: JobLog) -> int:
    """Invocations of the warm-up phases of all attempts."""
    return sum(len(block.inputs) for block in _blocks(log, Stage.WARMUP))


def steady_conditions(log: JobLog) -> list[Conditions | None]:
    """The conditions of each block of steady samples, in time order; ``None`` where none were noted."""
    return [block.conditions for block in _blocks(log, Stage.STEADY)]


def _blocks(log: JobLog, phase: Stage) -> Iterator[Samples]:
    return (event for event in log.events if isinstance(event, Samples) and event.phase is phase)


def finished(log: JobLog) -> JobFinished | None:
    """The event that completes the job; ``None`` while it is not complete."""
    return next((event for event in reversed(log.events) if isinstance(event, JobFinished)), None)


def is_finished(log: JobLog) -> bool:
    """Whether the log is complete: it ends in ``job_finished``."""
    return finished(log) is not None


def failure(log: JobLog) -> JobFailed | None:
    """Why the last attempt failed; ``None`` if it finished, or was cut off without a word."""
    last = log.events[-1] if log.events else None
    return last if isinstance(last, JobFailed) else None


def last_stage(log: JobLog) -> Stage | None:
    """The last stage that the last attempt completed; ``None`` if it completed none."""
    for event in reversed(log.events):
        if isinstance(event, JobStarted):
            return None
        if isinstance(event, StageFinished):
            return event.stage
    return None


def attempts(log: JobLog) -> list[JobStarted]:
    """The start of every attempt: one process each, with its device and its runtime."""
    return [event for event in log.events if isinstance(event, JobStarted)]


def described(log: JobLog) -> ModelDescribed | None:
    """What the last attempt said the model takes and gives; ``None`` if none came so far."""
    return next((event for event in reversed(log.events) if isinstance(event, ModelDescribed)), None)


def stage_durations(log: JobLog, stage: Stage) -> list[int]:
    """Nanoseconds that the stage took, one entry for each attempt that completed it."""
    return [
        event.duration_ns
        for event in log.events
        if isinstance(event, StageFinished) and event.stage is stage and event.duration_ns is not None
    ]


def memory_by_stage(log: JobLog) -> list[dict[Stage, Memory]]:
    """Memory after each stage, one entry for each attempt."""
    found: list[dict[Stage, Memory]] = []
    for event in log.events:
        if isinstance(event, JobStarted):
            found.append({})
        elif isinstance(event, StageFinished) and found:
            found[-1][event.stage] = event.memory
    return found


def rounds(logs: Sequence[JobLog]) -> list[list[JobLog]]:
    """Logs by round, in the order of the rounds; within one by their shard."""
    found: dict[int, list[JobLog]] = {}
    for log in sorted(logs, key=lambda log: (log.round_index, log.first_input)):
        found.setdefault(log.round_index, []).append(log)
    return list(found.values())


def round_latencies(logs: Sequence[JobLog]) -> list[NDArray[np.int64]]:
    """The steady latencies of each round in nanoseconds, in time order; rounds without any are left out."""
    latencies = [np.concatenate([steady_samples(log)[1] for log in group]) for group in rounds(logs)]
    return [samples for samples in latencies if len(samples)]
