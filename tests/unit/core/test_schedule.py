"""Every variant runs once in every round, and every input once for each variant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.core.schedule import schedule, shards


@given(st.integers(1, 2000), st.integers(1, 60))
def test_shards_cover_every_input_alike(input_count: int, rounds: int) -> None:
    parts = shards(input_count, rounds)
    assert len(parts) == rounds
    if input_count < rounds:
        assert set(parts) == {(0, input_count)}
        return
    covered = [index for first, count in parts for index in range(first, first + count)]
    assert covered == list(range(input_count))
    sizes = [count for _, count in parts]
    assert max(sizes) - min(sizes) <= 1


def test_each_round_has_every_variant_once_on_the_same_shard() -> None:
    jobs = schedule(["a", "b", "c"], input_count=10, rounds=4, seed=3)
    for round_index in range(4):
        of_round = [job for job in jobs if job.round_index == round_index]
        assert sorted(job.variant for job in of_round) == ["a", "b", "c"]
        assert len({(job.first_input, job.input_count) for job in of_round}) == 1


def test_the_seed_gives_the_order() -> None:
    names = [f"v{index}" for index in range(6)]
    assert schedule(names, 60, 5, seed=1) == schedule(names, 60, 5, seed=1)
    orders = {tuple(job.variant for job in schedule(names, 60, 5, seed=seed)) for seed in range(5)}
    assert len(orders) == 5


def test_job_ids_tell_round_and_variant() -> None:
    assert [job.job_id for job in schedule(["int8"], 5, 2, 0)] == ["r00-int8", "r01-int8"]
