"""In which order the jobs of a run go: rounds interleave the variants, so that drift hits all alike."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from harness.core.runs import ScheduledJob


def shards(input_count: int, rounds: int) -> tuple[tuple[int, int], ...]:
    """For each round the first input and the number of inputs.

    The workload is split over the rounds in near-equal parts, so that every input runs once for each variant; with
    fewer inputs than rounds every round runs them all.
    """
    if input_count < rounds:
        return ((0, input_count),) * rounds
    bounds = [input_count * part // rounds for part in range(rounds + 1)]
    return tuple((low, high - low) for low, high in pairwise(bounds))


def schedule(variants: Sequence[str], input_count: int, rounds: int, seed: int) -> tuple[ScheduledJob, ...]:
    """One job for each variant and round; within a round the variants stand in a random order given by ``seed``."""
    generator = random.Random(seed)
    jobs: list[ScheduledJob] = []
    for round_index, (first_input, count) in enumerate(shards(input_count, rounds)):
        order = list(variants)
        generator.shuffle(order)
        jobs.extend(_job(name, round_index, first_input, count) for name in order)
    return tuple(jobs)


def further_round(
    variants: Sequence[str], round_index: int, shard: tuple[int, int], seed: int
) -> tuple[ScheduledJob, ...]:
    """One more round of an until-decided run: ``variants`` on ``shard``, in an order by ``seed`` and the round."""
    order = list(variants)
    random.Random(f"{seed}/{round_index}").shuffle(order)
    return tuple(_job(name, round_index, *shard) for name in order)


def _job(variant: str, round_index: int, first_input: int, input_count: int) -> ScheduledJob:
    return ScheduledJob(
        job_id=f"r{round_index:02d}-{variant}",
        variant=variant,
        round_index=round_index,
        first_input=first_input,
        input_count=input_count,
    )
