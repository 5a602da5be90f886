"""Evidence in the order in which it was sampled, in units that are independent of one another.

Views of one photo are alike, and so are the inferences of one process: the unit of a proportion is an original with
all its views, that of a latency or a peak is a round, a process of its own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.agreement import LEAST_CLASSES_FOR_TOP5, ScoreChunk, label_ranks
from harness.core.divergence import Scores
from harness.core.joblog import JobLog, keystrokes, memory_by_stage, steady_samples
from harness.core.runs import Plan
from harness.core.stats import P90_LEAST_SAMPLES, order_statistic
from harness.core.workload import Workload

_SPREAD = 4
_FIGURES = 4


@dataclass(frozen=True)
class Originals:
    """One figure for each original: the mean over its inputs, in the order of sampling; ``rounds`` are theirs."""

    figures: NDArray[np.float64]
    rounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.figures)


@dataclass(frozen=True)
class Sampled:
    """What one variant's finished jobs tell. Round figures are by round; absent ones are left out.

    ``right`` and ``drop`` are of labelled inputs: whether the variant is right; 1 where only the reference is right,
    -1 where only the variant is.
    """

    top1: Originals
    top5: Originals
    right: Originals
    drop: Originals
    p50_ns: dict[int, float]
    p90_ns: dict[int, float]
    keystroke_p50_ns: dict[int, float]
    keystroke_p90_ns: dict[int, float]
    peak_bytes: dict[int, float]


@dataclass(frozen=True)
class JobFigures:
    """What one finished job tells. The arrays have a figure for each of ``originals``; NaN: none of its inputs has."""

    round_index: int
    originals: tuple[str, ...]
    top1: NDArray[np.float64]
    top5: NDArray[np.float64]
    right: NDArray[np.float64]
    drop: NDArray[np.float64]
    p50_ns: float | None
    p90_ns: float | None
    keystroke_p50_ns: float | None
    keystroke_p90_ns: float | None
    peak_bytes: int | None


def job_figures(log: JobLog, chunks: Iterable[ScoreChunk], workload: Workload) -> JobFigures:
    """Of a finished job with the scores of all its inputs.

    Memory grows with the number of inputs, not with their scores.
    """
    by_input = [np.zeros((0, _FIGURES))]
    codes: dict[str, int] = {}
    of_input: list[int] = []
    for chunk in chunks:
        inputs = [workload.inputs[index] for index in chunk.indices.tolist()]
        of_input += [codes.setdefault(one.group, len(codes)) for one in inputs]
        truth = np.array([-1 if one.truth is None else one.truth for one in inputs])
        by_input.append(_figures_of_inputs(chunk.reference, chunk.outputs, truth))
    figures = np.concatenate(by_input)
    means = [
        _means(figures[:, column], np.array(of_input, np.int64), len(codes)) for column in range(_FIGURES)
    ]
    latencies = np.sort(steady_samples(log)[1])
    typed = np.sort(np.array([ns for one in keystrokes(log) for ns in one.latency_ns], np.int64))
    peaks = [
        peak
        for process in memory_by_stage(log)
        for memory in process.values()
        if (peak := memory.peak_footprint_bytes or memory.peak_resident_bytes) is not None
    ]
    return JobFigures(
        round_index=log.round_index,
        originals=tuple(codes),
        top1=means[0],
        top5=means[1],
        right=means[2],
        drop=means[3],
        p50_ns=order_statistic(latencies, 0.5) if len(latencies) else None,
        p90_ns=order_statistic(latencies, 0.9) if len(latencies) >= P90_LEAST_SAMPLES else None,
        keystroke_p50_ns=order_statistic(typed, 0.5) if len(typed) else None,
        keystroke_p90_ns=order_statistic(typed, 0.9) if len(typed) >= P90_LEAST_SAMPLES else None,
        peak_bytes=max(peaks) if peaks else None,
    )


def _figures_of_inputs(reference: Scores, outputs: Scores, truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """``[inputs, figures]``: same first label, label among the first five, right, drop; NaN where there is none."""
    valid = np.isfinite(outputs).all(axis=1)
    expected, got = reference.argmax(axis=1), outputs.argmax(axis=1)
    found = np.full((len(truth), _FIGURES), np.nan)
    found[:, 0] = valid & (expected == got)
    if reference.shape[1] >= LEAST_CLASSES_FOR_TOP5:
        found[:, 1] = valid & (label_ranks(outputs, expected) < 5)
    known = truth >= 0
    right = valid & (got == truth)
    found[known, 2] = right[known]
    found[known, 3] = (expected == truth)[known].astype(np.float64) - right[known]
    return found


def _means(figures: NDArray[np.float64], group: NDArray[np.int64], groups: int) -> NDArray[np.float64]:
    known = ~np.isnan(figures)
    counts = np.bincount(group[known], minlength=groups)
    sums = np.bincount(group[known], weights=figures[known], minlength=groups)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def sampled(jobs: Sequence[JobFigures]) -> Sampled:
    """The jobs of one variant together. An original that ran again counts once, when it ran first."""
    ordered = sorted(jobs, key=lambda job: job.round_index)
    seen: set[str] = set()
    fresh: list[NDArray[np.bool_]] = []
    for job in ordered:
        fresh.append(np.array([name not in seen for name in job.originals], np.bool_))
        seen.update(job.originals)

    def originals(figures: Sequence[NDArray[np.float64]]) -> Originals:
        kept, rounds = [np.zeros(0)], [np.zeros(0, np.int64)]
        for job, of_job, is_fresh in zip(ordered, figures, fresh, strict=True):
            known = of_job[is_fresh & ~np.isnan(of_job)]
            kept.append(known)
            rounds.append(np.full(len(known), job.round_index))
        return Originals(np.concatenate(kept), np.concatenate(rounds))

    def by_round(pick: Callable[[JobFigures], float | None]) -> dict[int, float]:
        return {job.round_index: float(found) for job in ordered if (found := pick(job)) is not None}

    return Sampled(
        top1=originals([job.top1 for job in ordered]),
        top5=originals([job.top5 for job in ordered]),
        right=originals([job.right for job in ordered]),
        drop=originals([job.drop for job in ordered]),
        p50_ns=by_round(lambda job: job.p50_ns),
        p90_ns=by_round(lambda job: job.p90_ns),
        keystroke_p50_ns=by_round(lambda job: job.keystroke_p50_ns),
        keystroke_p90_ns=by_round(lambda job: job.keystroke_p90_ns),
        peak_bytes=by_round(lambda job: job.peak_bytes),
    )


def input_order(workload: Workload, seed: int) -> tuple[int, ...]:
    """All inputs, the originals in a random order by ``seed`` and the views of each together.

    A folder of photos is often sorted by class: its first part is no sample of it.
    """
    groups: dict[str, list[int]] = {}
    for index, one in enumerate(workload.inputs):
        groups.setdefault(one.group, []).append(index)
    names = list(groups)
    random.Random(seed).shuffle(names)
    return tuple(index for name in names for index in groups[name])


def shard_size(plan: Plan, input_count: int) -> int:
    """About how many inputs each round of an until-decided run takes."""
    asked = plan.until_decided.inputs_per_round if plan.until_decided else None
    return asked or math.ceil(input_count / (_SPREAD * plan.rounds))


def next_shard(order: Sequence[int], workload: Workload, first: int, least: int) -> tuple[int, int]:
    """Position in ``order`` and number of the inputs of the round that starts at ``first``: ``least``, or so many more
    that no original is cut. Past the end it starts anew: latency and memory need no fresh inputs."""
    start = 0 if first >= len(order) else first
    end = min(start + least, len(order))
    while end < len(order) and workload.inputs[order[end]].group == workload.inputs[order[end - 1]].group:
        end += 1
    return start, end - start
