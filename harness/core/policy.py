"""What a release must meet, as data. ``harness.core.verdict`` judges measurements by it."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from harness.core.events import TargetClass
from harness.core.measurements import Confidence
from harness.core.value import Value
from harness.core.variants import VariantName

ErrorRate = Annotated[float, Field(gt=0, le=0.5)]

BASELINE = "baseline"
"""As ``relative_to``: the same variant in the baseline, an earlier run's results."""


class Unit(StrEnum):
    """What a rule's ``limit`` counts."""

    PROPORTION = "proportion"
    NANOSECONDS = "ns"
    BYTES = "bytes"
    FACTOR = "factor"
    """Of the figure of the variant (or the baseline) that the rule is relative to; 1 is as much."""


class Metric(StrEnum):
    """What a rule limits. The value is what a suite file says."""

    TOP1_AGREEMENT = "top1_agreement"
    TOP5_AGREEMENT = "top5_agreement"
    ACCURACY = "accuracy"
    ACCURACY_DROP = "accuracy_drop"
    P50_LATENCY = "p50_latency"
    P90_LATENCY = "p90_latency"
    P50_KEYSTROKE_LATENCY = "p50_keystroke_latency"
    P90_KEYSTROKE_LATENCY = "p90_keystroke_latency"
    PEAK_MEMORY = "peak_memory"
    FILE_SIZE = "file_size"
    COMPRESSED_SIZE = "compressed_size"

    @property
    def unit(self) -> Unit:
        """Of the figure itself, and of the limit of a rule that is relative to nothing."""
        return _UNITS[self]

    @property
    def is_minimum(self) -> bool:
        """Whether the limit is the least that passes; otherwise it is the most."""
        return self in (Metric.TOP1_AGREEMENT, Metric.TOP5_AGREEMENT, Metric.ACCURACY)

    @property
    def depends_on_device(self) -> bool:
        """A file's size is the same wherever it was measured; all else is evidence from one device."""
        return self not in (Metric.FILE_SIZE, Metric.COMPRESSED_SIZE)


_UNITS = {
    Metric.TOP1_AGREEMENT: Unit.PROPORTION,
    Metric.TOP5_AGREEMENT: Unit.PROPORTION,
    Metric.ACCURACY: Unit.PROPORTION,
    Metric.ACCURACY_DROP: Unit.PROPORTION,
    Metric.P50_LATENCY: Unit.NANOSECONDS,
    Metric.P90_LATENCY: Unit.NANOSECONDS,
    Metric.P50_KEYSTROKE_LATENCY: Unit.NANOSECONDS,
    Metric.P90_KEYSTROKE_LATENCY: Unit.NANOSECONDS,
    Metric.PEAK_MEMORY: Unit.BYTES,
    Metric.FILE_SIZE: Unit.BYTES,
    Metric.COMPRESSED_SIZE: Unit.BYTES,
}


class Rule(Value):
    """One limit on one metric. A figure equal to the limit meets it.

    ``limit`` counts ``unit``: a proportion from 0 to 1 for agreement and accuracy drop (0.01 is one
    percentage point of accuracy), nanoseconds for latency, bytes for memory and sizes. With
    ``relative_to`` it is a factor instead: 0.5 relative to ``float32`` is at most half of float32's
    figure, 1.1 relative to ``baseline`` at most a tenth above the same variant's in the baseline.
    Agreement and accuracy drop are comparisons with the reference already and take no ``relative_to``.
    """

    metric: Metric
    limit: Annotated[float, Field(ge=0)]
    relative_to: VariantName | None = None
    applies_to: tuple[VariantName, ...] = ()
    """Variants it holds for; empty: all, except the one named by ``relative_to``."""
    target_class: TargetClass | None = None
    """Only evidence of this class counts (sizes apart); none: evidence of any class."""
    indifference: Annotated[float, Field(ge=0, lt=1)] | None = None
    """The policy's, for this rule alone."""

    @model_validator(mode="after")
    def _limit_makes_sense(self) -> Rule:
        if self.relative_to is not None:
            if self.metric.unit is Unit.PROPORTION:
                raise ValueError(f"{self.metric} compares with the reference; it takes no relative_to")
            if self.relative_to in self.applies_to:
                raise ValueError(f"a rule relative to {self.relative_to} cannot apply to it")
        if self.unit is Unit.PROPORTION and self.limit > 1:
            raise ValueError(f"{self.metric} is a proportion from 0 to 1, not {self.limit:g}")
        if self.unit is not Unit.PROPORTION and self.limit == 0:
            raise ValueError(f"a limit of 0 on {self.metric} can never be met")
        return self

    @property
    def unit(self) -> Unit:
        return self.metric.unit if self.relative_to is None else Unit.FACTOR

    def holds_for(self, variant: str) -> bool:
        """Whether the rule is to be judged for ``variant``."""
        if self.applies_to:
            return variant in self.applies_to
        return variant != self.relative_to


class Policy(Value):
    """Rules, and whom they bind.

    ``confidence`` is that of the two-sided intervals that decide: at 0.95 a rule passes or fails only
    if the figure is on one side of the limit with 97.5 % confidence, and is undecided otherwise. A run that
    was sampled until decided is judged by ``alpha``, ``beta`` and ``indifference`` instead.
    """

    confidence: Confidence = 0.95
    alpha: ErrorRate = 0.05
    """Of sampling until decided: at most this is the chance that a variant passes which breaks a rule."""
    beta: ErrorRate = 0.05
    """Of the same: at most this is the chance that a rule fails although every candidate meets them all, each by
    ``indifference``."""
    indifference: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """By how much a good variant is better than a limit: in the unit of proportions (0.01 is one percentage point), as
    a share of the limit for all else. Between the two either answer is right. 0: it need only meet the limit."""
    rules: tuple[Rule, ...] = ()
    candidates: tuple[VariantName, ...] = ()
    """Variants that may be released: the verdict is about these. Empty: all that were measured (the
    reference's recipe included) and those whose run was cut off."""

    @model_validator(mode="after")
    def _candidates_are_distinct(self) -> Policy:
        repeated = [name for name, count in Counter(self.candidates).items() if count > 1]
        if repeated:
            raise ValueError(f"candidate {repeated[0]} is named twice")
        return self
