"""The figures of interleaved pairs, and how a run's wall time is split."""

from __future__ import annotations

import pytest

from benchmarks.machine import Moment, other_cpu_fraction
from benchmarks.pairs import Pair, interleaved, median_difference, median_ratio, spread
from benchmarks.run_overhead import split
from harness.core.events import (
    Device,
    Event,
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
from harness.core.joblog import JobLog, job_log
from harness.core.runs import ScheduledJob

MS = 1_000_000


def test_pairs_are_interleaved_and_take_turns_in_going_first() -> None:
    order = []

    def timer(name: str, figure: float) -> float:
        order.append(name)
        return figure

    pairs = interleaved(lambda: timer("a", 3.0), lambda: timer("b", 2.0), 4)
    assert order == ["b", "a", "a", "b", "b", "a", "a", "b"]
    assert pairs == [Pair(measured=3.0, base=2.0)] * 4


def test_the_ratio_is_the_median_of_the_pairs_own_ratios() -> None:
    # A drift that slows both of a pair leaves its ratio alone; the ratio of the medians would be 4 / 2.
    pairs = [Pair(1, 1), Pair(4, 2), Pair(30, 10), Pair(4, 1), Pair(5, 5)]
    figure, between = median_ratio(pairs)
    assert figure == 2.0
    assert between is not None
    assert (between.low, between.high, between.of) == (1.0, 3.0, "quartiles of 5 pairs")


def test_the_difference_is_the_median_of_the_pairs_own_differences() -> None:
    figure, between = median_difference([Pair(3, 1), Pair(10, 5), Pair(4, 3)])
    assert figure == 2
    assert between is not None
    assert (between.low, between.high, between.of) == (1, 5, "extremes of 3 pairs")


def test_one_figure_has_no_spread_and_none_is_an_error() -> None:
    assert spread([1.0], "runs") is None
    with pytest.raises(ValueError, match="no figures"):
        spread([], "runs")


def test_what_others_used_is_neither_idle_nor_ours() -> None:
    before = Moment(busy_s=100, all_s=1000, own_s=10)
    assert other_cpu_fraction(before, Moment(busy_s=160, all_s=1200, own_s=50)) == pytest.approx(0.1)
    assert other_cpu_fraction(before, Moment(busy_s=110, all_s=1200, own_s=30)) == 0
    assert other_cpu_fraction(before, before) is None
    assert other_cpu_fraction(None, before) is None


def job(started_unix_ns: int) -> JobLog:
    """100 ms: 20 until it is ready, 30 to load and compile, then 10 + 15 + 15 of inference in 50 ms."""

    def ended(stage: Stage, t_ms: int, duration_ms: int | None = None) -> StageFinished:
        duration_ns = None if duration_ms is None else duration_ms * MS
        return StageFinished(t_ns=t_ms * MS, stage=stage, duration_ns=duration_ns, memory=Memory())

    events: tuple[Event, ...] = (
        JobStarted(
            t_ns=MS,
            job_id="j",
            attempt=1,
            unix_ns=started_unix_ns + MS,
            runner=Runner(version="1", platform="p", build="b"),
            runtime=Runtime(name="LiteRT", version="2.3.0", library="l"),
            device=Device(
                target_class=TargetClass.LOCAL, model="m", os="o", os_version="1", cpu="c", logical_cores=2
            ),
            threads=1,
        ),
        ended(Stage.START, 20),
        ended(Stage.LOAD, 25, 4),
        ended(Stage.COMPILE, 50, 24),
        ended(Stage.FIRST_RUN, 61, 10),
        Samples(t_ns=78 * MS, phase=Stage.WARMUP, inputs=(0,), latency_ns=(15 * MS,)),
        ended(Stage.WARMUP, 79, 17),
        Samples(t_ns=97 * MS, phase=Stage.STEADY, inputs=(0, 1), latency_ns=(7 * MS, 8 * MS)),
        ended(Stage.STEADY, 98, 19),
        JobFinished(
            t_ns=100 * MS,
            steady_samples=2,
            output_records=2,
            outputs_bytes=8,
            outputs_sha256="0" * 64,
            repeat_mismatches=0,
        ),
    )
    scheduled = ScheduledJob(job_id="j", variant="v", round_index=0, first_input=0, input_count=2)
    return job_log(scheduled, events)


def test_the_parts_of_a_run_add_up_to_its_wall_time() -> None:
    start = 1_700_000_000_000_000_000
    parts = split([job(start + 200 * MS), job(start + 330 * MS)], start, 500 * MS)
    assert {part.name: pytest.approx(part.figure) for part in parts} == {
        "inference": 0.080,
        "host, before the first job": 0.200,
        "runner: blobs checked, runtime loaded": 0.040,
        "runner: load and compile": 0.060,
        "runner: inputs, outputs, log": 0.020,
        "between jobs: process end and start, job folder": 0.030,
        "host, after the last job": 0.070,
    }
    assert parts[0].name == "inference"
    assert sum(part.figure for part in parts) == pytest.approx(0.5)
