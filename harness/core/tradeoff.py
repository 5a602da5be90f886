"""Which variants are worth a choice: none other is as fast and agrees as much, and better in one of the two."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.measurements import Estimate, Measurement, Percentiles
from harness.core.policy import Metric, Policy, Rule
from harness.core.value import Value


class TradeoffPoint(Value):
    """A variant's cost (latency in nanoseconds) and worth (top-1 agreement), each with its interval.

    ``on_frontier``: no other variant is at least as good in both and better in one, by the figures as they are.
    """

    variant: str
    latency_ns: Estimate
    agreement: Estimate
    compressed_bytes: int
    on_frontier: bool


class Limit(Value):
    """A rule's limit on one of the two axes, in nanoseconds or as a proportion."""

    rule: Rule
    value: float


class Tradeoff(Value):
    """``metric`` says which percentile the latencies are; points are in the order of the results."""

    metric: Metric
    points: tuple[TradeoffPoint, ...]
    latency_limits: tuple[Limit, ...]
    agreement_limits: tuple[Limit, ...]

    @property
    def frontier(self) -> tuple[TradeoffPoint, ...]:
        """The points on it, the fastest first."""
        return tuple(
            sorted((one for one in self.points if one.on_frontier), key=lambda one: one.latency_ns.value)
        )


def tradeoff(measured: Sequence[Measurement], policy: Policy) -> Tradeoff:
    """Of the variants that have the percentile the policy limits: p90 where a rule is about it, else p50."""
    rules = {rule.metric for rule in policy.rules}
    metric = Metric.P90_LATENCY if Metric.P90_LATENCY in rules else Metric.P50_LATENCY
    costs = {
        one.variant.name: (one, cost)
        for one in measured
        if (cost := _percentile(one.latency.steady, metric)) is not None
    }
    places = {
        name: (cost.value, one.agreement.top1.value, one.variant.compressed_bytes)
        for name, (one, cost) in costs.items()
    }
    points = tuple(
        TradeoffPoint(
            variant=name,
            latency_ns=cost,
            agreement=Estimate(value=one.agreement.top1.value, interval=one.agreement.top1.interval),
            compressed_bytes=one.variant.compressed_bytes,
            on_frontier=not any(_dominates(other, places[name]) for other in places.values()),
        )
        for name, (one, cost) in costs.items()
    )
    return Tradeoff(
        metric=metric,
        points=points,
        latency_limits=tuple(
            Limit(rule=rule, value=value)
            for rule in policy.rules
            if rule.metric is metric and (value := _limit_ns(rule, points)) is not None
        ),
        agreement_limits=tuple(
            Limit(rule=rule, value=rule.limit)
            for rule in policy.rules
            if rule.metric is Metric.TOP1_AGREEMENT
        ),
    )


def _percentile(steady: Percentiles, metric: Metric) -> Estimate | None:
    return steady.p90 if metric is Metric.P90_LATENCY else steady.p50


def _limit_ns(rule: Rule, points: Sequence[TradeoffPoint]) -> float | None:
    """A limit relative to another variant of the run is a multiple of that one's figure."""
    if rule.relative_to is None:
        return rule.limit
    base = next((one for one in points if one.variant == rule.relative_to), None)
    return None if base is None else rule.limit * base.latency_ns.value


def _dominates(one: tuple[float, float, int], other: tuple[float, float, int]) -> bool:
    """At least as fast and as true, and better in one of the two; of equals the smaller."""
    no_worse = one[0] <= other[0] and one[1] >= other[1]
    better = one[0] < other[0] or one[1] > other[1]
    return no_worse and (better or one[2] < other[2])
