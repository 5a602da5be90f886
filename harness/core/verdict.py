"""Judging measurements by a policy. Pure: a changed policy re-judges a stored run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from harness.core.evidence import (
    Figure,
    Refusal,
    RoundLatencies,
    figure,
    proportion_figure,
    refused_comparison,
    refused_device,
)
from harness.core.jobs import PositiveCount
from harness.core.measurements import Interval, Measurement, NotMeasured, Result
from harness.core.policy import BASELINE, Policy, Rule, Unit
from harness.core.value import Value

_MOST_INPUTS = 10_000_000
"""Beyond it a number of further inputs is no advice."""


class Answer(StrEnum):
    """A gate has three answers; only complete measured evidence passes."""

    PASS = "pass"
    FAIL = "fail"
    UNDECIDED = "undecided"


class RuleResult(Value):
    """What one rule says of one variant.

    ``value`` and ``interval`` count ``rule.unit``; absent where the figure was not measured or its
    evidence is refused. Sizes are exact and have no interval.
    """

    variant: str
    rule: Rule
    answer: Answer
    reason: str
    """A sentence with the figure, its interval and the limit."""
    value: float | None = None
    interval: Interval | None = None
    further_inputs: PositiveCount | None = None
    """How many more inputs would likely decide an undecided proportion, if it stays what it is."""


class Verdict(Value):
    """The answer on the policy's candidates: fail if a rule fails for one, else undecided if a rule is
    undecided for one (or nothing was judged), else pass."""

    answer: Answer
    reason: str
    results: tuple[RuleResult, ...]
    """One for each rule and each variant that it holds for, candidates or not."""
    releasable: tuple[str, ...]
    """Variants for which at least one rule holds and all that hold pass, candidates or not."""
    policy: Policy


def judge(
    policy: Policy,
    results: Sequence[Result],
    baseline: Sequence[Result] | None = None,
    *,
    round_latencies: RoundLatencies | None = None,
) -> Verdict:
    """Judge every variant by every rule that holds for it, then the candidates together.

    ``round_latencies`` (of ``results``, not of the baseline) lets latency rules use the samples
    themselves: intervals at the policy's confidence, and ratios over paired rounds.

    A variant that was cut off is undecided. One that failed or could not be built fails its rules if
    ``policy.candidates`` names it; otherwise it is undecided, and no candidate.
    """
    judged = tuple(
        _judge_one(policy, rule, result, results, baseline, round_latencies or {})
        for result in results
        for rule in policy.rules
        if rule.holds_for(_name(result))
    )
    answer, reason = _overall(policy, results, judged)
    names = [_name(result) for result in results]
    return Verdict(
        answer=answer,
        reason=reason,
        results=judged,
        releasable=tuple(name for name in names if _all_pass(name, judged)),
        policy=policy,
    )


def _name(result: Result) -> str:
    return result.variant.name if isinstance(result, Measurement) else result.name


def _all_pass(name: str, judged: Sequence[RuleResult]) -> bool:
    answers = [one.answer for one in judged if one.variant == name]
    return bool(answers) and all(answer is Answer.PASS for answer in answers)


def _judge_one(
    policy: Policy,
    rule: Rule,
    result: Result,
    results: Sequence[Result],
    baseline: Sequence[Result] | None,
    round_latencies: RoundLatencies,
) -> RuleResult:
    name = _name(result)
    if isinstance(result, NotMeasured):
        lost = result.outcome != "incomplete" and name in policy.candidates
        return RuleResult(
            variant=name, rule=rule, answer=Answer.FAIL if lost else Answer.UNDECIDED, reason=_absence(result)
        )
    found: Figure | Refusal | None = refused_device(rule, result)
    if found is None:
        other = _other(rule, result, results, baseline)
        if isinstance(other, Refusal):
            found = other
        elif other is None:
            found = figure(rule, result, None, policy.confidence, round_latencies)
        else:
            same_run = rule.relative_to != BASELINE
            other_rounds = round_latencies.get(other.variant.name) if same_run else None
            found = refused_comparison(rule, result, other) or figure(
                rule, result, other, policy.confidence, round_latencies, other_rounds
            )
    if isinstance(found, Refusal):
        return RuleResult(variant=name, rule=rule, answer=Answer.UNDECIDED, reason=f"{name} {found.reason}.")
    return _decide(policy, rule, result, found)


def _absence(result: NotMeasured) -> str:
    what = {"failed": "failed", "incomplete": "is incomplete", "not-built": "could not be built"}
    return f"{result.name} {what[result.outcome]}: {result.problem.rstrip('.')}."


def _other(
    rule: Rule, result: Measurement, results: Sequence[Result], baseline: Sequence[Result] | None
) -> Measurement | Refusal | None:
    """What the rule is relative to; ``None`` where it is relative to nothing."""
    if rule.relative_to is None:
        return None
    if rule.relative_to == BASELINE:
        if baseline is None:
            return Refusal(reason="cannot be compared: there is no baseline")
        wanted, place, among = result.variant.name, "the baseline", baseline
    else:
        wanted, place, among = rule.relative_to, "this run", results
    for one in among:
        if _name(one) == wanted:
            if isinstance(one, Measurement):
                return one
            return Refusal(reason=f"cannot be compared: in {place}, {_absence(one).rstrip('.')}")
    return Refusal(reason=f"cannot be compared: there is no {wanted} in {place}")


def _side(rule: Rule, found: Figure) -> Answer:
    low, high = (found.interval.low, found.interval.high) if found.interval else (found.value, found.value)
    if rule.metric.is_minimum:
        return Answer.PASS if low >= rule.limit else Answer.FAIL if high < rule.limit else Answer.UNDECIDED
    return Answer.PASS if high <= rule.limit else Answer.FAIL if low > rule.limit else Answer.UNDECIDED


def _decide(policy: Policy, rule: Rule, measured: Measurement, found: Figure) -> RuleResult:
    answer = _side(rule, found)
    reason = _sentence(policy, rule, measured.variant.name, found)
    further: int | None = None
    is_proportion = rule.unit is Unit.PROPORTION
    if answer is Answer.PASS and is_proportion and measured.agreement.constant_output:
        answer = Answer.UNDECIDED
        reason += " Yet every input gives the same output, so that this says nothing."
    elif answer is Answer.UNDECIDED and is_proportion:
        further = further_inputs(rule, measured, policy.confidence)
        reason += (
            " No reasonable number of further inputs would decide it at this value."
            if further is None
            else f" About {further} more inputs would decide it, if the value stays."
        )
    elif answer is Answer.UNDECIDED:
        reason += " More rounds would narrow the interval."
    return RuleResult(
        variant=measured.variant.name,
        rule=rule,
        answer=answer,
        reason=reason,
        value=found.value,
        interval=found.interval,
        further_inputs=further,
    )


def _sentence(policy: Policy, rule: Rule, name: str, found: Figure) -> str:
    interval = ""
    if found.interval is not None:
        kind = "rounds" if rule.metric.unit is Unit.BYTES else f"{policy.confidence * 100:.4g} % interval"
        low, high = shown(found.interval.low, rule.unit), shown(found.interval.high, rule.unit)
        interval = f" ({kind} {low} to {high})"
    of = f" of {rule.relative_to}" if rule.relative_to else ""
    bound = "least" if rule.metric.is_minimum else "most"
    return (
        f"{name} has {rule.metric.replace('_', ' ')} {shown(found.value, rule.unit)}{of}{interval}; "
        f"the limit is at {bound} {shown(rule.limit, rule.unit)}."
    )


def shown(value: float, unit: Unit) -> str:
    """Four digits and a unit a person reads: ``98.25 %``, ``12.5 ms``, ``5.27 MB``, ``0.5x``."""
    if unit is Unit.PROPORTION:
        return f"{value * 100:.4g} %"
    if unit is Unit.NANOSECONDS:
        return f"{value / 1e6:.4g} ms"
    if unit is Unit.FACTOR:
        return f"{value:.4g}x"
    return f"{value / 1e6:.4g} MB" if value >= 1e5 else f"{value:.0f} bytes"


def further_inputs(rule: Rule, measured: Measurement, confidence: float) -> int | None:
    """The least number of further inputs, about, that puts the interval on one side of the limit.

    Supposes that the proportion stays what it is. ``None`` where no number below ten million does, as
    for a proportion that equals the limit, or where the metric is no proportion.
    """
    if rule.unit is not Unit.PROPORTION:
        return None
    paired = None if rule.metric.is_minimum else measured.accuracy
    inputs = paired.variant.trials if paired else measured.agreement.top1.trials

    def decided(total: int) -> bool:
        found = proportion_figure(rule.metric, measured, confidence, total / inputs)
        return isinstance(found, Figure) and _side(rule, found) is not Answer.UNDECIDED

    enough = inputs
    while not decided(enough):
        enough *= 2
        if enough > _MOST_INPUTS:
            return None
    too_few = enough // 2 if enough > inputs else 0
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if decided(middle):
            enough = middle
        else:
            too_few = middle
    return enough - inputs if enough > inputs else None


def _overall(policy: Policy, results: Sequence[Result], judged: Sequence[RuleResult]) -> tuple[Answer, str]:
    by_name: Mapping[str, Result] = {_name(result): result for result in results}
    candidates = policy.candidates or tuple(
        name
        for name, result in by_name.items()
        if isinstance(result, Measurement) or result.outcome == "incomplete"
    )
    problems: dict[Answer, list[str]] = {Answer.FAIL: [], Answer.UNDECIDED: []}
    for name in candidates:
        result = by_name.get(name)
        if result is None:
            problems[Answer.UNDECIDED].append(f"Candidate {name} is not in this run.")
        elif isinstance(result, NotMeasured):
            answer = Answer.UNDECIDED if result.outcome == "incomplete" else Answer.FAIL
            problems[answer].append(_absence(result))
    for name in {name: None for rule in policy.rules for name in rule.applies_to if name not in by_name}:
        if not policy.candidates:
            problems[Answer.UNDECIDED].append(f"A rule names {name}, which is not in this run.")
    measured = [one for one in judged if one.variant in candidates and _is_measured(by_name, one.variant)]
    for one in measured:
        if one.answer is not Answer.PASS:
            problems[one.answer].append(one.reason)
    for answer, reasons in problems.items():
        if reasons:
            more = f" {len(reasons) - 1} more like it." if len(reasons) > 1 else ""
            return answer, reasons[0] + more
    if not policy.rules:
        return Answer.UNDECIDED, "The policy has no rule."
    if not measured:
        return Answer.UNDECIDED, "No rule holds for a measured candidate."
    left_out = [name for name, result in by_name.items() if name not in candidates]
    note = f" Not judged as candidates: {', '.join(left_out)}." if left_out else ""
    passing = sorted({one.variant for one in measured}, key=list(candidates).index)
    return Answer.PASS, f"{', '.join(passing)} meet every rule." + note


def _is_measured(by_name: Mapping[str, Result], name: str) -> bool:
    return isinstance(by_name[name], Measurement)
