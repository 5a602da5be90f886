"""Judging measurements by a policy. Pure: a changed policy re-judges a stored run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.evidence import (
    Figure,
    Refusal,
    RoundLatencies,
    figure,
    proportion_figure,
    refused_comparison,
    refused_device,
)
from harness.core.measurements import Measurement, NotMeasured, Result, result_name
from harness.core.policy import BASELINE, Metric, Policy, Rule, Unit
from harness.core.rule_result import Answer, RuleResult, sequential_result, shown
from harness.core.sampling import Sampled
from harness.core.sequential import Decision, Rates, judge_sequentially
from harness.core.value import Value

__all__ = ["Answer", "RuleResult", "SampledEvidence", "Verdict", "judge", "open_rules", "shown"]

_MOST_INPUTS = 10_000_000
"""Beyond it a number of further inputs is no advice."""


@dataclass(frozen=True)
class SampledEvidence:
    """Of a run that is sampled until decided: what each variant's finished jobs tell, in the order of sampling.

    ``end``: why sampling stopped; empty while it goes on.
    """

    variants: Mapping[str, Sampled]
    end: str = ""


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
    sampled: SampledEvidence | None = None,
) -> Verdict:
    """Judge every variant by every rule that holds for it, then the candidates together.

    ``sampled`` is the evidence of a run that was sampled until decided: all figures but exact sizes are then judged by
    ``policy.alpha`` and ``policy.beta``, since an interval for a fixed number of samples does not allow to stop when
    it likes one. ``beta`` is shared out among the rules of all candidates, any of which may err; ``alpha`` need not be:
    a bad variant passes only if the very rule errs that it breaks.

    ``round_latencies`` (of ``results``, not of the baseline) lets latency rules use the samples
    themselves: intervals at the policy's confidence, and ratios over paired rounds.

    A variant that was cut off is undecided. One that failed or could not be built fails its rules if
    ``policy.candidates`` names it; otherwise it is undecided, and no candidate.
    """
    rates = Rates(policy.alpha, policy.beta / max(1, _sampled_rules(policy, results)))
    judged = tuple(
        _judge_one(policy, rule, result, results, baseline, round_latencies or {}, sampled, rates)
        for result in results
        for rule in policy.rules
        if rule.holds_for(result_name(result))
    )
    answer, reason = _overall(policy, results, judged)
    names = [result_name(result) for result in results]
    return Verdict(
        answer=answer,
        reason=reason,
        results=judged,
        releasable=tuple(name for name in names if _all_pass(name, judged)),
        policy=policy,
    )


def _sampled_rules(policy: Policy, results: Sequence[Result]) -> int:
    names = policy.candidates or tuple(result_name(result) for result in results)
    return sum(
        rule.holds_for(name) for rule in policy.rules if rule.metric.depends_on_device for name in names
    )


def open_rules(verdict: Verdict, results: Sequence[Result]) -> tuple[RuleResult, ...]:
    """The rules of candidates that further sampling may decide."""
    names = verdict.policy.candidates or tuple(result_name(result) for result in results)
    return tuple(
        one
        for one in verdict.results
        if one.variant in names and one.evidence is not None and one.evidence.decision is Decision.OPEN
    )


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
    sampled: SampledEvidence | None,
    rates: Rates,
) -> RuleResult:
    name = result_name(result)
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
        elif sampled is not None and rule.metric.depends_on_device:
            refused = refused_comparison(rule, result, other) if other else None
            return _judge_sampled(policy, rule, result, other, sampled, rates, refused)
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


def _judge_sampled(
    policy: Policy,
    rule: Rule,
    measured: Measurement,
    other: Measurement | None,
    sampled: SampledEvidence,
    rates: Rates,
    refused: Refusal | None,
) -> RuleResult:
    name = measured.variant.name
    ours = sampled.variants.get(name)
    beside: Sampled | Measurement | None = other
    if other is not None and rule.relative_to != BASELINE:
        beside = sampled.variants.get(other.variant.name)
    if refused is None and (ours is None or (other is not None and beside is None)):
        refused = Refusal(reason="has no finished job beside that of what it is compared with")
    if refused is None and ours is not None:
        indifference = policy.indifference if rule.indifference is None else rule.indifference
        found = judge_sequentially(rule, ours, beside, indifference, rates)
        if not isinstance(found, Refusal):
            constant = measured.agreement.constant_output
            return sequential_result(name, rule, found, end=sampled.end, constant_output=constant)
        refused = found
    assert refused is not None
    return RuleResult(variant=name, rule=rule, answer=Answer.UNDECIDED, reason=f"{name} {refused.reason}.")


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
        if result_name(one) == wanted:
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


def further_inputs(rule: Rule, measured: Measurement, confidence: float) -> int | None:
    """The least number of further inputs, about, that puts the interval on one side of the limit.

    Supposes that the proportion stays what it is. ``None`` where no number below ten million does, as
    for a proportion that equals the limit, or where the metric is no proportion.
    """
    if rule.unit is not Unit.PROPORTION:
        return None
    of_labels = rule.metric in (Metric.ACCURACY, Metric.ACCURACY_DROP)
    paired = measured.accuracy if of_labels else None
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
    by_name: Mapping[str, Result] = {result_name(result): result for result in results}
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
