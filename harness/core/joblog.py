"""The events of one job, and what can be read from them. All attempts count together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.events import (
    Conditions,
    Event,
    JobFailed,
    JobFinished,
    JobStarted,
    Keystrokes,
    Memory,
    ModelDescribed,
    Stage,
    StageFinished,
)
from harness.core.runs import ScheduledJob
from harness.core.sample_blocks import SampleBlocks, gather
from harness.errors import WireError

_NO_INPUT = np.iinfo(np.int64).max
"""Of a sample that names an input beyond the shard: no workload has it."""


@dataclass(frozen=True, slots=True, eq=False)
class JobLog:
    """The whole event log of a job, every attempt in the order it was written.

    ``round_index`` is the round of the interleaved run that the job belongs to; ``first_input`` and
    ``input_count`` are its shard of the workload. ``events`` are all but the samples, which are in ``blocks``.
    """

    job_id: str
    variant: str
    round_index: int
    first_input: int
    input_count: int
    inputs: NDArray[np.int64]
    """Where the records of the shard stand in the workload, ``[input_count]``."""
    events: tuple[Event, ...]
    blocks: SampleBlocks


def job_log(job: ScheduledJob, events: Iterable[Event], order: NDArray[np.int64] | None = None) -> JobLog:
    """The log of ``job``; its events are read one after another and the samples kept as columns.

    ``order`` is the order in which a run samples the workload's inputs; none: theirs.

    Raises:
        WireError: an input's index or a latency is larger than any that can be.
    """
    try:
        others, blocks = gather(events)
    except OverflowError:
        raise WireError(
            "a sample names an input or a latency too large to be one",
            where=f"job {job.job_id}",
            next_step="The event log is damaged or of another program: run the job again.",
        ) from None
    positions = np.arange(job.first_input, job.first_input + job.input_count)
    inputs = positions if order is None else order[positions]
    return JobLog(
        job.job_id, job.variant, job.round_index, job.first_input, job.input_count, inputs, others, blocks
    )


def event_count(log: JobLog) -> int:
    """Events of every kind."""
    return len(log.events) + len(log.blocks)


def steady_samples(log: JobLog) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs (indices in the workload) and latencies in nanoseconds, ``[samples]`` each, in time order.

    A resumed job writes only the samples that are missing, so the attempts add up.
    """
    steady = log.blocks.steady
    return sampled_inputs(log)[steady], log.blocks.latencies_ns[steady]


def sampled_inputs(log: JobLog) -> NDArray[np.int64]:
    """The input of each sample, warm-up and steady, as an index in the workload."""
    records = log.blocks.inputs
    within = records < log.input_count
    return np.where(within, log.inputs[np.where(within, records, 0)], _NO_INPUT)


def warmup_runs(log: JobLog) -> int:
    """Invocations of the warm-up phases of all attempts."""
    return int(log.blocks.sizes[~log.blocks.is_steady].sum())


def steady_conditions(log: JobLog) -> list[Conditions | None]:
    """The conditions of each block of steady samples, in time order; ``None`` where none were noted."""
    return [log.blocks.conditions.get(index) for index in np.flatnonzero(log.blocks.is_steady).tolist()]


def keystrokes(log: JobLog) -> list[Keystrokes]:
    """The passes that typed texts; a job has one at most."""
    return [event for event in log.events if isinstance(event, Keystrokes)]


def inference_ns(log: JobLog) -> int:
    """The sum of all invocations: first runs, warm-up and steady phase of every attempt."""
    return int(log.blocks.latencies_ns.sum()) + sum(stage_durations(log, Stage.FIRST_RUN))


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
