"""Events to columns and back: nothing is lost, and the blocks keep their attempt and phase."""

from __future__ import annotations

import numpy as np
import pytest
from core_records import ended, job_log, samples, started

from harness.core.events import Conditions, Event, Samples, Stage
from harness.core.joblog import event_count, inference_ns, steady_conditions, steady_samples, warmup_runs
from harness.errors import WireError


def _warmup(*latencies_ns: int) -> Samples:
    return Samples(
        t_ns=5, phase=Stage.WARMUP, inputs=tuple(range(len(latencies_ns))), latency_ns=latencies_ns
    )


def test_attempts_and_phases_are_kept_apart() -> None:
    hot = Conditions(other_cpu_fraction=0.5)
    first: list[Event] = [started(), _warmup(9, 8), samples([0, 1], [10, 20])]
    again: list[Event] = [started(), _warmup(7), samples([1], [30], conditions=hot), ended(3)]
    log = job_log([*first, *again], first_input=4)
    inputs, latencies = steady_samples(log)
    assert inputs.tolist() == [4, 5, 5] and latencies.tolist() == [10, 20, 30]
    assert warmup_runs(log) == 3
    assert steady_conditions(log) == [None, hot]
    assert log.blocks.runs == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert log.blocks.attempts.tolist() == [0, 0, 1, 1]
    assert event_count(log) == len(first) + len(again)
    assert inference_ns(log) == 9 + 8 + 10 + 20 + 7 + 30
    assert [event.event for event in log.events] == ["job_started", "job_started", "job_finished"]


def test_a_log_without_samples_is_empty_columns() -> None:
    log = job_log([started()])
    assert len(log.blocks) == 0 and log.blocks.runs == []
    assert steady_samples(log)[1].tolist() == [] and warmup_runs(log) == 0


@pytest.mark.parametrize("column", ["inputs", "latency_ns"])
def test_a_number_no_sample_can_have_is_refused(column: str) -> None:
    columns = {"inputs": (0,), "latency_ns": (1,)} | {column: (2**63,)}
    event = Samples(t_ns=1, phase=Stage.STEADY, inputs=columns["inputs"], latency_ns=columns["latency_ns"])
    with pytest.raises(WireError, match="too large"):
        job_log([started(), event], "r0-x")


def test_equal_conditions_are_one_value() -> None:
    blocks = [samples([0], [1], conditions=Conditions(load_average_1m=0.5)) for _ in range(3)]
    found = [known for known in job_log([started(), *blocks]).blocks.conditions.values()]
    assert len(found) == 3 and all(one is found[0] for one in found)
    assert np.array_equal(job_log([started(), *blocks]).blocks.sizes, [1, 1, 1])
