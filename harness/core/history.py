"""The figures of a variant over many runs: one point for each run, and where the trend changed level."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from harness.core.events import TargetClass
from harness.core.jobs import Count
from harness.core.level_shifts import LevelShift, level_shifts
from harness.core.measurements import Interval, Measurement
from harness.core.report import RunReport
from harness.core.value import Value
from harness.core.verdict import Answer

_LEAST_EARLIER_RUNS = 4
"""Runs at a level before another run can be told to lie outside of it."""


class Trended(StrEnum):
    """What is followed over runs. The value is what ``harness history --figure`` takes."""

    P50_LATENCY = "p50_latency"
    P90_LATENCY = "p90_latency"
    P50_KEYSTROKE_LATENCY = "p50_keystroke_latency"
    PEAK_MEMORY = "peak_memory"
    TOP1_AGREEMENT = "top1_agreement"
    ACCURACY = "accuracy"
    FILE_SIZE = "file_size"
    COMPRESSED_SIZE = "compressed_size"

    @property
    def is_proportion(self) -> bool:
        return self in (Trended.TOP1_AGREEMENT, Trended.ACCURACY)

    @property
    def is_time(self) -> bool:
        return self in (Trended.P50_LATENCY, Trended.P90_LATENCY, Trended.P50_KEYSTROKE_LATENCY)


class Place(Value):
    """What makes points comparable: the same suite's variant on the same kind of device, run the same way."""

    suite: str
    variant: str
    target_class: TargetClass
    device: str
    threads: Annotated[int, Field(ge=1)]


class PointFigure(Value):
    """In nanoseconds, bytes, or as a proportion from 0 to 1."""

    value: float
    interval: Interval | None = None


class HistoryPoint(Value):
    """One variant in one run. ``figures`` lacks what was not measured.

    ``circumstances`` are what may explain a change: source model, inputs, runtime, system, harness.
    """

    run_id: str
    created_unix_ns: Count
    release: str
    place: Place
    answer: Answer
    figures: dict[Trended, PointFigure]
    circumstances: dict[str, str]


class Surprise(Value):
    """The last run lies outside of what the earlier runs of its level let expect, at 99 % confidence."""

    expected: Interval
    value: float


class Trend(Value):
    """One figure over the runs of a series. Indices in ``shifts`` count ``points``, oldest first."""

    figure: Trended
    points: tuple[tuple[Count, float], ...]
    """Index of the run in the series and the figure; runs without it are left out."""
    shifts: tuple[LevelShift, ...]
    surprise: Surprise | None


class Series(Value):
    """All runs of one place, the oldest first, and the trend of each figure."""

    place: Place
    runs: tuple[HistoryPoint, ...]
    trends: tuple[Trend, ...]

    def changed_at(self, index: int) -> dict[str, tuple[str, str]]:
        """The circumstances in which run ``index`` differs from the run before it."""
        if index == 0:
            return {}
        before, after = self.runs[index - 1].circumstances, self.runs[index].circumstances
        return {
            what: (before[what], after[what])
            for what in before
            if what in after and before[what] != after[what]
        }


def points_of(report: RunReport) -> tuple[HistoryPoint, ...]:
    """A point for each variant that the run measured."""
    return tuple(
        HistoryPoint(
            run_id=report.plan.run_id,
            created_unix_ns=report.plan.created_unix_ns,
            release=report.plan.release,
            place=Place(
                suite=report.plan.suite_name,
                variant=result.variant.name,
                target_class=result.device.target_class,
                device=result.device.model,
                threads=result.threads,
            ),
            answer=report.verdict.answer,
            figures=_figures(result),
            circumstances={
                "model file": result.variant.model.sha256[:12],
                "source model": report.plan.source.sha256[:12],
                "inputs": report.workload.digest[:12],
                "runtime": f"{result.runtime.name} {result.runtime.version}",
                "system": f"{result.device.os} {result.device.os_version}",
                "loading": str(report.plan.settings.loading),
                "harness": report.plan.harness_version,
            },
        )
        for result in report.results
        if isinstance(result, Measurement)
    )


def _figures(result: Measurement) -> dict[Trended, PointFigure]:
    figures = {
        Trended.FILE_SIZE: PointFigure(value=result.variant.file_bytes),
        Trended.COMPRESSED_SIZE: PointFigure(value=result.variant.compressed_bytes),
        Trended.TOP1_AGREEMENT: PointFigure(
            value=result.agreement.top1.value, interval=result.agreement.top1.interval
        ),
    }
    if result.accuracy is not None:
        accuracy = result.accuracy.variant
        figures[Trended.ACCURACY] = PointFigure(value=accuracy.value, interval=accuracy.interval)
    for figure, estimate in (
        (Trended.P50_LATENCY, result.latency.steady.p50),
        (Trended.P90_LATENCY, result.latency.steady.p90),
        (Trended.P50_KEYSTROKE_LATENCY, result.keystrokes.latency.p50 if result.keystrokes else None),
    ):
        if estimate is not None:
            figures[figure] = PointFigure(value=estimate.value, interval=estimate.interval)
    if result.memory.peak_bytes is not None:
        figures[Trended.PEAK_MEMORY] = PointFigure(value=result.memory.peak_bytes)
    return figures


def series_of(points: Iterable[HistoryPoint], *, effect: float = 0.05) -> tuple[Series, ...]:
    """The points grouped by place, each group in the order of time; a run that is there twice counts once.

    ``effect`` is the least change of a figure, as a share of its earlier level, that is called one; for proportions,
    where a level of 0.99 leaves little room, it is taken of what is lacking to 1 or of a hundredth, whichever is more.
    """
    grouped: dict[str, dict[str, HistoryPoint]] = {}
    for point in points:
        grouped.setdefault(point.place.model_dump_json(), {})[point.run_id] = point
    found = []
    for by_run in grouped.values():
        runs = sorted(by_run.values(), key=lambda point: (point.created_unix_ns, point.run_id))
        trends = tuple(trend for figure in Trended if (trend := _trend(figure, runs, effect)) is not None)
        found.append(Series(place=runs[0].place, runs=tuple(runs), trends=trends))
    return tuple(
        sorted(
            found, key=lambda one: (one.place.suite, one.place.device, one.place.variant, one.place.threads)
        )
    )


def _trend(figure: Trended, runs: Sequence[HistoryPoint], effect: float) -> Trend | None:
    points = tuple(
        (index, run.figures[figure].value) for index, run in enumerate(runs) if figure in run.figures
    )
    if not points:
        return None
    values = [value for _, value in points]
    if figure in (Trended.FILE_SIZE, Trended.COMPRESSED_SIZE):
        shifts = _exact_shifts(values)
    elif figure.is_proportion:
        # Of the errors: 99 % to 98 % doubles them. The hundredth keeps a perfect level finite.
        shifts = tuple(
            shift.model_copy(
                update={
                    "before": 1.01 - shift.before,
                    "after": 1.01 - shift.after,
                    "ratio": (1.01 - shift.after) / (1.01 - shift.before),
                }
            )
            for shift in level_shifts([1.01 - value for value in values], effect=max(effect, 0.5))
        )
    else:
        shifts = level_shifts(values, effect=effect)
    surprise = None
    if figure.is_time or figure is Trended.PEAK_MEMORY:
        surprise = _surprise(values[shifts[-1].index if shifts else 0 :], effect)
    return Trend(figure=figure, points=points, shifts=shifts, surprise=surprise)


def _exact_shifts(values: Sequence[float]) -> tuple[LevelShift, ...]:
    """Sizes are exact: each change is one."""
    return tuple(
        LevelShift(index=index, before=before, after=after, ratio=after / before, p_value=0.0)
        for index, (before, after) in enumerate(pairwise(values), start=1)
        if before != after and before > 0
    )


def _surprise(level: Sequence[float], effect: float) -> Surprise | None:
    """Whether the last value lies outside of the prediction interval of those before it.

    For one further value of a normal sample: mean ± t(0.995, n − 1) · s · sqrt(1 + 1/n), here of the logarithms,
    since times vary in proportion (G. J. Hahn, "Factors for calculating
    two-sided prediction intervals", JASA 64, 1969).
    """
    from scipy.stats import t

    *earlier, last = level
    count = len(earlier)
    if count < _LEAST_EARLIER_RUNS or min(level) <= 0:
        return None
    logs = [math.log(value) for value in earlier]
    mean = math.fsum(logs) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in logs) / (count - 1))
    half = float(t.ppf(0.995, count - 1)) * deviation * math.sqrt(1 + 1 / count)
    # Runs that happen to be alike to the nanosecond promise no such precision.
    half = max(half, math.log1p(effect))
    if abs(math.log(last) - mean) <= half:
        return None
    return Surprise(expected=Interval(low=math.exp(mean - half), high=math.exp(mean + half)), value=last)
