"""How often the harness's answers are wrong, and how soon they come: by simulation, on the code that answers.

Noise comes from recordings of the real runner (benchmarks/record_noise.py): whole processes in the order in which they
ran, so that levels, drift and autocorrelation are the machine's. Seeds are fixed: the figures are the same every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from benchmarks.record_noise import Recording
from harness.core.changes import ComparedFigure, Conclusion, Criterion, cost_change
from harness.core.policy import Metric, Rule
from harness.core.sampling import Originals, Sampled
from harness.core.sequential import Decision, Rates, SequentialEvidence, judge_sequentially
from harness.core.stats import clopper_pearson, order_statistic, paired_drop, percentile_estimate

Rows = NDArray[np.float64]
CRITERION = Criterion()
_FIGURES = ((ComparedFigure.P50_LATENCY, 0.5), (ComparedFigure.P90_LATENCY, 0.9))
NOTHING = Originals(np.zeros(0), np.zeros(0, np.int64))
RATES = Rates(alpha=0.05, beta=0.05)


# -- comparing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ComparedRates:
    """Of many comparisons of two latencies: shares that called p50 or p90 slower or faster, and intervals that hold
    the true ratio (the worse of the two figures)."""

    slower: float
    faster: float
    covered: float

    @property
    def alarms(self) -> float:
        return self.slower + self.faster


def round_figures(recording: Recording) -> Rows:
    """``[processes, 2]``: p50 and p90 of each process."""
    ordered = np.sort(recording.latencies_ns, axis=1)
    return np.array([[order_statistic(row, fraction) for _, fraction in _FIGURES] for row in ordered])


def compared_rates(
    figures: Rows,
    rounds: int,
    *,
    paired: bool,
    slowdown: float = 1.0,
    effect: float = CRITERION.effect,
    repetitions: int = 1000,
    seed: int = 0,
) -> ComparedRates:
    """Compare the recorded processes with themselves, those of ``b`` ``slowdown`` times slower.

    Paired: a stretch of the recording, as if two variants took turns, in a random order in each round. Not paired: any
    processes for either side.
    """
    generator = np.random.default_rng(seed)
    count = len(figures)
    slower = faster = 0
    covered = np.zeros(2)
    for _ in range(repetitions):
        if paired:
            stretch = (generator.integers(count) + np.arange(2 * rounds)) % count
            turns = stretch.reshape(rounds, 2)
            swapped = generator.random(rounds) < 0.5
            turns[swapped] = turns[swapped][:, ::-1]
            chosen = turns.T
        else:
            chosen = generator.permutation(count)[: 2 * rounds].reshape(2, rounds)
        conclusions = set()
        for column, (figure, _) in enumerate(_FIGURES):
            change = cost_change(
                figure,
                (figures[chosen[0], column].tolist(), (slowdown * figures[chosen[1], column]).tolist()),
                paired=paired,
                shown=(None, None),
                level=CRITERION.level(len(_FIGURES)),
                effect=effect,
            )
            conclusions.add(change.conclusion)
            assert change.interval is not None
            covered[column] += change.interval.low <= slowdown * (1 + 1e-12) and change.interval.high >= (
                slowdown * (1 - 1e-12)
            )
        slower += Conclusion.SLOWER in conclusions
        faster += Conclusion.FASTER in conclusions
    return ComparedRates(slower / repetitions, faster / repetitions, float(covered.min()) / repetitions)


# -- intervals ---------------------------------------------------------------------------------------------------------


def percentile_coverage(fraction: float, samples: int, repetitions: int = 1000, seed: int = 0) -> float:
    """How often a percentile's interval holds it, of independent samples with a heavy tail."""
    generator = np.random.default_rng(seed)
    draws = generator.pareto(2.5, (repetitions, samples)) + 1
    truth = (1 - fraction) ** (-1 / 2.5)
    found = [percentile_estimate(row, fraction) for row in draws]
    return float(
        np.mean([one is not None and one.interval.low <= truth <= one.interval.high for one in found])
    )


def proportion_coverage(truth: float, trials: int, repetitions: int = 2000, seed: int = 0) -> float:
    """Of Clopper and Pearson's interval."""
    counts = np.random.default_rng(seed).binomial(trials, truth, repetitions)
    intervals = {int(count): clopper_pearson(int(count), trials) for count in np.unique(counts)}
    return float(np.mean([intervals[int(one)].low <= truth <= intervals[int(one)].high for one in counts]))


def drop_coverage(lost: float, won: float, trials: int, repetitions: int = 2000, seed: int = 0) -> float:
    """Of Tango's interval for a paired drop."""
    draws = np.random.default_rng(seed).multinomial(trials, [lost, won, 1 - lost - won], repetitions)
    known = {
        (int(b), int(c)): paired_drop(int(b), int(c), trials).interval
        for b, c in {(int(row[0]), int(row[1])) for row in draws}
    }
    intervals = [known[int(row[0]), int(row[1])] for row in draws]
    return float(np.mean([one.low <= lost - won <= one.high for one in intervals]))


# -- gates -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GateRates:
    """Of many gates that sampled until they were decided. ``used``: units that each took, in rising order."""

    truth: float
    passed: float
    failed: float
    used: NDArray[np.int64]
    fixed: int

    @property
    def mean_share(self) -> float:
        """Of what the test of a fixed size takes for the same error rates."""
        return float(self.used.mean()) / self.fixed

    def quantile_share(self, fraction: float) -> float:
        return order_statistic(self.used, fraction) / self.fixed


def fixed_size(bad: float, good: float, rates: Rates = RATES) -> int:
    """The least number of trials with which one binomial test passes ``bad`` with at most alpha and fails ``good`` with
    at most beta."""
    trials = np.arange(2, 20_000)
    least = binom.isf(rates.alpha, trials, bad) + 1
    enough = binom.cdf(least - 1, trials, good) <= rates.beta
    # The rates go up and down in steps: from the first size on that stays good for a while.
    for start in np.flatnonzero(enough).tolist():
        if enough[start : start + 5].all():
            return int(trials[start])
    raise ValueError("no number of trials below twenty thousand has these error rates")


def fixed_drop_size(bad: float, good: float, discordant: float, rates: Rates = RATES) -> int:
    """The same for a paired drop, by the normal approximation (Connor, Biometrics 43 (1987) 207-211)."""
    from scipy.special import ndtri

    za, zb = float(ndtri(1 - rates.alpha)), float(ndtri(1 - rates.beta))
    spread_bad, spread_good = np.sqrt(discordant - bad**2), np.sqrt(discordant - good**2)
    return int(np.ceil(((za * spread_bad + zb * spread_good) / (bad - good)) ** 2))


def _gates(
    rule: Rule,
    draw: Callable[[np.random.Generator], Sampled],
    *,
    truth: float,
    fixed: int,
    most: int,
    indifference: float,
    repetitions: int,
    seed: int,
) -> GateRates:
    generator = np.random.default_rng(seed)
    decisions: list[Decision] = []
    used = np.full(repetitions, most, np.int64)
    for index in range(repetitions):
        found = judge_sequentially(rule, draw(generator), None, indifference, RATES)
        assert isinstance(found, SequentialEvidence)
        decisions.append(found.decision)
        if found.decided_at_unit is not None:
            used[index] = found.decided_at_unit
    return GateRates(
        truth,
        decisions.count(Decision.PASS) / repetitions,
        decisions.count(Decision.FAIL) / repetitions,
        np.sort(used),
        fixed,
    )


def agreement_gates(
    truth: float, *, limit: float = 0.95, indifference: float = 0.02, repetitions: int = 1000, seed: int = 0
) -> GateRates:
    """Agreement of ``truth``, an original at a time, at most four times as many as the fixed size takes."""
    fixed = fixed_size(limit, limit + indifference)
    most = 4 * fixed

    def draw(generator: np.random.Generator) -> Sampled:
        agreeing = (generator.random(most) < truth).astype(np.float64)
        return _sampled(top1=Originals(agreeing, np.arange(most) // 20))

    rule = Rule(metric=Metric.TOP1_AGREEMENT, limit=limit)
    return _gates(
        rule,
        draw,
        truth=truth,
        fixed=fixed,
        most=most,
        indifference=indifference,
        repetitions=repetitions,
        seed=seed,
    )


def drop_gates(
    truth: float,
    *,
    limit: float = 0.02,
    indifference: float = 0.02,
    discordant: float = 0.04,
    repetitions: int = 1000,
    seed: int = 0,
) -> GateRates:
    """An accuracy drop of ``truth`` with ``discordant`` answers in all (more where the drop needs them)."""
    fixed = fixed_drop_size(limit, limit - indifference, discordant)
    most = 4 * fixed
    all_discordant = max(discordant, abs(truth))
    lost = (all_discordant + truth) / 2

    def draw(generator: np.random.Generator) -> Sampled:
        chance = generator.random(most)
        drop = np.where(chance < lost, 1.0, np.where(chance < all_discordant, -1.0, 0.0))
        return _sampled(drop=Originals(drop, np.arange(most) // 20))

    rule = Rule(metric=Metric.ACCURACY_DROP, limit=limit)
    return _gates(
        rule,
        draw,
        truth=truth,
        fixed=fixed,
        most=most,
        indifference=indifference,
        repetitions=repetitions,
        seed=seed,
    )


def latency_gates(
    figures: Rows, truth: float, *, indifference: float = 0.01, repetitions: int = 1000, seed: int = 0
) -> GateRates:
    """A p50 whose median round is ``truth`` times the limit, by rounds drawn from the recorded processes.

    The fixed size is that of a sign test which tells a median at the limit from one better by the indifference.
    """
    relative = figures[:, 0] / np.median(figures[:, 0])
    below = float(np.mean(relative * (1 - indifference) <= 1))
    fixed = fixed_size(0.5, below)
    most = 4 * fixed
    limit_ns = 10e6

    def draw(generator: np.random.Generator) -> Sampled:
        rounds = truth * limit_ns * generator.choice(relative, most)
        return _sampled(p50_ns=dict(enumerate(rounds.tolist())))

    return _gates(
        Rule(metric=Metric.P50_LATENCY, limit=limit_ns),
        draw,
        truth=truth,
        fixed=fixed,
        most=most,
        indifference=indifference,
        repetitions=repetitions,
        seed=seed,
    )


def sequence_coverage(truth: float, units: int = 400, repetitions: int = 300, seed: int = 0) -> float:
    """How often the interval of an agreement holds it after every one of 40 looks, at 5 % on either side."""
    generator = np.random.default_rng(seed)
    rule = Rule(metric=Metric.TOP1_AGREEMENT, limit=0.5)
    held = 0
    for _ in range(repetitions):
        agreeing = (generator.random(units) < truth).astype(np.float64)
        held += all(
            _holds(rule, Originals(agreeing[:end], np.zeros(end, np.int64)), truth)
            for end in range(units // 40, units + 1, units // 40)
        )
    return held / repetitions


def _holds(rule: Rule, originals: Originals, truth: float) -> bool:
    found = judge_sequentially(rule, _sampled(top1=originals), None, 0.0, RATES)
    assert isinstance(found, SequentialEvidence) and found.low is not None and found.high is not None
    return found.low <= truth <= found.high


def _sampled(
    *,
    top1: Originals = NOTHING,
    drop: Originals = NOTHING,
    p50_ns: dict[int, float] | None = None,
) -> Sampled:
    return Sampled(
        top1=top1,
        top5=NOTHING,
        right=NOTHING,
        drop=drop,
        p50_ns=p50_ns or {},
        p90_ns={},
        keystroke_p50_ns={},
        keystroke_p90_ns={},
        peak_bytes={},
    )
