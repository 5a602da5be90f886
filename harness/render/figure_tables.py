"""The two tables of figures: what decides between variants, and what stands behind it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from harness.core.measurements import Estimate, Interval, Measurement, Percentiles
from harness.core.report import RunReport
from harness.core.verdict import Answer
from harness.render import figures
from harness.render.plain_text import one_line

Pick = Callable[[Measurement], float | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure. ``note`` is the number of the footnote that says why it is absent."""

    figure: str
    spread: str = ""
    detail: str = ""
    is_best: bool = False
    note: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and, beneath it, the unit of its figures."""

    title: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A variant and its cells, one for each column. ``answer`` is the policy's; none: no rule holds."""

    variant: str
    cells: tuple[Cell, ...]
    answer: Answer | None = None
    is_reference: bool = False


@dataclass(frozen=True, slots=True)
class FigureTable:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(slots=True)
class Footnotes:
    """Why figures are absent: each reason once, numbered as they come."""

    texts: list[str] = field(default_factory=list)

    def number(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1

    def absent(self, why: str) -> Cell:
        return Cell(figures.ABSENT, note=self.number(why))


def measured(report: RunReport) -> tuple[Measurement, ...]:
    return tuple(result for result in report.results if isinstance(result, Measurement))


def reference_measurement(report: RunReport) -> Measurement | None:
    """The measurement that differences are shown from."""
    return next((one for one in measured(report) if one.variant.name == report.reference_variant), None)


def variant_answer(report: RunReport, variant: str) -> Answer | None:
    """Fail if a rule fails for it, else undecided if one is undecided, else pass; none without a rule."""
    answers = {result.answer for result in report.verdict.results if result.variant == variant}
    for answer in (Answer.FAIL, Answer.UNDECIDED, Answer.PASS):
        if answer in answers:
            return answer
    return None


def main_table(report: RunReport, notes: Footnotes) -> FigureTable:
    """Size, compressed size, p50, p90, peak memory, agreement, accuracy; a row for each measured variant."""
    rows = measured(report)
    base = reference_measurement(report)
    latency_scale = figures.time_scale(
        estimate.value for one in rows for estimate in (_p50(one), _p90(one)) if estimate is not None
    )
    columns = [
        _sizes("Size", rows, base, lambda one: one.variant.file_bytes, notes, ""),
        _sizes(".ipa", rows, base, lambda one: one.variant.compressed_bytes, notes, ""),
        _latencies("p50", rows, base, _p50, latency_scale, notes),
        _latencies("p90", rows, base, _p90, latency_scale, notes),
        *_keystrokes(rows, notes, median=False),
        _sizes("Peak", rows, base, lambda one: one.memory.peak_bytes, notes, _NO_PEAK),
        _agreements(rows),
        _accuracies(rows, notes),
    ]
    return _table(report, rows, columns)


def detail_table(report: RunReport, notes: Footnotes) -> FigureTable:
    """Load, compile, first run (medians over processes), p99, largest absolute difference, divergence."""
    rows = measured(report)
    stages: list[tuple[str, Callable[[Measurement], Sequence[int]]]] = [
        ("Load", lambda one: one.latency.load_ns),
        ("Compile", lambda one: one.latency.compile_ns),
        ("First run", lambda one: one.latency.first_run_ns),
    ]
    columns = [_medians(title, rows, pick, notes) for title, pick in stages]
    p99s = [estimate.value for one in rows if (estimate := one.latency.steady.p99) is not None]
    columns.append(_latencies("p99", rows, None, _p99, figures.time_scale(p99s), notes, mark_best=False))
    columns += _keystrokes(rows, notes, median=True)
    columns.append((Column("Samples"), [Cell(str(one.latency.steady.samples)) for one in rows]))
    columns.append(
        _plain(
            "Max |Δ|", "", rows, lambda one: one.agreement.largest_absolute_difference, notes, _NO_DIFFERENCE
        )
    )
    columns.append(
        _plain("KL", "nats", rows, lambda one: one.agreement.mean_kl_divergence_nats, notes, _NO_DIVERGENCE)
    )
    return _table(report, rows, columns)


_NO_PEAK = "the runner's platform reported no peak memory"
_NO_DIFFERENCE = "no output of the variant is finite"
_NO_DIVERGENCE = "the outputs are not distributions of classes"
_NO_TRUTH = "the truth of no input is known"
_NO_KEYSTROKES = "its jobs typed nothing"
_NO_STAGE = "the runner reported no duration"


def _p50(one: Measurement) -> Estimate | None:
    return one.latency.steady.p50


def _p90(one: Measurement) -> Estimate | None:
    return one.latency.steady.p90


def _p99(one: Measurement) -> Estimate | None:
    return one.latency.steady.p99


def _too_few(title: str, steady: Percentiles) -> str:
    return f"{title}: {steady.samples} samples do not support it"


Cells = tuple[Column, list[Cell]]


def _table(report: RunReport, rows: Sequence[Measurement], columns: Sequence[Cells]) -> FigureTable:
    return FigureTable(
        columns=tuple(column for column, _ in columns),
        rows=tuple(
            Row(
                variant=one_line(one.variant.name),
                cells=tuple(cells[index] for _, cells in columns),
                answer=variant_answer(report, one.variant.name),
                is_reference=one.variant.name == report.reference_variant,
            )
            for index, one in enumerate(rows)
        ),
    )


def _sizes(
    title: str, rows: Sequence[Measurement], base: Measurement | None, pick: Pick, notes: Footnotes, why: str
) -> Cells:
    values = [pick(one) for one in rows]
    known = [value for value in values if value is not None]
    scale = figures.size_scale(known)
    positive = [value / scale.size for value in known if value > 0]
    decimals = min(max(figures.significant_decimals(min(positive), 3), 0), 3) if positive else 0
    best = _best([(value, None) for value in values], smallest=True)
    base_value = pick(base) if base is not None else None
    cells = [
        notes.absent(why)
        if value is None
        else Cell(
            figures.fixed(value / scale.size, decimals),
            detail="" if one is base or not base_value else figures.relative_change(value, base_value),
            is_best=index in best,
        )
        for index, (one, value) in enumerate(zip(rows, values, strict=True))
    ]
    return Column(title, scale.unit), cells


def _latencies(
    title: str,
    rows: Sequence[Measurement],
    base: Measurement | None,
    pick: Callable[[Measurement], Estimate | None],
    scale: figures.Scale,
    notes: Footnotes,
    *,
    mark_best: bool = True,
) -> Cells:
    estimates = [pick(one) for one in rows]
    ranges = [
        None if known is None else _over_rounds(one, known)
        for one, known in zip(rows, estimates, strict=True)
    ]
    best = _best(
        [
            (known.value, reach) if known else (None, None)
            for known, reach in zip(estimates, ranges, strict=True)
        ],
        smallest=True,
    )
    base_estimate = pick(base) if base is not None else None
    cells = []
    for index, (one, estimate) in enumerate(zip(rows, estimates, strict=True)):
        if estimate is None:
            cells.append(notes.absent(_too_few(title, one.latency.steady)))
            continue
        figure, spread = figures.with_spread(estimate.value, estimate.interval, scale)
        change = ""
        if base is not None and base_estimate is not None and one is not base:
            alike = figures.overlap(_over_rounds(one, estimate), _over_rounds(base, base_estimate))
            change = figures.ALIKE if alike else figures.relative_change(estimate.value, base_estimate.value)
        cells.append(Cell(figure, spread=spread, detail=change, is_best=mark_best and index in best))
    return Column(title, scale.unit), cells


def _keystrokes(rows: Sequence[Measurement], notes: Footnotes, *, median: bool) -> list[Cells]:
    """p50 or p90 of what a keyboard's user waits for after each character; no column where none was measured."""
    title = "Key p50" if median else "Key p90"
    typed = [one.keystrokes for one in rows]
    estimates = [None if one is None else one.latency.p50 if median else one.latency.p90 for one in typed]
    if not any(typed):
        return []
    reaches = [
        None
        if one is None or known is None
        else _reach(known, one.round_p50_ns if median else one.round_p90_ns)
        for one, known in zip(typed, estimates, strict=True)
    ]
    scale = figures.time_scale(known.value for known in estimates if known is not None)
    values = [known.value if known else None for known in estimates]
    best = frozenset[int]() if median else _best(zip(values, reaches, strict=True), smallest=True)
    cells = []
    for index, (one, known) in enumerate(zip(typed, estimates, strict=True)):
        if one is None:
            cells.append(notes.absent(_NO_KEYSTROKES))
        elif known is None:
            cells.append(notes.absent(_too_few(title, one.latency)))
        else:
            figure, spread = figures.with_spread(known.value, known.interval, scale)
            cells.append(Cell(figure, spread=spread, is_best=index in best))
    return [(Column(title, scale.unit), cells)]


def _reach(estimate: Estimate, of_rounds: Sequence[float]) -> Interval:
    """The interval of ``estimate``, widened to the range of the rounds' own."""
    return Interval(
        low=min([estimate.interval.low, *of_rounds]), high=max([estimate.interval.high, *of_rounds])
    )


def _over_rounds(one: Measurement, estimate: Estimate) -> Interval:
    """The interval, widened to how far the p50 went from round to round.

    A process may be slower as a whole, which the interval of all samples does not know of. Where two of
    these overlap, no difference is claimed.
    """
    p50, by_round = one.latency.steady.p50, one.latency.round_p50_ns
    if p50 is None or not by_round:
        return estimate.interval
    return Interval(
        low=min(estimate.interval.low, estimate.value * min(by_round) / p50.value),
        high=max(estimate.interval.high, estimate.value * max(by_round) / p50.value),
    )


def _agreements(rows: Sequence[Measurement]) -> Cells:
    # The share of the very same inputs: compared as counted, without the interval for other inputs.
    best = _best([(one.agreement.top1.value, None) for one in rows], smallest=False)
    cells = []
    for index, one in enumerate(rows):
        figure, ends = figures.proportion(one.agreement.top1)
        cells.append(Cell(figure, detail=ends, is_best=index in best))
    return Column("Agreement", "top-1"), cells


def _accuracies(rows: Sequence[Measurement], notes: Footnotes) -> Cells:
    values = [one.accuracy.variant.value if one.accuracy else None for one in rows]
    best = _best([(value, None) for value in values], smallest=False)
    cells = []
    for index, one in enumerate(rows):
        if one.accuracy is None:
            cells.append(notes.absent(_NO_TRUTH))
            continue
        right = one.accuracy.variant
        drop = one.accuracy.drop
        change = Interval(low=-drop.interval.high, high=-drop.interval.low)
        detail, _ = figures.percentage_points(-drop.value, change)
        cells.append(Cell(f"{right.successes}/{right.trials}", detail=detail, is_best=index in best))
    return Column("Accuracy", "top-1"), cells


def _medians(
    title: str, rows: Sequence[Measurement], pick: Callable[[Measurement], Sequence[int]], notes: Footnotes
) -> Cells:
    values = [statistics.median(times) if (times := pick(one)) else None for one in rows]
    scale = figures.time_scale(value for value in values if value is not None)
    cells = [
        notes.absent(_NO_STAGE) if value is None else Cell(figures.quantity(value, scale).split()[0])
        for value in values
    ]
    return Column(title, scale.unit), cells


def _plain(
    title: str, unit: str, rows: Sequence[Measurement], pick: Pick, notes: Footnotes, why: str
) -> Cells:
    values = [pick(one) for one in rows]
    return Column(title, unit), [
        notes.absent(why) if value is None else Cell(figures.significant(value)) for value in values
    ]


def _best(values: Iterable[tuple[float | None, Interval | None]], *, smallest: bool) -> frozenset[int]:
    """The best and all that are not shown to differ from it; none where that is every one of them."""
    known = [(index, value, interval) for index, (value, interval) in enumerate(values) if value is not None]
    if len(known) < 2:
        return frozenset()
    choose = min if smallest else max
    _, best_value, best_interval = choose(known, key=lambda entry: entry[1])
    alike = {
        index
        for index, value, interval in known
        if value == best_value
        or (interval is not None and best_interval is not None and figures.overlap(interval, best_interval))
    }
    return frozenset(alike) if len(alike) < len(known) else frozenset()
