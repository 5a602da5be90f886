"""From event logs to a measurement: attempts add up once, and what is not complete is not measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from core_records import (
    device,
    ended,
    failed,
    job_log,
    samples,
    stage,
    started,
    variant,
    workload,
)

from harness.core.agreement import ScoreChunk
from harness.core.events import Conditions, Event, Keystrokes, Stage
from harness.core.joblog import (
    JobLog,
    failure,
    is_finished,
    last_stage,
    memory_by_stage,
    round_latencies,
    stage_durations,
    steady_conditions,
    steady_samples,
    warmup_runs,
)
from harness.core.measurements import Measurement, NotMeasured, Result
from harness.core.metrics import keystroke_latency, measure

REFERENCE = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], dtype=np.float32)


def attempt(number: int, blocks: Sequence[Event], peak: int = 100, load_ns: int = 7) -> list[Event]:
    return [
        started(number),
        stage(Stage.START, resident_bytes=10),
        stage(Stage.LOAD, load_ns, resident_bytes=20),
        stage(Stage.COMPILE, 30),
        stage(Stage.FIRST_RUN, 40, peak_resident_bytes=peak),
        samples([0], [999], "warmup"),
        *blocks,
    ]


def complete(round_index: int, first_input: int, latencies: Sequence[int], peak: int = 100) -> JobLog:
    inputs = [index % 2 for index in range(len(latencies))]
    events = [*attempt(1, [samples(inputs, latencies)], peak), ended(len(latencies), repeat_mismatches=1)]
    return job_log(events, f"r{round_index}-{first_input}", round_index, first_input)


def measured(logs: Sequence[JobLog], outputs: np.ndarray | None = REFERENCE) -> Result:
    scores = None if outputs is None else [ScoreChunk(np.arange(4), REFERENCE, outputs)]
    return measure(variant("int8"), logs, scores, workload([0, 1, None, 1]))


def problem(result: Result) -> tuple[str, str]:
    assert isinstance(result, NotMeasured)
    assert result.name == "int8" and result.variant is not None and result.next_step
    return result.outcome, result.code


RESUMED = job_log(
    [
        *attempt(1, [samples([0, 1], [10, 20])]),
        *attempt(2, [samples([0], [30]), samples([1], [40])], peak=90, load_ns=8),
        ended(4),
    ],
    first_input=6,
)


def test_samples_of_all_attempts_count_once_in_workload_indices() -> None:
    inputs, latencies = steady_samples(RESUMED)
    assert inputs.tolist() == [6, 7, 6, 7]
    assert latencies.tolist() == [10, 20, 30, 40]
    assert warmup_runs(RESUMED) == 2
    assert stage_durations(RESUMED, Stage.LOAD) == [7, 8]
    assert stage_durations(RESUMED, Stage.START) == []
    assert [one[Stage.FIRST_RUN].peak_resident_bytes for one in memory_by_stage(RESUMED)] == [100, 90]


def test_a_log_is_finished_failed_or_neither() -> None:
    cut_off = job_log(attempt(1, []))
    mended = job_log([started(1), failed(), *attempt(2, [samples([0], [5])]), ended(1)])
    refused = job_log([*attempt(1, [samples([0], [5])]), started(2), failed()])
    assert (is_finished(cut_off), failure(cut_off)) == (False, None)
    assert (is_finished(mended), failure(mended)) == (True, None)
    assert not is_finished(refused)
    found = failure(refused)
    assert found is not None and found.code == "compile_failed"
    assert failure(job_log([])) is None


def test_the_last_stage_is_that_of_the_last_attempt() -> None:
    assert last_stage(job_log(attempt(1, []))) is Stage.FIRST_RUN
    assert last_stage(job_log([*attempt(1, []), started(2)])) is None
    assert last_stage(job_log([])) is None


def test_conditions_stand_by_steady_block() -> None:
    busy = Conditions(load_average_1m=9.0)
    log = job_log(
        [started(), samples([0], [1], "warmup", busy), samples([0], [1]), samples([0], [1], conditions=busy)]
    )
    assert steady_conditions(log) == [None, busy]


def test_rounds_are_pooled_and_kept_apart() -> None:
    logs = [complete(1, 2, [21, 22, 23, 24], peak=300), complete(0, 0, [11, 12, 13, 14], peak=200)]
    result = measured(logs)
    assert isinstance(result, Measurement)
    assert result.latency.round_p50_ns == (12, 22)
    assert [one.tolist() for one in round_latencies(logs)] == [[11, 12, 13, 14], [21, 22, 23, 24]]
    assert result.latency.steady.samples == 8
    assert result.latency.steady.p50 is not None and result.latency.steady.p50.value == 14
    assert result.latency.steady.p90 is None
    assert result.latency.load_ns == (7, 7)
    assert result.latency.first_run_ns == (40, 40)
    assert result.latency.warmup_runs == 2
    assert result.repeat_mismatches == 2
    assert result.memory.peak_bytes == 300
    assert result.memory.peak_kind == "peak_resident_bytes"
    assert result.memory.peak_bytes_by_round == (200, 300)
    assert result.memory.by_stage[Stage.LOAD].resident_bytes == 20
    assert result.memory.by_stage[Stage.LOAD].footprint_bytes is None
    assert Stage.STEADY not in result.memory.by_stage
    assert result.agreement.top1.successes == 4
    assert result.accuracy is not None and result.accuracy.variant.trials == 3
    assert result.confidence == 0.95


def test_several_shards_of_a_round_are_one_round() -> None:
    result = measured([complete(0, 0, [10, 20]), complete(0, 2, [30, 40])])
    assert isinstance(result, Measurement)
    assert result.latency.round_p50_ns == (20,)


def test_an_earlier_copy_of_a_log_does_not_count_again() -> None:
    whole = [complete(0, 0, [10, 20]), complete(0, 2, [30, 40])]
    earlier = replace(whole[0], events=whole[0].events[:-1])
    assert measured([earlier, *whole]) == measured(whole) == measured([*whole, earlier])


def test_memory_is_absent_where_no_process_told_it() -> None:
    events: list[Event] = [started(), samples([0, 1, 2, 3], [1, 2, 3, 4]), ended(4)]
    result = measured([job_log(events, input_count=4)])
    assert isinstance(result, Measurement)
    assert result.memory.peak_bytes is None and result.memory.peak_kind is None
    assert result.memory.peak_bytes_by_round == ()
    assert result.memory.by_stage == {}
    assert result.latency.load_ns == ()


def test_the_footprint_is_the_peak_where_it_is_known() -> None:
    memory = stage(Stage.FIRST_RUN, 1, peak_footprint_bytes=5, peak_resident_bytes=50)
    events: list[Event] = [started(), memory, samples([0, 1, 2, 3], [1, 2, 3, 4]), ended(4)]
    result = measured([job_log(events, input_count=4)])
    assert isinstance(result, Measurement)
    assert (result.memory.peak_kind, result.memory.peak_bytes) == ("peak_footprint_bytes", 5)


WHOLE = [complete(0, 0, [10, 20]), complete(0, 2, [30, 40])]


def test_what_is_not_complete_is_not_measured() -> None:
    cut_off = replace(WHOLE[1], events=WHOLE[1].events[:-1])
    assert problem(measured([])) == ("incomplete", "inputs_missing")
    assert problem(measured([WHOLE[0]])) == ("incomplete", "inputs_missing")
    assert problem(measured([WHOLE[0], cut_off])) == ("incomplete", "cut_off")
    assert problem(measured(WHOLE, None)) == ("incomplete", "outputs_missing")


def test_a_failed_job_fails_the_variant() -> None:
    refused = job_log([started(), failed()], "r0-2", 0, 2)
    result = measured([WHOLE[0], refused])
    assert problem(result) == ("failed", "compile_failed")
    assert isinstance(result, NotMeasured)
    assert result.stage is Stage.COMPILE and "no kernel" in result.problem


def test_logs_that_contradict_themselves_fail() -> None:
    miscounted = job_log([started(), samples([0, 1], [1, 2]), ended(3)], "m")
    beyond = job_log([started(), samples([0, 1], [1, 2]), ended(2)], "b", first_input=3)
    assert problem(measured([*WHOLE, miscounted])) == ("failed", "log_inconsistent")
    assert problem(measured([*WHOLE, beyond])) == ("failed", "log_inconsistent")
    assert problem(measured(WHOLE, REFERENCE[:, :1])) == ("failed", "outputs_mismatch")


@pytest.mark.parametrize(
    "start", [started(at=device(model="Other")), started(version="2.4.0"), started(threads=4)]
)
def test_unlike_processes_are_not_one_measurement(start: Event) -> None:
    other = replace(WHOLE[1], events=(start, *WHOLE[1].events[1:]))
    assert problem(measured([WHOLE[0], other])) == ("failed", "mixed_conditions")


def test_keystrokes_are_pooled_and_kept_by_round() -> None:
    def typed(round_index: int, latencies: Sequence[int]) -> JobLog:
        events = [
            *attempt(1, [samples([0], [5])]),
            Keystrokes(t_ns=9, texts=2, latency_ns=tuple(latencies)),
            ended(1),
        ]
        return job_log(events, f"r{round_index}", round_index)

    silent = job_log([*attempt(1, [samples([0], [5])]), ended(1)], "r9", 9)
    assert keystroke_latency([silent], 0) is None
    found = keystroke_latency([typed(0, range(100, 200)), silent, typed(1, range(200, 300))], 7)
    assert found is not None and found.latency.p50 is not None and found.latency.p90 is not None
    assert (found.texts, found.pause_ns, found.latency.samples) == (4, 7, 200)
    assert (found.latency.p50.value, found.latency.p90.value) == (199, 279)
    assert (found.round_p50_ns, found.round_p90_ns) == ((149, 249), (189, 289))
    # The keystrokes are no steady samples.
    assert round_latencies([typed(0, [7])])[0].tolist() == [5]
