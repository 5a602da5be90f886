"""The verdict as rows of words: the rule, the figure with its interval, the answer, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.measurements import Interval, result_name
from harness.core.policy import Metric, Rule, Unit
from harness.core.report import RunReport
from harness.core.verdict import Answer, RuleResult
from harness.render import figures
from harness.render.plain_text import one_line

METRIC_WORDS = {
    Metric.TOP1_AGREEMENT: "top-1 agreement",
    Metric.TOP5_AGREEMENT: "top-5 agreement",
    Metric.ACCURACY: "accuracy",
    Metric.ACCURACY_DROP: "accuracy drop",
    Metric.P50_LATENCY: "p50 latency",
    Metric.P90_LATENCY: "p90 latency",
    Metric.P50_KEYSTROKE_LATENCY: "p50 keystroke latency",
    Metric.P90_KEYSTROKE_LATENCY: "p90 keystroke latency",
    Metric.PEAK_MEMORY: "peak memory",
    Metric.FILE_SIZE: "file size",
    Metric.COMPRESSED_SIZE: "compressed size",
}


@dataclass(frozen=True, slots=True)
class JudgedRule:
    """One rule on one variant.

    ``figure`` has its interval; ``reason`` is empty where the rule passed or the verdict's reason says it.
    """

    variant: str
    rule: str
    figure: str
    answer: Answer
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict is about the ``candidates``.

    ``rules`` are the candidates' rules; ``others`` those that other variants do not pass; ``next_steps``
    says what would decide it.
    """

    answer: Answer
    reason: str
    rules: tuple[JudgedRule, ...]
    others: tuple[JudgedRule, ...]
    candidates: tuple[str, ...]
    releasable: tuple[str, ...]
    next_steps: tuple[str, ...]
    confidence: str


def judgement(report: RunReport) -> Judgement:
    """The verdict of ``report`` in words; its rules are those of the candidates."""
    verdict = report.verdict
    candidates = _candidates(report)
    results = [result for name in candidates for result in verdict.results if result.variant == name]
    return Judgement(
        answer=verdict.answer,
        reason=one_line(verdict.reason),
        rules=tuple(_judged(result, said=verdict.reason.startswith(result.reason)) for result in results),
        others=tuple(
            _judged(result)
            for result in verdict.results
            if result.variant not in candidates and result.answer is not Answer.PASS
        ),
        candidates=tuple(map(one_line, candidates)),
        releasable=tuple(map(one_line, verdict.releasable)),
        next_steps=_next_steps(results),
        confidence=f"{100 * verdict.policy.confidence:g} %",
    )


def _candidates(report: RunReport) -> tuple[str, ...]:
    if report.verdict.policy.candidates:
        return report.verdict.policy.candidates
    return tuple(
        result_name(result) for result in report.results if result.outcome in ("measured", "incomplete")
    )


def _judged(result: RuleResult, said: bool = False) -> JudgedRule:
    return JudgedRule(
        variant=one_line(result.variant),
        rule=rule_in_words(result.rule),
        figure=result_figure(result),
        answer=result.answer,
        reason="" if result.answer is Answer.PASS or said else one_line(result.reason),
    )


def rule_in_words(rule: Rule) -> str:
    """``"top-1 agreement ≥ 95 %"``, ``"file size ≤ 20 MB"``, ``"p90 latency ≤ 5 ms (iphone)"``."""
    sign = "≥" if rule.metric.is_minimum else "≤"
    where = f" ({rule.target_class})" if rule.target_class is not None else ""
    return f"{METRIC_WORDS[rule.metric]} {sign} {_limit(rule)}{where}"


def _limit(rule: Rule) -> str:
    match rule.unit:
        case Unit.FACTOR:
            return f"{rule.limit:g} {figures.TIMES} {rule.relative_to}"
        case Unit.PROPORTION if rule.metric is Metric.ACCURACY_DROP:
            return f"{100 * rule.limit:g} pp"
        case Unit.PROPORTION:
            return f"{100 * rule.limit:g} %"
        case Unit.NANOSECONDS:
            return figures.time_limit(rule.limit)
        case Unit.BYTES:
            return figures.size_limit(rule.limit)


def result_figure(result: RuleResult) -> str:
    """The figure with its interval in the rule's unit; a dash where there is none."""
    if result.value is None:
        return figures.ABSENT
    match result.rule.unit:
        case Unit.FACTOR:
            return figures.factor_with_interval(result.value, result.interval)
        case Unit.PROPORTION if result.rule.metric is Metric.ACCURACY_DROP:
            return " ".join(figures.percentage_points(result.value, result.interval)).rstrip()
        case Unit.PROPORTION:
            return " ".join(figures.percent(result.value, result.interval)).rstrip()
        case Unit.NANOSECONDS:
            return figures.time_with_interval(result.value, result.interval)
        case Unit.BYTES:
            return figures.size_with_interval(result.value, _wide(result.value, result.interval))


def _wide(value: float, interval: Interval | None) -> Interval | None:
    """An interval that is a point says nothing."""
    return None if interval is not None and interval.low == value == interval.high else interval


def _next_steps(results: list[RuleResult]) -> tuple[str, ...]:
    return tuple(
        f"{one_line(result.variant)}: about {result.further_inputs} more "
        f"input{'' if result.further_inputs == 1 else 's'} would likely decide: {rule_in_words(result.rule)}"
        for result in results
        if result.answer is Answer.UNDECIDED and result.further_inputs is not None
    )
