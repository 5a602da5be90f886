"""Judging a rule by evidence that came in one piece after another, at stated error rates.

Two gamblers (``harness.core.betting``) watch each rule. One bets that the figure is better than the limit: when the
capital reaches 1 / alpha, the rule passes. The other bets that it is worse than a good variant's (the limit less the
indifference): at 1 / beta the rule fails. The first to get there decides, for good, so that a stored run is judged as
it was while it was sampled. docs/statistics.md derives the rates and shows them by simulation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.core.betting import (
    first_crossing,
    log_capital,
    lower_bound,
    median_bounds,
    upper_bound,
    wald_bet,
)
from harness.core.evidence import Refusal
from harness.core.jobs import Count
from harness.core.measurements import Measurement
from harness.core.policy import ErrorRate, Metric, Rule, Unit
from harness.core.sampling import Sampled
from harness.core.value import Value

ROUND_BET = 0.9
"""Half of the capital on rounds is bet so high: they are dear, and where the truth is clear nearly all agree."""


class Decision(StrEnum):
    """What the evidence says so far."""

    PASS = "pass"
    FAIL = "fail"
    OPEN = "open"


class EvidenceUnit(StrEnum):
    """What counts as one independent observation."""

    ORIGINAL = "original"
    ROUND = "round"


class Look(Value):
    """The evidence at the end of a round: natural logarithms of the two capitals; absent: beyond all bounds."""

    round_index: Count
    units: Count
    log_pass: float | None
    log_fail: float | None


class SequentialEvidence(Value):
    """The whole path of a rule's evidence. ``decided_at_unit`` counts from 1; both are absent while it is open.

    ``low`` and ``high`` are a confidence sequence (at ``beta`` and ``alpha`` on the rule's own sides), valid
    whenever sampling stopped; a side is absent where the evidence gives none yet.
    """

    unit: EvidenceUnit
    units: Count
    alpha: ErrorRate
    beta: Annotated[float, Field(gt=0, le=0.5)]
    good: float
    """What a good variant has at worst: the limit, less the indifference."""
    decision: Decision
    decided_at_unit: Count | None
    decided_in_round: Count | None
    value: float
    low: float | None
    high: float | None
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class Rates:
    """Error rates of one rule of one variant. ``beta`` is its part of the policy's: any of the rules may err."""

    alpha: float
    beta: float


@dataclass(frozen=True)
class _Wager:
    """Evidence about one mean in [0, 1]: ``for_pass`` against a mean of at most ``bad``, ``for_fail`` of ``good``."""

    for_pass: NDArray[np.float64]
    bad: float
    pass_bet: float | None
    for_fail: NDArray[np.float64]
    good: float
    fail_bet: float | None
    rounds: NDArray[np.int64]


def judge_sequentially(
    rule: Rule,
    ours: Sampled,
    other: Sampled | Measurement | None,
    indifference: float,
    rates: Rates,
) -> SequentialEvidence | Refusal:
    """The evidence of ``ours`` about ``rule`` and what it decides.

    ``other`` is what the rule is relative to: a variant that ran in the same rounds, or a stored measurement, whose
    own uncertainty then takes half of both error rates.
    """
    if rule.metric.unit is Unit.PROPORTION:
        return _of_proportion(rule, ours, indifference, rates)
    return _of_rounds(rule, ours, other, indifference, rates)


def _of_proportion(
    rule: Rule, ours: Sampled, indifference: float, rates: Rates
) -> SequentialEvidence | Refusal:
    by_metric = {
        Metric.TOP1_AGREEMENT: ours.top1,
        Metric.TOP5_AGREEMENT: ours.top5,
        Metric.ACCURACY: ours.right,
        Metric.ACCURACY_DROP: ours.drop,
    }
    found = by_metric[rule.metric]
    if not len(found):
        lacks = {
            Metric.TOP5_AGREEMENT: "has no top-5 agreement: the model has fewer than six classes",
            Metric.ACCURACY: "has no accuracy: no input that ran has a label",
            Metric.ACCURACY_DROP: "has no accuracy: no input that ran has a label",
        }
        return Refusal(reason=lacks.get(rule.metric, "has no finished job"))
    is_drop = rule.metric is Metric.ACCURACY_DROP
    good_limit = rule.limit - indifference if is_drop else min(1.0, rule.limit + indifference)
    # A share in [0, 1] that is larger for a better variant: of equal labels, or (1 - drop) / 2.
    better = (1 - found.figures) / 2 if is_drop else found.figures
    bad, good = ((1 - rule.limit) / 2, (1 - good_limit) / 2) if is_drop else (rule.limit, good_limit)
    wager = _Wager(
        for_pass=better,
        bad=bad,
        pass_bet=None if is_drop else wald_bet(bad, good),
        for_fail=1 - better,
        good=1 - good,
        fail_bet=None if is_drop else wald_bet(1 - good, 1 - bad),
        rounds=found.rounds,
    )
    low = lower_bound(better, rates.alpha, wager.pass_bet)
    high = upper_bound(better, rates.beta, wager.fail_bet)
    if is_drop:
        low, high = 1 - 2 * high, 1 - 2 * low
    value = float(found.figures.mean())
    return _decided(wager, rates, EvidenceUnit.ORIGINAL, good_limit, value, (low, high))


def _of_rounds(
    rule: Rule, ours: Sampled, other: Sampled | Measurement | None, indifference: float, rates: Rates
) -> SequentialEvidence | Refusal:
    own = _by_round(rule.metric, ours)
    if not own:
        return Refusal(reason=_no_rounds(rule.metric))
    factor_low = factor_high = 1.0
    if isinstance(other, Measurement):
        rates = Rates(rates.alpha / 2, rates.beta / 2)
        bounds = stored_median(_stored(rule.metric, other), rates)
        if isinstance(bounds, Refusal):
            return bounds
        factor_low, factor_high = bounds
        rounds = sorted(own)
        figures = np.array([own[index] for index in rounds])
        shown = figures / math.sqrt(factor_low * factor_high)
    else:
        theirs = None if other is None else _by_round(rule.metric, other)
        rounds = sorted(own if theirs is None else own.keys() & theirs.keys())
        if not rounds:
            return Refusal(reason=f"has no round in common with {rule.relative_to}")
        figures = np.array([own[index] / (theirs[index] if theirs else 1) for index in rounds])
        shown = figures
    good = rule.limit * (1 - indifference)
    wager = _Wager(
        for_pass=(figures <= rule.limit * factor_low).astype(np.float64),
        bad=0.5,
        pass_bet=ROUND_BET,
        for_fail=(figures > good * factor_high).astype(np.float64),
        good=0.5,
        fail_bet=ROUND_BET,
        rounds=np.array(rounds, dtype=np.int64),
    )
    low, high = median_bounds(figures, rates.beta, rates.alpha, ROUND_BET)
    edges = (None if low is None else low / factor_high, None if high is None else high / factor_low)
    return _decided(wager, rates, EvidenceUnit.ROUND, good, float(np.median(shown)), edges)


_KEYSTROKE_METRICS = (Metric.P50_KEYSTROKE_LATENCY, Metric.P90_KEYSTROKE_LATENCY)


def _by_round(metric: Metric, found: Sampled) -> dict[int, float]:
    by_metric = {
        Metric.P50_LATENCY: found.p50_ns,
        Metric.P90_LATENCY: found.p90_ns,
        Metric.P50_KEYSTROKE_LATENCY: found.keystroke_p50_ns,
        Metric.P90_KEYSTROKE_LATENCY: found.keystroke_p90_ns,
        Metric.PEAK_MEMORY: found.peak_bytes,
    }
    return by_metric[metric]


def _stored(metric: Metric, found: Measurement) -> Sequence[float]:
    if metric is Metric.PEAK_MEMORY:
        return found.memory.peak_bytes_by_round
    if metric in _KEYSTROKE_METRICS:
        typed = found.keystrokes
        if typed is None:
            return ()
        return typed.round_p50_ns if metric is Metric.P50_KEYSTROKE_LATENCY else typed.round_p90_ns
    latency = found.latency
    return latency.round_p50_ns if metric is Metric.P50_LATENCY else latency.round_p90_ns


def _no_rounds(metric: Metric) -> str:
    if metric is Metric.PEAK_MEMORY:
        return "has no peak memory: this target did not tell it"
    if metric in _KEYSTROKE_METRICS:
        return "has no keystroke latency in its rounds: set workload.text.keystrokes in the suite, or more of them"
    if metric is Metric.P90_LATENCY:
        return "has too few samples in each round for its p90: set run.steady.min_runs to 10 for each round or more"
    return "has no finished round"


def stored_median(figures: Sequence[float], rates: Rates) -> tuple[float, float] | Refusal:
    """Bounds of the median of a fixed number of rounds, each at its own level: order statistics, as for a percentile
    (David & Nagaraja, Order Statistics, 3rd ed. 2003, section 7.1)."""
    from scipy.special import bdtr

    ordered, count = sorted(figures), len(figures)
    level = min(rates.alpha, rates.beta)
    least = math.ceil(math.log2(1 / level))
    if count < least:
        return Refusal(
            reason=f"cannot be compared: the baseline has {count} rounds with this figure, at these error rates "
            f"it takes {least}"
        )

    def rank(tail: float) -> int:
        return max(one for one in range(1, count + 1) if bdtr(one - 1, count, 0.5) <= tail)

    return ordered[rank(rates.alpha) - 1], ordered[count - rank(rates.beta)]


def _decided(
    wager: _Wager,
    rates: Rates,
    unit: EvidenceUnit,
    good: float,
    value: float,
    edges: tuple[float | None, float | None],
) -> SequentialEvidence:
    passing = log_capital(wager.for_pass, wager.bad, wager.pass_bet)
    failing = log_capital(wager.for_fail, wager.good, wager.fail_bet)
    pass_at, fail_at = first_crossing(passing, rates.alpha), first_crossing(failing, rates.beta)
    decision, at = Decision.OPEN, None
    # Where both are true the figure lies between good and the limit: it meets the limit.
    if pass_at is not None and (fail_at is None or pass_at <= fail_at):
        decision, at = Decision.PASS, pass_at
    elif fail_at is not None:
        decision, at = Decision.FAIL, fail_at
    ends = np.flatnonzero(np.diff(wager.rounds, append=-1))
    return SequentialEvidence(
        unit=unit,
        units=len(wager.rounds),
        alpha=rates.alpha,
        beta=rates.beta,
        good=good,
        decision=decision,
        decided_at_unit=at,
        decided_in_round=None if at is None else int(wager.rounds[at - 1]),
        value=value,
        low=edges[0],
        high=edges[1],
        looks=tuple(
            Look(
                round_index=int(wager.rounds[end]),
                units=int(end) + 1,
                log_pass=_finite(passing[end]),
                log_fail=_finite(failing[end]),
            )
            for end in ends.tolist()
        ),
    )


def _finite(figure: float) -> float | None:
    return float(figure) if math.isfinite(figure) else None


SampledVariants = Mapping[str, Sampled]
"""By the name of the variant."""
