"""Each kind is found where it is, and only there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from core_records import device, job_log, measurement, not_measured, samples, started, workload

from harness.core import disturbances, findings, level_findings
from harness.core.events import Conditions
from harness.core.findings import Finding, FindingKind, find
from harness.core.measurements import Result
from harness.core.stats import Samples


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1
    assert found[0].message and found[0].advice.endswith(".")
    return found[0]


@pytest.mark.parametrize(
    ("count", "severity", "message"),
    [
        (5, "warning", "5 steady samples: p50 needs 1 more, p90 needs 59 more, p99 needs 657 more"),
        (63, "warning", "63 steady samples: p90 needs 1 more, p99 needs 599 more"),
        (64, "note", "64 steady samples: p99 needs 598 more"),
    ],
)
def test_too_few_samples_says_how_many_are_missing(count: int, severity: str, message: str) -> None:
    found = only(disturbances.too_few_samples(measurement(rounds=[range(1, count + 1)])))
    assert (found.kind, found.variant, found.severity) == (FindingKind.TOO_FEW_SAMPLES, "int8", severity)
    assert found.message == message


def test_enough_samples_need_no_finding() -> None:
    assert disturbances.too_few_samples(measurement(rounds=[range(1, 663)])) == []


def test_noise_is_a_wide_interval_or_unlike_rounds() -> None:
    assert disturbances.noisy(measurement(rounds=[[1000] * 50, [1100] * 50])) == []
    rounds = only(disturbances.noisy(measurement(rounds=[[1000] * 200, [1101] * 10])))
    assert rounds.message == "p50 differs by 10.1 % between rounds"
    wide = only(disturbances.noisy(measurement(rounds=[[1000, 1100, 1200, 1300, 1400, 1500]])))
    assert wide.message == "the interval of p50 is 41.7 % of it wide"
    assert disturbances.noisy(measurement(rounds=[[1, 1000]])) == []


def test_a_busy_machine_is_counted_by_block() -> None:
    blocks = [
        Conditions(other_cpu_fraction=0.1, load_average_1m=99.0),
        Conditions(other_cpu_fraction=0.3),
        Conditions(other_cpu_fraction=0.2),
        Conditions(),
        None,
    ]
    found = only(disturbances.busy_machine(measurement(), blocks))
    assert found.message == "in 2 of 3 sample blocks other processes used up to 30 % of all cores"
    load = [Conditions(load_average_1m=4.0), Conditions(load_average_1m=6.5)]
    found = only(disturbances.busy_machine(measurement(at=device(cores=4)), load))
    assert found.message == "in 1 of 2 sample blocks the load average reached 6.5 on 4 cores"
    assert disturbances.busy_machine(measurement(at=device(cores=8)), load) == []


def test_a_slow_first_run_is_a_note() -> None:
    rounds = [[1_000_000] * 10]
    found = only(disturbances.slow_first_run(measurement(rounds=rounds, first_run_ns=[6_000_000, 7_000_000])))
    assert found.message == "the first run takes 6.5 ms, 6.5 times p50"
    assert found.severity == "note"
    assert disturbances.slow_first_run(measurement(rounds=rounds, first_run_ns=[5_000_000])) == []
    assert disturbances.slow_first_run(measurement(rounds=rounds)) == []


def noise(count: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).normal(1_000_000, 5_000, count).astype(np.int64)


def test_drift_over_the_run_is_found_in_both_directions() -> None:
    ramp = np.linspace(1, 1.2, 100)
    rising = only(disturbances.drift(measurement(), [(noise(100) * ramp).astype(np.int64)]))
    assert rising.message.startswith("latency rises by 1") and rising.message.endswith("over the run")
    falling = only(disturbances.drift(measurement(), [(noise(100) * ramp[::-1]).astype(np.int64)]))
    assert falling.message.startswith("latency falls by 1")
    assert rising.advice != falling.advice
    rounds = [(noise(50, seed) * scale).astype(np.int64) for seed, scale in enumerate((1.3, 1.2, 1.1, 1.0))]
    assert only(disturbances.drift(measurement(), rounds)).message.startswith("latency falls by ")


def test_drift_within_each_round_is_found_where_rounds_start_cool() -> None:
    ramp = np.linspace(1, 1.3, 60)
    rounds = [(noise(60, seed) * ramp).astype(np.int64) for seed in range(6)]
    found = only(disturbances.drift(measurement(), rounds))
    assert found.message.endswith("over each round")


def test_noise_and_small_trends_are_no_drift() -> None:
    for seed in range(20):
        loud = np.random.default_rng(seed).normal(1_000_000, 200_000, 100).astype(np.int64)
        assert disturbances.drift(measurement(), [noise(100, seed)]) == []
        assert disturbances.drift(measurement(), [loud]) == []
    assert (
        disturbances.drift(measurement(), [(noise(100) * np.linspace(1, 1.04, 100)).astype(np.int64)]) == []
    )
    assert disturbances.drift(measurement(), []) == []


def test_outliers_are_counted_and_kept() -> None:
    # median 105, MAD 5: 179 is exactly 14.8 deviations away, 180 is beyond.
    base = [100, 105, 110] * 100
    assert disturbances.outliers(measurement(), [np.array([*base, 179])]) == []
    found = only(disturbances.outliers(measurement(), [np.array([*base, 180]), np.array([105])]))
    assert found.message.startswith("1 of 302 samples are outliers")
    assert found.severity == "note"
    many = only(disturbances.outliers(measurement(), [np.array([*base, 180, 180, 180, 180])]))
    assert many.severity == "warning"
    assert disturbances.outliers(measurement(), [np.array([5] * 10 + [500])]) == []
    assert disturbances.outliers(measurement(), []) == []


def test_heat_and_low_power_are_counted_by_block() -> None:
    blocks = [
        Conditions(thermal_state="nominal", low_power_mode=False),
        Conditions(thermal_state="serious", low_power_mode=True),
        Conditions(thermal_state="fair"),
        None,
    ]
    hot = only(disturbances.thermal(measurement(), blocks))
    assert "in 2 of 3 sample blocks, at worst serious" in hot.message
    slow = only(disturbances.low_power_mode(measurement(), blocks))
    assert slow.message == "low-power mode was on in 1 of 2 sample blocks"
    assert disturbances.thermal(measurement(), blocks[:1]) == []
    assert disturbances.low_power_mode(measurement(), blocks[:1]) == []
    assert disturbances.thermal(measurement(), [Conditions(), None]) == []


def test_outputs_that_cannot_be_trusted_are_found() -> None:
    assert "3 steady runs" in only(findings.nondeterministic(measurement(repeat_mismatches=3))).message
    assert "2 of 100 inputs" in only(findings.invalid_outputs(measurement(invalid_outputs=2))).message
    assert "all 100 inputs" in only(findings.constant_output(measurement(constant_output=True))).message
    clean = measurement()
    assert (
        findings.nondeterministic(clean) + findings.invalid_outputs(clean) + findings.constant_output(clean)
        == []
    )


def test_views_of_one_original_are_not_independent() -> None:
    found = only(findings.views_not_independent(workload([None] * 4, ["a", "a", "b", "b"])))
    assert found.message.startswith("4 inputs were made from 2 originals")
    assert found.variant is None
    assert findings.views_not_independent(workload([None] * 4)) == []


def test_missing_and_few_labels() -> None:
    assert only(findings.no_truth(workload([None, None]))).kind is FindingKind.NO_TRUTH
    assert findings.few_labelled(workload([None, None])) == []
    few = only(findings.few_labelled(workload([0, 1, None])))
    assert few.message.startswith("2 of 3 inputs have labels")
    # z^2 / (n + z^2) <= 0.02 from n = 189.
    assert findings.few_labelled(workload([0] * 188)) != []
    assert findings.few_labelled(workload([0] * 189)) == []
    assert findings.no_truth(workload([0])) == []


def test_runtimes_are_compared_with_the_reference_and_with_each_other() -> None:
    old, new = measurement("int8", runtime_version="2.2.0"), measurement("float16", runtime_version="2.3.0")
    found = findings.runtime_mismatch([old, new], "LiteRT 2.3.0")
    assert [(one.variant, one.kind) for one in found] == [
        (None, FindingKind.RUNTIME_MISMATCH),
        ("int8", FindingKind.RUNTIME_MISMATCH),
    ]
    assert found[0].message == "variants ran on different runtimes: LiteRT 2.2.0, LiteRT 2.3.0"
    assert found[1].message == "ran on LiteRT 2.2.0, the reference on 2.3.0"
    assert findings.runtime_mismatch([new], "LiteRT 2.3.0") == []
    assert findings.runtime_mismatch([new], "keras 3.15.1 / tensorflow 2.21.0") == []


def test_a_variant_without_gain_is_found_among_those_with() -> None:
    base = measurement("float32", file_bytes=1000, compressed_bytes=900)
    same = measurement("rounded", file_bytes=1000, compressed_bytes=900)
    compressible = measurement("rounded", file_bytes=1000, compressed_bytes=500)
    smaller = measurement("int8", file_bytes=250)
    faster = measurement("float16", file_bytes=1000, rounds=[range(500, 600)])
    found = only(findings.no_gain([base, same, compressible, smaller, faster]))
    assert found.variant == "rounded"
    assert found.advice.startswith("Ship float32")
    assert findings.no_gain([same]) == []


def test_all_findings_come_run_first_then_by_variant() -> None:
    hot = Conditions(thermal_state="serious")
    logs = [
        job_log([started(), samples([0] * 100, range(1000, 1100), conditions=hot)], of="int8"),
        job_log([started(), samples([0], [1])], of="float16"),
    ]
    results: list[Result] = [measurement("float16"), not_measured("rounded", "failed"), measurement("int8")]
    found = find(results, logs, workload([None, None]), "LiteRT 2.3.0")
    assert [(one.kind, one.variant) for one in found] == [
        (FindingKind.NO_TRUTH, None),
        (FindingKind.TOO_FEW_SAMPLES, "float16"),
        (FindingKind.TOO_FEW_SAMPLES, "int8"),
        (FindingKind.DRIFT, "int8"),
        (FindingKind.THERMAL, "int8"),
    ]


def stepped(levels: Sequence[float], rounds: int = 6, count: int = 60) -> list[np.ndarray]:
    """Rounds of noise, the whole at one level after another for equal times."""
    series = np.concatenate([noise(count, seed) for seed in range(rounds)])
    scale = np.repeat(levels, -(-len(series) // len(levels)))[: len(series)]
    return [one.astype(np.int64) for one in np.array_split(series * scale, rounds)]


def test_a_step_to_another_level_is_told_from_a_drift() -> None:
    throttled = level_findings.level_shift(measurement(), stepped([1.0, 1.0, 1.4]))
    found = only(throttled)
    assert found.kind is FindingKind.LEVEL_SHIFT
    assert found.message.startswith("latency steps from 1") and found.message.endswith("in round 5")
    back = only(level_findings.level_shift(measurement(), stepped([1.0, 1.5, 1.0])))
    assert back.message.count("in round") == 2
    ramp = [
        (one * scale).astype(np.int64)
        for one, scale in zip(stepped([1.0]), np.linspace(1, 1.6, 6), strict=True)
    ]
    slowly = np.array_split(np.concatenate(stepped([1.0])) * np.linspace(1, 1.6, 360), 6)
    assert level_findings.level_shift(measurement(), slowly) == []
    assert only(disturbances.drift(measurement(), ramp)).message.endswith("over the run")
    assert disturbances.drift(measurement(), ramp, over_run=False) == []


def test_noise_has_no_levels_and_many_rounds_are_no_trouble() -> None:
    for seed in range(10):
        loud = np.random.default_rng(seed).normal(1_000_000, 100_000, (5, 50)).astype(np.int64)
        assert level_findings.level_shift(measurement(), list(loud)) == []
    many = [noise(6, seed) for seed in range(200)]
    assert level_findings.level_shift(measurement(), many) == []
    assert only(
        level_findings.level_shift(measurement(), [one * (1 + (i > 99)) for i, one in enumerate(many)])
    )
    assert level_findings.level_shift(measurement(), []) == []


def test_frequencies_that_changed_stand_beside_the_step() -> None:
    blocks = [
        [Conditions(cpu_frequency_hz=2_400_000_000)],
        [None],
        [Conditions(cpu_frequency_hz=1_200_000_000)],
    ]
    found = only(level_findings.level_shift(measurement(), stepped([1.0, 2.0]), blocks))
    assert "1.2 to 2.4 GHz" in found.message


def test_a_thermal_state_that_changes_is_told_with_what_it_did() -> None:
    nominal, fair = Conditions(thermal_state="nominal"), Conditions(thermal_state="fair")
    measured = measurement(rounds=[[1000] * 50, [1000] * 50, [1300] * 50])
    found = only(level_findings.thermal_change(measured, [[nominal, None], [nominal], [fair, fair]]))
    assert "from nominal to fair in round 3; p50 was" in found.message
    assert "0.001 ms in the rounds before and 0.0013 ms" in found.message
    swinging = only(level_findings.thermal_change(measured, [[nominal, fair], [nominal], [None]]))
    assert "in round 1, 1 more changes after it" in swinging.message
    assert level_findings.thermal_change(measured, [[nominal], [None], [nominal]]) == []
    assert level_findings.thermal_change(measured, []) == []


def test_a_first_run_unlike_the_others_is_kept_and_told() -> None:
    usual = [30_000_000, 31_000_000, 29_000_000, 30_500_000, 29_500_000, 30_200_000]
    assert level_findings.first_run_outliers(measurement(first_run_ns=usual)) == []
    cold = only(level_findings.first_run_outliers(measurement(first_run_ns=[90_000_000, *usual])))
    assert cold.message.startswith("the first run of process 1 of 7 took 90 ms")
    late = only(level_findings.first_run_outliers(measurement(first_run_ns=[*usual, 90_000_000, 80_000_000])))
    assert "process 7 of 8 and 1 more" in late.message and late.advice != cold.advice
    assert level_findings.first_run_outliers(measurement(first_run_ns=[1, 1, 1, 1, 1, 9])) == []
    assert level_findings.first_run_outliers(measurement(first_run_ns=usual[:3])) == []
