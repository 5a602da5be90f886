"""Every invocation of a variant in the order it was made: what is plotted, listed and exported sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.events import Conditions
from harness.core.joblog import JobLog, attempts, sampled_inputs


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples ``first`` to ``first + count`` of a series: one phase of one process."""

    first: int
    count: int
    round_index: int
    attempt: int
    is_steady: bool


@dataclass(frozen=True, slots=True, eq=False)
class SampleSeries:
    """Columns of ``[samples]`` in time order.

    ``inputs`` are indices in the workload; ``started_ns`` counts from ``origin_unix_ns`` of the run and is the
    moment an invocation began, as far as the log tells: samples of a block are taken to follow one another without a
    gap up to the moment the block was written.
    """

    variant: str
    latencies_ns: NDArray[np.int64]
    inputs: NDArray[np.int64]
    started_ns: NDArray[np.int64]
    stretches: tuple[Stretch, ...]

    def __len__(self) -> int:
        return len(self.latencies_ns)


@dataclass(frozen=True, slots=True)
class Weather:
    """Conditions at one moment of the run, in nanoseconds from its origin."""

    at_ns: int
    variant: str
    conditions: Conditions


def origin_unix_ns(logs: Sequence[JobLog]) -> int:
    """When the first process of the run started; 0 where none did."""
    return min((start.unix_ns - start.t_ns for log in logs for start in attempts(log)), default=0)


def sample_series(variant: str, logs: Sequence[JobLog], origin_ns: int) -> SampleSeries:
    """The series of ``variant``; ``origin_ns`` is the run's ``origin_unix_ns``."""
    own = sorted((log for log in logs if log.variant == variant), key=_began_ns)
    columns: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
    stretches: list[Stretch] = []
    first = 0
    for log in own:
        starts_ns = [start.unix_ns - start.t_ns - origin_ns for start in attempts(log)]
        if not starts_ns or not len(log.blocks):
            continue
        columns.append((log.blocks.latencies_ns, sampled_inputs(log), _started_ns(log, starts_ns)))
        for begin, end in log.blocks.runs:
            count = int(log.blocks.starts[end] - log.blocks.starts[begin])
            attempt, steady = int(log.blocks.attempts[begin]), bool(log.blocks.is_steady[begin])
            stretches.append(Stretch(first, count, log.round_index, attempt, steady))
            first += count
    if not columns:
        nothing = np.empty(0, np.int64)
        return SampleSeries(variant, nothing, nothing, nothing, ())
    latencies, inputs, started = (np.concatenate(column) for column in zip(*columns, strict=True))
    return SampleSeries(variant, latencies, inputs, started, tuple(stretches))


def _began_ns(log: JobLog) -> int:
    return min((start.unix_ns for start in attempts(log)), default=0)


def _started_ns(log: JobLog, starts_ns: Sequence[int]) -> NDArray[np.int64]:
    """From the end of each block backwards, invocation by invocation."""
    blocks = log.blocks
    written_ns = np.array(starts_ns, np.int64)[np.minimum(blocks.attempts, len(starts_ns) - 1)]
    written_ns += blocks.written_ns
    passed_ns = np.concatenate(([0], np.cumsum(blocks.latencies_ns)))
    return np.repeat(written_ns - passed_ns[blocks.starts[1:]], blocks.sizes) + passed_ns[:-1]


def weather(logs: Sequence[JobLog], origin_ns: int) -> Iterator[Weather]:
    """The conditions that were noted, process after process."""
    for log in sorted(logs, key=_began_ns):
        starts_ns = [start.unix_ns - start.t_ns - origin_ns for start in attempts(log)]
        for block, conditions in log.blocks.conditions.items():
            attempt = min(int(log.blocks.attempts[block]), len(starts_ns) - 1)
            if attempt >= 0:
                yield Weather(starts_ns[attempt] + int(log.blocks.written_ns[block]), log.variant, conditions)
