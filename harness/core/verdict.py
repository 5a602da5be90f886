"""Judging measurements by a policy. Pure: a changed policy re-judges a stored run."""

from __future__ import annotations

from enum import StrEnum

from harness.core.jobs import PositiveCount
from harness.core.measurements import Interval
from harness.core.policy import Policy, Rule
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
