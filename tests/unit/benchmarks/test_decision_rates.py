"""A reduced version of docs/statistics-simulated.md: fixed seeds, the recorded noise, the code that answers.

Limits allow for the few repetitions: three standard errors of a share of 5 %.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.decision_rates import (
    RATES,
    Rows,
    agreement_gates,
    compared_rates,
    drop_coverage,
    drop_gates,
    fixed_drop_size,
    fixed_size,
    latency_gates,
    percentile_coverage,
    proportion_coverage,
    round_figures,
    sequence_coverage,
)
from benchmarks.record_noise import PROCESSES, SAMPLES, read_recording, recordings

REPETITIONS = 150


def allowed(share: float, repetitions: int = REPETITIONS) -> float:
    return share + 3 * math.sqrt(share * (1 - share) / repetitions)


@pytest.fixture(scope="module")
def undisturbed() -> Rows:
    return round_figures(read_recording("undisturbed"))


def test_the_recordings_are_what_they_say() -> None:
    assert [one.name for one in recordings()] == ["busy", "undisturbed"]
    quiet = read_recording("undisturbed")
    assert quiet.latencies_ns.shape == (PROCESSES, SAMPLES)
    assert quiet.about.startswith("EfficientNet-Lite0 float32, 1 thread")
    assert 1e6 < quiet.latencies_ns.min() < quiet.latencies_ns.max() < 1e9


@pytest.mark.parametrize("noise", ["busy", "undisturbed"])
@pytest.mark.parametrize("paired", [True, False])
def test_a_comparison_of_nothing_rarely_alarms_and_its_interval_holds(noise: str, paired: bool) -> None:
    figures = round_figures(read_recording(noise))
    found = compared_rates(figures, 12, paired=paired, effect=0.0, repetitions=REPETITIONS, seed=1)
    assert found.alarms <= allowed(0.05)
    assert found.covered >= 1 - allowed(0.025)


@pytest.mark.parametrize("paired", [True, False])
def test_a_slowdown_of_five_percent_is_found(undisturbed: Rows, paired: bool) -> None:
    found = compared_rates(undisturbed, 12, paired=paired, slowdown=1.05, repetitions=REPETITIONS)
    assert found.slower >= 0.95
    assert found.faster == 0
    faster = compared_rates(undisturbed, 12, paired=paired, slowdown=1 / 1.05, repetitions=50)
    assert faster.faster >= 0.95 and faster.slower == 0


def test_intervals_hold_at_their_rate() -> None:
    assert percentile_coverage(0.5, 50, 300) >= 1 - allowed(0.05, 300)
    assert percentile_coverage(0.9, 200, 300) >= 1 - allowed(0.05, 300)
    assert proportion_coverage(0.95, 420) >= 1 - allowed(0.05, 2000)
    # A score interval is approximate: with nine discordant pairs to expect it holds in about 93.5 %.
    assert drop_coverage(0.02, 0.01, 300) >= 1 - allowed(0.065, 2000)
    assert drop_coverage(0.03, 0.02, 1000) >= 1 - allowed(0.05, 2000)
    assert sequence_coverage(0.9, repetitions=25) >= 1 - allowed(0.10, 25)


def test_the_fixed_size_has_the_error_rates() -> None:
    from scipy.stats import binom

    trials = fixed_size(0.95, 0.97)
    least = int(binom.isf(RATES.alpha, trials, 0.95)) + 1
    assert binom.sf(least - 1, trials, 0.95) <= RATES.alpha
    assert binom.cdf(least - 1, trials, 0.97) <= RATES.beta
    # The normal approximation of the same: ((1.645 * 0.2179 + 1.645 * 0.1706) / 0.02) ** 2 = 1021.
    assert trials == pytest.approx(1021, rel=0.03)
    assert fixed_drop_size(0.02, 0.0, 0.04) == pytest.approx((2 * 1.645 * 0.2 / 0.02) ** 2, rel=0.01)


@pytest.mark.parametrize("truth", [0.99, 0.93])
def test_a_clear_agreement_takes_a_third_of_the_samples(truth: float) -> None:
    found = agreement_gates(truth, repetitions=60)
    assert found.mean_share <= 0.35
    assert (found.passed if truth > 0.95 else found.failed) >= 0.95


@pytest.mark.parametrize("truth", [-0.02, 0.04])
def test_a_clear_drop_takes_a_third_of_the_samples(truth: float) -> None:
    found = drop_gates(truth, repetitions=60)
    assert found.mean_share <= 0.35
    assert (found.passed if truth < 0.02 else found.failed) >= 0.95


@pytest.mark.parametrize("truth", [0.97, 1.03])
def test_a_clear_latency_takes_a_third_of_the_rounds(undisturbed: Rows, truth: float) -> None:
    found = latency_gates(undisturbed, truth, repetitions=60)
    assert found.mean_share <= 0.35
    assert (found.passed if truth < 1 else found.failed) >= 0.95
    assert np.all(found.used >= 6)


def test_at_the_limit_and_at_good_the_error_rates_hold(undisturbed: Rows) -> None:
    assert latency_gates(undisturbed, 1.0, repetitions=REPETITIONS).passed <= allowed(0.05)
    assert latency_gates(undisturbed, 0.99, repetitions=REPETITIONS).failed <= allowed(0.05)
