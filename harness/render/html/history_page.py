"""The history as a page: every figure of every series over the runs, with the places where its level changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.core.history import Series, Trend
from harness.render.history import TREND_WORDS, day, run_name, shift_words, shown_change, shown_figure
from harness.render.html.page import CHART_SCRIPTS, html_page
from harness.render.plain_text import one_line

_MOST_RUNS = 2_000


def html_history(series: Sequence[Series]) -> str:
    """The page of these series."""
    return html_page(
        "history.html",
        {"title": "History", "series": [_context(one) for one in series]},
        data={"series": [[_drawn(one, trend) for trend in one.trends] for one in series]},
        scripts=(*CHART_SCRIPTS, "history_charts.js"),
    )


def _context(series: Series) -> dict[str, object]:
    place, runs = series.place, series.runs
    return {
        "name": f"{one_line(place.suite)} · {one_line(place.variant)}",
        "where": f"{one_line(place.device)} ({place.target_class}), {place.threads} threads",
        "when": f"{len(runs)} runs, {day(runs[0])} to {day(runs[-1])}",
        "trends": [
            (
                TREND_WORDS[trend.figure],
                shown_figure(trend.figure, trend.points[0][1]),
                shown_figure(trend.figure, trend.points[-1][1]),
                shown_change(trend.figure, trend.points[0][1], trend.points[-1][1]),
            )
            for trend in series.trends
        ],
        "notes": list(_notes(series)),
        "runs": [
            (run.answer, one_line(run.run_id), one_line(run.release), day(run))
            for run in reversed(runs[-_MOST_RUNS:])
        ],
    }


def _notes(series: Series) -> Iterator[tuple[str, str]]:
    for trend in series.trends:
        for shift in trend.shifts:
            yield f"{TREND_WORDS[trend.figure]} changed", shift_words(series, trend, shift)
        if trend.surprise is not None:
            low, high = (
                shown_figure(trend.figure, end)
                for end in (trend.surprise.expected.low, trend.surprise.expected.high)
            )
            yield (
                f"{TREND_WORDS[trend.figure]}: the last run is out of line",
                f"{shown_figure(trend.figure, trend.surprise.value)}, where the runs before it let expect "
                f"{low} to {high}",
            )


def _drawn(series: Series, trend: Trend) -> dict[str, object]:
    if trend.figure.is_proportion:
        unit, scale = "%", 0.01
    elif trend.figure.is_time:
        unit, scale = "ms", 1e6
    else:
        unit, scale = "MB", 1e6
    shown = trend.points[-_MOST_RUNS:]
    hidden = len(trend.points) - len(shown)
    return {
        "figure": TREND_WORDS[trend.figure],
        "unit": unit,
        "values": [value / scale for _, value in shown],
        "names": [run_name(series.runs[index]) for index, _ in shown],
        "days": [day(series.runs[index]) for index, _ in shown],
        "texts": [shown_figure(trend.figure, value) for _, value in shown],
        "intervals": [
            [found.interval.low / scale, found.interval.high / scale]
            if (found := series.runs[index].figures[trend.figure]).interval is not None
            else None
            for index, _ in shown
        ],
        "shifts": [shift.index - hidden for shift in trend.shifts if shift.index >= hidden],
    }
