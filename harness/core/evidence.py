"""The figure that a rule is about, with its interval, or why there is none that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.core.agreement import proportion
from harness.core.measurements import Estimate, Interval, Measurement
from harness.core.policy import Metric, Rule, Unit
from harness.core.stats import (
    Samples,
    least_samples,
    order_statistic,
    paired_drop,
    percentile_estimate,
    ratio_of_percentiles,
)
from harness.core.value import Value

RoundLatencies = Mapping[str, Sequence[Samples]]
"""Steady latencies in nanoseconds by variant, then by round, as ``joblog.round_latencies`` gives them."""

_FRACTIONS = {Metric.P50_LATENCY: 0.5, Metric.P90_LATENCY: 0.9}
_KEYSTROKE_FRACTIONS = {Metric.P50_KEYSTROKE_LATENCY: 0.5, Metric.P90_KEYSTROKE_LATENCY: 0.9}


class Figure(Value):
    """Counts ``Rule.unit``. ``interval`` is absent for an exact figure."""

    value: float
    interval: Interval | None


class Refusal(Value):
    """Why nothing can be said, as the end of a sentence that starts with the variant."""

    reason: str


def refused_device(rule: Rule, measured: Measurement) -> Refusal | None:
    """Desktop or virtual evidence is none for a rule about a phone."""
    if rule.target_class is None or not rule.metric.depends_on_device:
        return None
    device = measured.device
    if device.target_class is rule.target_class:
        return None
    return Refusal(
        reason=f"was measured on {device.model} ({device.target_class}), the rule asks for "
        f"{rule.target_class}"
    )


def refused_comparison(rule: Rule, measured: Measurement, other: Measurement) -> Refusal | None:
    """Latency and memory compare only between like devices, runtimes' threads and kinds of peak."""
    if not rule.metric.depends_on_device:
        return None
    ours, theirs = measured.device, other.device
    if (ours.target_class, ours.model) != (theirs.target_class, theirs.model):
        return Refusal(
            reason=f"was measured on {ours.model} ({ours.target_class}), "
            f"{rule.relative_to} on {theirs.model} ({theirs.target_class}): they do not compare"
        )
    if measured.threads != other.threads:
        return Refusal(
            reason=f"ran with {measured.threads} threads, {rule.relative_to} with {other.threads}: "
            "they do not compare"
        )
    if rule.metric is Metric.PEAK_MEMORY and measured.memory.peak_kind != other.memory.peak_kind:
        return Refusal(
            reason=f"has {measured.memory.peak_kind or 'no peak'}, {rule.relative_to} has "
            f"{other.memory.peak_kind or 'no peak'}: they do not compare"
        )
    return None


def figure(
    rule: Rule,
    measured: Measurement,
    other: Measurement | None,
    confidence: float,
    round_latencies: RoundLatencies,
    other_rounds: Sequence[Samples] | None = None,
) -> Figure | Refusal:
    """The figure of ``rule`` for ``measured``; over that of ``other`` where the rule is relative.

    Proportions get their interval anew at ``confidence``. A latency interval comes from
    ``round_latencies`` at ``confidence`` where they are given, else from the measurement, and is widened
    to the range of the rounds' own percentiles: samples within a process are alike, so the pooled
    interval alone would be too narrow. The range of peak memory over rounds stands for its interval.

    A ratio of latencies is bootstrapped over paired rounds where both variants ran in the same rounds
    (``other_rounds``); else, as any other ratio, its interval runs from the lowest quotient of the two
    intervals to the highest, which is wide rather than narrow for independent figures.
    """
    if rule.metric.unit is Unit.PROPORTION:
        return proportion_figure(rule.metric, measured, confidence)
    ours = round_latencies.get(measured.variant.name)
    fraction = _FRACTIONS.get(rule.metric)
    top = _absolute(rule.metric, measured, confidence, ours)
    if other is None or isinstance(top, Refusal):
        return top
    bottom = _absolute(rule.metric, other, confidence, other_rounds)
    if isinstance(bottom, Refusal):
        return Refusal(reason=f"cannot be compared: {rule.relative_to} {bottom.reason}")
    if fraction is not None and ours and other_rounds and len(ours) == len(other_rounds):
        ratio = ratio_of_percentiles(ours, other_rounds, fraction, confidence)
        if ratio is not None:
            return Figure(value=ratio.value, interval=ratio.interval)
    return _quotient(top, bottom)


def _quotient(top: Figure, bottom: Figure) -> Figure | Refusal:
    lowest = bottom.interval.low if bottom.interval else bottom.value
    if lowest <= 0:
        return Refusal(reason="cannot be compared with nothing")
    value = top.value / bottom.value
    if top.interval is None or bottom.interval is None:
        return Figure(value=value, interval=None)
    return Figure(
        value=value,
        interval=Interval(
            low=top.interval.low / bottom.interval.high, high=top.interval.high / bottom.interval.low
        ),
    )


def _absolute(
    metric: Metric, measured: Measurement, confidence: float, by_round: Sequence[Samples] | None
) -> Figure | Refusal:
    if metric is Metric.FILE_SIZE:
        return Figure(value=measured.variant.file_bytes, interval=None)
    if metric is Metric.COMPRESSED_SIZE:
        return Figure(value=measured.variant.compressed_bytes, interval=None)
    if metric is Metric.PEAK_MEMORY:
        peaks = measured.memory.peak_bytes_by_round
        if measured.memory.peak_bytes is None or not peaks:
            return Refusal(reason="has no peak memory: this target did not tell it")
        interval = Interval(low=min(peaks), high=max(peaks))
        return Figure(value=measured.memory.peak_bytes, interval=interval)
    if metric in _KEYSTROKE_FRACTIONS:
        return _keystroke_latency(metric, measured, confidence)
    return _latency(metric, measured, confidence, by_round)


def _keystroke_latency(metric: Metric, measured: Measurement, confidence: float) -> Figure | Refusal:
    typed = measured.keystrokes
    if typed is None:
        return Refusal(reason="has no keystroke latency: set workload.text.keystrokes in the suite")
    is_median = metric is Metric.P50_KEYSTROKE_LATENCY
    estimate = typed.latency.p50 if is_median else typed.latency.p90
    of_rounds = typed.round_p50_ns if is_median else typed.round_p90_ns
    return _over_rounds(
        estimate, of_rounds, typed.latency.samples, _KEYSTROKE_FRACTIONS[metric], measured, confidence
    )


def _over_rounds(
    estimate: Estimate | None,
    of_rounds: Sequence[float],
    count: int,
    fraction: float,
    measured: Measurement,
    confidence: float,
) -> Figure | Refusal:
    """``estimate`` of a measurement, its interval widened to the range of the rounds' own percentiles."""
    if estimate is None:
        return _too_few(count, fraction, confidence)
    if measured.confidence < confidence:
        return Refusal(
            reason=f"has latency intervals at {measured.confidence:.4g}, the policy asks for "
            f"{confidence:.4g}: judge with the samples at hand"
        )
    low, high = estimate.interval.low, estimate.interval.high
    return Figure(
        value=estimate.value,
        interval=Interval(low=min([low, *of_rounds]), high=max([high, *of_rounds])),
    )


def _too_few(count: int, fraction: float, confidence: float) -> Refusal:
    least = least_samples(fraction, confidence)
    more = f", {least - count} more" if least > count else ""
    return Refusal(reason=f"has {count} samples: p{fraction * 100:.0f} needs at least {least}{more}")


def _latency(
    metric: Metric, measured: Measurement, confidence: float, by_round: Sequence[Samples] | None
) -> Figure | Refusal:
    fraction = _FRACTIONS[metric]
    if not by_round:
        steady = measured.latency.steady
        is_median = metric is Metric.P50_LATENCY
        estimate = steady.p50 if is_median else steady.p90
        rounds = measured.latency.round_p50_ns if is_median else ()
        return _over_rounds(estimate, rounds, steady.samples, fraction, measured, confidence)
    pooled = np.concatenate(by_round)
    estimate = percentile_estimate(pooled, fraction, confidence)
    of_rounds = [order_statistic(np.sort(samples), fraction) for samples in by_round]
    if estimate is None:
        return _too_few(len(pooled), fraction, confidence)
    return Figure(
        value=estimate.value,
        interval=Interval(
            low=min([estimate.interval.low, *of_rounds]), high=max([estimate.interval.high, *of_rounds])
        ),
    )


def proportion_figure(
    metric: Metric, measured: Measurement, confidence: float, scale: float = 1
) -> Figure | Refusal:
    """Agreement, accuracy or its drop; ``scale`` asks what it were with so many times the inputs."""

    def scaled(count: int) -> int:
        return round(count * scale)

    if metric is Metric.ACCURACY_DROP:
        paired = measured.accuracy
        if paired is None:
            return Refusal(reason="has no accuracy: no input has a label")
        trials = max(
            scaled(paired.variant.trials),
            scaled(paired.only_reference_right) + scaled(paired.only_variant_right),
        )
        drop = paired_drop(
            scaled(paired.only_reference_right), scaled(paired.only_variant_right), trials, confidence
        )
        return Figure(value=drop.value, interval=drop.interval)
    if metric is Metric.ACCURACY:
        found = measured.accuracy.variant if measured.accuracy else None
        missing = "has no accuracy: no input has a label"
    else:
        found = measured.agreement.top1 if metric is Metric.TOP1_AGREEMENT else measured.agreement.top5
        missing = "has no top-5 agreement: the model has fewer than six classes"
    if found is None:
        return Refusal(reason=missing)
    trials = scaled(found.trials)
    again = proportion(min(trials, scaled(found.successes)), trials, confidence)
    return Figure(value=again.value, interval=again.interval)
