"""The policy of a suite: what a release must meet, limits in the units a person writes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from harness.core.events import TargetClass
from harness.core.policy import ErrorRate, Metric, Policy, Rule, Unit
from harness.core.value import Value
from harness.core.variants import VariantName

_BYTES_PER_MB = 1_000_000


class RuleSection(Value):
    """One of ``[[policy.rules]]``: a metric and one limit, whose key names the unit."""

    metric: Metric
    min: float | None = None
    max: float | None = None
    max_ms: float | None = None
    max_mb: float | None = None
    max_factor: float | None = None
    relative_to: VariantName | None = None
    applies_to: tuple[VariantName, ...] = ()
    target_class: TargetClass | None = None
    indifference: Annotated[float, Field(ge=0, lt=1)] | None = None

    @property
    def _limit_key(self) -> str:
        if self.relative_to is not None:
            return "max_factor"
        if self.metric.is_minimum:
            return "min"
        return {Unit.NANOSECONDS: "max_ms", Unit.BYTES: "max_mb", Unit.PROPORTION: "max"}[self.metric.unit]

    @model_validator(mode="after")
    def _the_limit_fits_the_metric(self) -> RuleSection:
        given = [
            key for key in ("min", "max", "max_ms", "max_mb", "max_factor") if getattr(self, key) is not None
        ]
        if given != [self._limit_key]:
            what = f"{self.metric.value}{' relative to another' if self.relative_to else ''}"
            raise ValueError(
                f"a rule on {what} has one limit, {self._limit_key}; found {', '.join(given) or 'none'}"
            )
        self.rule()
        return self

    def rule(self) -> Rule:
        """The rule in base units (ns, bytes)."""
        limit = float(getattr(self, self._limit_key))
        factor = {"max_ms": 1e6, "max_mb": _BYTES_PER_MB}.get(self._limit_key, 1)
        return Rule(
            metric=self.metric,
            limit=limit * factor,
            relative_to=self.relative_to,
            applies_to=self.applies_to,
            target_class=self.target_class,
            indifference=self.indifference,
        )


class PolicySection(Value):
    """``[policy]``: what a release must meet. ``baseline`` is a run folder or a report written by ``--json``."""

    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    alpha: ErrorRate = 0.05
    beta: ErrorRate = 0.05
    indifference: Annotated[float, Field(ge=0, lt=1)] = 0.0
    candidates: tuple[VariantName, ...] = ()
    baseline: str | None = None
    rules: tuple[RuleSection, ...] = ()

    @property
    def policy(self) -> Policy:
        return Policy(
            confidence=self.confidence,
            alpha=self.alpha,
            beta=self.beta,
            indifference=self.indifference,
            candidates=self.candidates,
            rules=tuple(section.rule() for section in self.rules),
        )
