"""Shards in an order that is a sample, and what finished jobs tell, original by original."""

from __future__ import annotations

import numpy as np
import pytest
from core_records import ended, samples, stage, started, variant, workload

from harness.core import joblog
from harness.core.agreement import ScoreChunk
from harness.core.events import Stage
from harness.core.runs import ScheduledJob
from harness.core.sampling import input_order, job_figures, next_shard, sampled

GROUPS = [name for name in "abcdef" for _ in range(3)]
INPUTS = workload([0] * 18, GROUPS)


def test_the_order_keeps_views_together_and_is_the_seeds() -> None:
    order = input_order(INPUTS, 3)
    assert sorted(order) == list(range(18))
    named = [GROUPS[index] for index in order]
    assert [named[start] for start in range(0, 18, 3)] == list(dict.fromkeys(named))
    assert named[:3] == [named[0]] * 3
    assert input_order(INPUTS, 3) == order != input_order(INPUTS, 4)
    assert order != tuple(range(18))


def test_shards_cut_no_original_and_start_anew() -> None:
    order = input_order(INPUTS, 0)
    assert next_shard(order, INPUTS, 0, 4) == (0, 6)
    assert next_shard(order, INPUTS, 6, 6) == (6, 6)
    assert next_shard(order, INPUTS, 12, 7) == (12, 6)
    assert next_shard(order, INPUTS, 18, 4) == (0, 6)


def log_of(
    round_index: int, first: int, count: int, latencies: list[int], order: np.ndarray
) -> joblog.JobLog:
    job = ScheduledJob(
        job_id=f"r{round_index}",
        variant="int8",
        round_index=round_index,
        first_input=first,
        input_count=count,
    )
    return joblog.job_log(
        job,
        [
            started(),
            stage(Stage.FIRST_RUN, 1, peak_resident_bytes=100 + round_index),
            samples([index % count for index in range(len(latencies))], latencies),
            ended(len(latencies)),
        ],
        order,
    )


def test_a_job_tells_shares_of_originals_once() -> None:
    groups = ["a", "a", "b", "b"]
    inputs = workload([1, None, 0, None], groups)
    order = np.array([2, 3, 0, 1])
    reference = np.array([[0, 1], [0, 1], [1, 0], [1, 0]], dtype=np.float32)
    outputs = np.array([[1, 0], [0, 1], [1, 0], [np.nan, 0]], dtype=np.float32)
    first, second = log_of(0, 0, 2, list(range(1, 21)), order), log_of(1, 2, 2, [5, 6, 7], order)
    assert first.inputs.tolist() == [2, 3]
    figures = [
        job_figures(log, [ScoreChunk(log.inputs, reference[log.inputs], outputs[log.inputs])], inputs)
        for log in (first, second)
    ]
    assert figures[0].originals == ("b",) and figures[1].originals == ("a",)
    assert figures[0].top1.tolist() == [0.5] and figures[1].top1.tolist() == [0.5]
    assert np.isnan(figures[0].top5).all()
    assert figures[0].drop.tolist() == [0.0] and figures[1].drop.tolist() == [1.0]
    assert figures[0].right.tolist() == [1.0] and figures[1].right.tolist() == [0.0]
    assert (figures[0].p50_ns, figures[0].p90_ns, figures[0].peak_bytes) == (10, 18, 100)
    # Three samples have a median and no 90th percentile.
    assert (figures[1].p50_ns, figures[1].p90_ns) == (6, None)
    again = job_figures(
        log_of(2, 0, 2, [9], order), [ScoreChunk(first.inputs, reference[:2], reference[:2])], inputs
    )
    together = sampled([again, *figures])
    assert together.top1.figures.tolist() == [0.5, 0.5]
    assert together.top1.rounds.tolist() == [0, 1]
    assert together.p50_ns == {0: 10, 1: 6, 2: 9}
    assert together.p90_ns == {0: 18}
    assert together.peak_bytes == {0: 100, 1: 101, 2: 102}


def test_a_log_that_names_an_input_beyond_its_shard_is_inconsistent() -> None:
    from harness.core.measurements import NotMeasured
    from harness.core.metrics import measure

    order = np.array([1, 0])
    log = log_of(0, 0, 1, [1], order)
    beyond = joblog.job_log(
        ScheduledJob(job_id="x", variant="int8", round_index=0, first_input=0, input_count=1),
        [started(), samples([1], [1]), ended(1)],
        order,
    )
    result = measure(variant("int8"), [log, beyond], [], workload([0, 0]), in_part=True)
    assert isinstance(result, NotMeasured) and result.code == "log_inconsistent"


@pytest.mark.parametrize("in_part", [True, False])
def test_only_a_sample_may_leave_inputs_out(in_part: bool) -> None:
    from harness.core.measurements import Measurement
    from harness.core.metrics import measure

    order = np.array([1, 0])
    scores = np.array([[0.2, 0.8]], dtype=np.float32)
    result = measure(
        variant("int8"),
        [log_of(0, 0, 1, [1], order)],
        [ScoreChunk(np.array([1]), scores, scores)],
        workload([0, 1]),
        in_part=in_part,
    )
    assert isinstance(result, Measurement) is in_part
    if isinstance(result, Measurement):
        assert result.inputs_run == (1,)
        assert result.agreement.top1.trials == 1
        assert result.accuracy is not None and result.accuracy.variant.successes == 1
