"""What one rule says of one variant, and the sentence that says it."""

from __future__ import annotations

from enum import StrEnum

from harness.core.jobs import PositiveCount
from harness.core.measurements import Interval
from harness.core.policy import Rule, Unit
from harness.core.sequential import Decision, EvidenceUnit, SequentialEvidence
from harness.core.value import Value


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
    evidence: SequentialEvidence | None = None
    """Of a run that was sampled until decided: all that decided, look by look."""


_ANSWERS = {Decision.PASS: Answer.PASS, Decision.FAIL: Answer.FAIL, Decision.OPEN: Answer.UNDECIDED}


def sequential_result(
    variant: str, rule: Rule, found: SequentialEvidence, *, end: str, constant_output: bool
) -> RuleResult:
    """The answer by sequential evidence. ``end``: why sampling stopped; empty while it goes on."""
    answer = _ANSWERS[found.decision]
    of = f" of {rule.relative_to}" if rule.relative_to else ""
    typical = "a median round's " if found.unit is EvidenceUnit.ROUND else ""
    bound = "least" if rule.metric.is_minimum else "most"
    reason = (
        f"{variant} has {typical}{rule.metric.replace('_', ' ')} {shown(found.value, rule.unit)}{of}"
        f"{_bounds(found, rule.unit)}; the limit is at {bound} {shown(rule.limit, rule.unit)}"
    )
    units = f"{found.unit.value}{'s' if found.units != 1 else ''}"
    if found.decided_at_unit is not None and found.decided_in_round is not None:
        rate = found.alpha if found.decision is Decision.PASS else found.beta
        many = "s" if found.decided_at_unit != 1 else ""
        reason += (
            f": decided by {found.decided_at_unit} {found.unit.value}{many}, in round {found.decided_in_round + 1}, "
            f"at an error rate of {rate:.3g}."
        )
    else:
        reason += f": {found.units} {units} did not decide it. {end or 'Sampling can go on.'}"
    if answer is Answer.PASS and rule.unit is Unit.PROPORTION and constant_output:
        answer = Answer.UNDECIDED
        reason += " Yet every input gives the same output, so that this says nothing."
    both = found.low is not None and found.high is not None
    return RuleResult(
        variant=variant,
        rule=rule,
        answer=answer,
        reason=reason,
        value=found.value,
        interval=Interval(low=found.low or 0.0, high=found.high or 0.0) if both else None,
        evidence=found,
    )


def _bounds(found: SequentialEvidence, unit: Unit) -> str:
    if found.low is not None and found.high is not None:
        return f" (at any time {shown(found.low, unit)} to {shown(found.high, unit)})"
    if found.low is not None:
        return f" (at any time {shown(found.low, unit)} or more)"
    if found.high is not None:
        return f" (at any time {shown(found.high, unit)} or less)"
    return ""


def shown(value: float, unit: Unit) -> str:
    """Four digits and a unit a person reads: ``98.25 %``, ``12.5 ms``, ``5.27 MB``, ``0.5x``."""
    if unit is Unit.PROPORTION:
        return f"{value * 100:.4g} %"
    if unit is Unit.NANOSECONDS:
        return f"{value / 1e6:.4g} ms"
    if unit is Unit.FACTOR:
        return f"{value:.4g}x"
    return f"{value / 1e6:.4g} MB" if value >= 1e5 else f"{value:.0f} bytes"
