"""What the charts draw, as plain values for JSON. Times are in milliseconds, sizes in megabytes, shares from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core.events import Memory, Stage
from harness.core.measurements import Estimate, Measurement, Proportion
from harness.core.report import RunReport
from harness.core.sample_series import SampleSeries, Weather
from harness.core.tradeoff import Tradeoff, tradeoff
from harness.render import figures
from harness.render.figure_tables import measured, variant_answer
from harness.render.judgement import METRIC_WORDS, rule_in_words
from harness.render.plain_text import one_line

_MS = 1e6
_MB = 1e6
_BINS = 96
_TAIL = 0.001
"""The share of samples at each end that is drawn into the outermost bins."""
_MOST_WEATHER = 1500
MEMORY_KINDS = {
    "resident_bytes": "resident",
    "anonymous_bytes": "anonymous",
    "file_backed_bytes": "file-backed",
    "footprint_bytes": "footprint",
    "dirty_bytes": "dirty",
    "compressed_bytes": "compressed",
    "limit_remaining_bytes": "left to the limit",
    "peak_resident_bytes": "peak resident",
    "peak_footprint_bytes": "peak footprint",
}


def chart_data(
    report: RunReport, series: Sequence[SampleSeries], weather: Sequence[Weather]
) -> dict[str, Any]:
    """Everything but the samples themselves."""
    found = measured(report)
    return {
        "variants": [one_line(one.variant.name) for one in found],
        "tradeoff": _tradeoff(report, tradeoff(found, report.verdict.policy)),
        "distribution": _distribution(found, series),
        "memory": _memory(found),
        "sizes": [
            {
                "variant": one_line(one.variant.name),
                "file": one.variant.file_bytes / _MB,
                "compressed": one.variant.compressed_bytes / _MB,
            }
            for one in found
        ],
        "agreement": [_agreement(one) for one in found],
        "weather": _weather(weather),
    }


def _tradeoff(report: RunReport, found: Tradeoff) -> dict[str, Any]:
    return {
        "latency": METRIC_WORDS[found.metric],
        "points": [
            {
                "variant": one_line(point.variant),
                "x": _estimate(point.latency_ns, _MS),
                "y": _estimate(point.agreement, 1),
                "size": point.compressed_bytes / _MB,
                "size_text": figures.size(point.compressed_bytes),
                "frontier": point.on_frontier,
                "answer": variant_answer(report, point.variant),
            }
            for point in found.points
        ],
        "frontier": [[one.latency_ns.value / _MS, one.agreement.value] for one in found.frontier],
        "limits_x": [
            {"value": one.value / _MS, "text": rule_in_words(one.rule)} for one in found.latency_limits
        ],
        "limits_y": [{"value": one.value, "text": rule_in_words(one.rule)} for one in found.agreement_limits],
    }


def tradeoff_in_words(report: RunReport) -> str:
    """What the picture shows, for who does not see it."""
    found = tradeoff(measured(report), report.verdict.policy)
    best = ", ".join(one_line(one.variant) for one in found.frontier) or "none"
    return (
        f"Top-1 agreement against {METRIC_WORDS[found.metric]} of {len(found.points)} variants, the area of a mark "
        f"its size in the archive. On the frontier: {best}."
    )


def _estimate(estimate: Estimate, scale: float) -> list[float]:
    return [estimate.value / scale, estimate.interval.low / scale, estimate.interval.high / scale]


def _distribution(found: Sequence[Measurement], series: Sequence[SampleSeries]) -> dict[str, Any] | None:
    """Shares of the steady samples in bins of equal ratio, the same bins for all variants."""
    by_name = {one.variant: _steady(one) for one in series}
    steady = [by_name.get(one.variant.name, np.empty(0, np.int64)) for one in found]
    ends = [np.quantile(one, [_TAIL, 1 - _TAIL]) for one in steady if len(one)]
    if not ends:
        return None
    low, high = min(end[0] for end in ends) / 1.02, max(end[1] for end in ends) * 1.02
    edges = np.geomspace(low, high, _BINS + 1)
    rows = []
    for one, samples in zip(found, steady, strict=True):
        counts, _ = np.histogram(np.clip(samples, low, high), edges)
        rows.append(
            {
                "variant": one_line(one.variant.name),
                "samples": len(samples),
                "shares": [round(float(share), 5) for share in counts / max(len(samples), 1)],
                "marks": {
                    name: _estimate(estimate, _MS)
                    for name, estimate in _percentiles(one)
                    if estimate is not None
                },
                "range": [int(samples.min()) / _MS, int(samples.max()) / _MS] if len(samples) else None,
            }
        )
    return {"edges": [round(float(edge) / _MS, 6) for edge in edges], "rows": rows}


def _steady(series: SampleSeries) -> np.ndarray[Any, np.dtype[np.int64]]:
    parts = [
        series.latencies_ns[one.first : one.first + one.count] for one in series.stretches if one.is_steady
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _percentiles(one: Measurement) -> list[tuple[str, Estimate | None]]:
    steady = one.latency.steady
    return [("p50", steady.p50), ("p90", steady.p90), ("p99", steady.p99)]


def memory_kinds(found: Sequence[Measurement]) -> list[str]:
    """The kinds that any process told, in the order a reader wants them."""
    return [
        kind
        for kind in MEMORY_KINDS
        if any(getattr(stage, kind) is not None for one in found for stage in one.memory.by_stage.values())
    ]


def _memory(found: Sequence[Measurement]) -> dict[str, Any]:
    stages = [stage for stage in Stage if any(stage in one.memory.by_stage for one in found)]

    def figure(memory: Memory | None, kind: str) -> float | None:
        value = None if memory is None else getattr(memory, kind)
        return None if value is None else value / _MB

    return {
        "stages": [stage.replace("_", " ") for stage in stages],
        "kinds": [
            {
                "title": MEMORY_KINDS[kind],
                "rows": [
                    {
                        "variant": one_line(one.variant.name),
                        "values": [figure(one.memory.by_stage.get(stage), kind) for stage in stages],
                    }
                    for one in found
                ],
            }
            for kind in memory_kinds(found)
        ],
    }


def _agreement(one: Measurement) -> dict[str, Any]:
    def ends(proportion: Proportion | None) -> list[float] | None:
        if proportion is None:
            return None
        return [proportion.value, proportion.interval.low, proportion.interval.high]

    return {
        "variant": one_line(one.variant.name),
        "top-1 agreement": ends(one.agreement.top1),
        "top-5 agreement": ends(one.agreement.top5),
        "accuracy": ends(one.accuracy.variant if one.accuracy else None),
        "reference accuracy": ends(one.accuracy.reference if one.accuracy else None),
    }


def _weather(weather: Sequence[Weather]) -> list[list[Any]]:
    """Seconds, share of the CPU others used, thermal state; evenly thinned where there are many."""
    step = max(1, len(weather) // _MOST_WEATHER)
    return [
        [
            round(one.at_ns / 1e9, 3),
            one.conditions.other_cpu_fraction,
            one.conditions.thermal_state,
        ]
        for one in weather[::step]
    ]
