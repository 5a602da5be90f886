"""The history for a terminal: a sparkline for each figure of each series, change points with what changed there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from harness.core.history import HistoryPoint, Series, Trend, Trended
from harness.core.level_shifts import LevelShift
from harness.render import figures
from harness.render.ink import ANSWER_MARK, ANSWER_STYLE, DIM, HEADING, WARNING, Ink, spaced
from harness.render.plain_text import one_line, shortened
from harness.render.sparkline import sparkline

TREND_WORDS = {
    Trended.P50_LATENCY: "p50 latency",
    Trended.P90_LATENCY: "p90 latency",
    Trended.P50_KEYSTROKE_LATENCY: "p50 keystroke",
    Trended.PEAK_MEMORY: "peak memory",
    Trended.TOP1_AGREEMENT: "top-1 agreement",
    Trended.ACCURACY: "accuracy",
    Trended.FILE_SIZE: "file size",
    Trended.COMPRESSED_SIZE: "compressed size",
}
_WIDEST_SPARKLINE = 40
_RELEASE_CELLS = 16


def terminal_history(series: Sequence[Series], *, runs_shown: int = 0) -> RenderableType:
    """Every series; below each the last ``runs_shown`` runs. Fits itself to the console that prints it."""
    return _History(tuple(series), runs_shown)


@dataclass(frozen=True, slots=True)
class _History:
    series: tuple[Series, ...]
    runs_shown: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ink = Ink(options.encoding, options.max_width)
        yield spaced([_block(one, self.runs_shown, ink) for one in self.series])


def _block(series: Series, runs_shown: int, ink: Ink) -> RenderableType:
    parts: list[RenderableType] = [_title(series, ink), _trends(series, ink)]
    notes = list(_notes(series, ink))
    if notes:
        parts.append(Group(*notes))
    if runs_shown:
        parts.append(_runs(series.runs[-runs_shown:], ink))
    return Group(*parts)


def _title(series: Series, ink: Ink) -> Text:
    place, runs = series.place, series.runs
    first, last = day(runs[0]), day(runs[-1])
    when = first if first == last else f"{first} to {last}"
    threads = f"{place.threads} thread{'' if place.threads == 1 else 's'}"
    count = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
    return ink.text(
        (f"{one_line(place.suite)} · {one_line(place.variant)}", HEADING),
        (f"  {one_line(place.device)} ({place.target_class}), {threads} · {count}, {when}", DIM),
    )


def _trends(series: Series, ink: Ink) -> RenderableType:
    table = ink.headed_table(gap=2)
    for title in ("Figure", "Trend"):
        table.add_column(ink.text(title), no_wrap=True)
    for title in ("First", "Last", "Change"):
        table.add_column(ink.text(title), justify="right", no_wrap=True)
    unicode = ink.encoding.lower().startswith("utf")
    for trend in series.trends:
        values = [value for _, value in trend.points]
        shown = values[-_WIDEST_SPARKLINE:]
        hidden = len(values) - len(shown)
        breaks = {shift.index - hidden for shift in trend.shifts if shift.index > hidden}
        table.add_row(
            ink.text(TREND_WORDS[trend.figure]),
            Text(sparkline(shown, breaks, unicode=unicode)),
            ink.text(shown_figure(trend.figure, values[0])),
            ink.text(shown_figure(trend.figure, values[-1])),
            ink.text((shown_change(trend.figure, values[0], values[-1]), DIM)),
        )
    return table


def _notes(series: Series, ink: Ink) -> Iterator[Text]:
    for trend in series.trends:
        for shift in trend.shifts:
            yield ink.text(
                (f"{TREND_WORDS[trend.figure]} changed", WARNING), f": {shift_words(series, trend, shift)}"
            )
        if trend.surprise is not None:
            expected = trend.surprise.expected
            low, high = (shown_figure(trend.figure, end) for end in (expected.low, expected.high))
            yield ink.text(
                (f"{TREND_WORDS[trend.figure]}: the last run is out of line", WARNING),
                f": {shown_figure(trend.figure, trend.surprise.value)}, where the runs before it let expect"
                f" {low} to {high} → run it again; if it stays, compare the two runs",
            )


def shift_words(series: Series, trend: Trend, shift: LevelShift) -> str:
    """``"4.31 ms → 5.02 ms (+16 %) from 2.3.0 on; runtime LiteRT 2.2.0 → LiteRT 2.3.0"``."""
    index = trend.points[shift.index][0]
    before, after = (shown_figure(trend.figure, value) for value in (shift.before, shift.after))
    change = shown_change(trend.figure, shift.before, shift.after)
    causes = "; ".join(
        f"{what} {one_line(old)} → {one_line(new)}" for what, (old, new) in series.changed_at(index).items()
    )
    return f"{before} → {after} ({change}) from {run_name(series.runs[index])} on{f'; {causes}' if causes else ''}"


def _runs(runs: Sequence[HistoryPoint], ink: Ink) -> RenderableType:
    there = [figure for figure in Trended if any(figure in run.figures for run in runs)]
    table = ink.headed_table(gap=2)
    table.add_column("")
    for title in ("Run", "Release"):
        table.add_column(ink.text(title), overflow="fold")
    for figure in there:
        table.add_column(ink.text(TREND_WORDS[figure]), justify="right", no_wrap=True)
    for run in runs:
        cells = [
            ink.text(
                shown_figure(figure, run.figures[figure].value) if figure in run.figures else figures.ABSENT
            )
            for figure in there
        ]
        table.add_row(
            ink.text((ANSWER_MARK[run.answer], ANSWER_STYLE[run.answer])),
            ink.text(one_line(run.run_id)),
            ink.text(shortened(one_line(run.release), _RELEASE_CELLS)),
            *cells,
        )
    return table


def run_name(run: HistoryPoint) -> str:
    """Its release with the run's id, or the id alone."""
    name = one_line(run.run_id)
    return f"{one_line(run.release)} ({name})" if run.release else name


def day(run: HistoryPoint) -> str:
    """``2026-11-26``, in UTC."""
    return f"{datetime.fromtimestamp(run.created_unix_ns // 10**9, tz=UTC):%Y-%m-%d}"


def shown_figure(figure: Trended, value: float) -> str:
    """``"4.31 ms"``, ``"98.4 %"``, ``"5.27 MB"``."""
    if figure.is_proportion:
        return figures.percent(value, None)[0]
    return figures.time(value) if figure.is_time else figures.size(value)


def shown_change(figure: Trended, before: float, after: float) -> str:
    """``"+16 %"``; percentage points of a proportion; a dash where nothing changed."""
    if before == after:
        return figures.ABSENT
    if figure.is_proportion:
        return figures.percentage_points(after - before, None)[0]
    return figures.relative_change(after, before)
