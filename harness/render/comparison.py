"""Two runs side by side for a terminal: each figure before, after, the change, and what may be said of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from harness.core.changes import Change, ComparedFigure, Conclusion
from harness.core.comparison import Comparison, Incomparable, Mismatch, VariantComparison
from harness.render import figures
from harness.render.ink import DIM, WARNING, Ink, spaced
from harness.render.plain_text import one_line

FIGURE_WORDS = {
    ComparedFigure.FILE_SIZE: "file size",
    ComparedFigure.COMPRESSED_SIZE: "compressed size",
    ComparedFigure.P50_LATENCY: "p50 latency",
    ComparedFigure.P90_LATENCY: "p90 latency",
    ComparedFigure.PEAK_MEMORY: "peak memory",
    ComparedFigure.TOP1_AGREEMENT: "top-1 agreement",
    ComparedFigure.ACCURACY: "accuracy",
}
MISMATCH_WORDS = {
    Mismatch.TARGET_CLASS: "another class of target",
    Mismatch.DEVICE: "another device",
    Mismatch.THREADS: "another number of threads",
    Mismatch.THROTTLED: "the device was held back",
    Mismatch.WORKLOAD: "another workload",
    Mismatch.REFERENCE: "another reference",
    Mismatch.TRUTH: "other labels",
}
MISMATCH_ADVICE = {
    Mismatch.TARGET_CLASS: "Measure both on the same kind of target.",
    Mismatch.DEVICE: "Measure both on the same model.",
    Mismatch.THREADS: "Run both with as many threads.",
    Mismatch.THROTTLED: "Let the device cool, turn low-power mode off, and run again.",
    Mismatch.WORKLOAD: "Run both on the same inputs.",
    Mismatch.REFERENCE: "Run both from the same source model.",
    Mismatch.TRUTH: "Use the same labels.",
}
_TIMES = (ComparedFigure.P50_LATENCY, ComparedFigure.P90_LATENCY)
_PROPORTIONS = (ComparedFigure.TOP1_AGREEMENT, ComparedFigure.ACCURACY)
_GOOD_IF_HIGHER = _PROPORTIONS


def terminal_comparison(comparison: Comparison) -> RenderableType:
    """The comparison; fits itself to the width and the encoding of the console that prints it."""
    return _Comparison(comparison)


@dataclass(frozen=True, slots=True)
class _Comparison:
    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield spaced(list(_blocks(self.comparison, Ink(options.encoding, options.max_width))))


def _blocks(comparison: Comparison, ink: Ink) -> Iterator[RenderableType]:
    yield ink.text(
        ("a  ", DIM),
        (one_line(comparison.run_a), "bold"),
        ("\nb  ", DIM),
        (one_line(comparison.run_b), "bold"),
    )
    if comparison.incomparable:
        yield Group(*(_refusal(one, ink) for one in comparison.incomparable))
    if comparison.circumstances:
        grid = ink.grid()
        for one in comparison.circumstances:
            grid.add_row(
                ink.text(("also differs", DIM)),
                ink.text(one.what),
                ink.text(f"{one_line(one.a)} → {one_line(one.b)}"),
            )
        yield grid
    if comparison.variants:
        yield _table(comparison, ink)
    yield Group(*(ink.text(line) for line in left_over(comparison)), _legend(comparison, ink))


def _refusal(one: Incomparable, ink: Ink) -> Text:
    words = ", ".join(FIGURE_WORDS[figure] for figure in one.figures)
    return ink.text(
        (f"{MISMATCH_WORDS[one.mismatch]}: ", WARNING),
        f"{one_line(one.a)} → {one_line(one.b)}; not compared: {words}. ",
        (MISMATCH_ADVICE[one.mismatch], DIM),
    )


def _table(comparison: Comparison, ink: Ink) -> RenderableType:
    table = ink.headed_table(gap=2)
    table.add_column(ink.text("Variant"), overflow="fold")
    table.add_column(ink.text("Figure"), no_wrap=True)
    for title in ("a", "b", "Change"):
        table.add_column(ink.text(title), justify="right", no_wrap=True, overflow="fold")
    table.add_column(ink.text("Interval"), no_wrap=True, overflow="fold")
    table.add_column(ink.text("Conclusion"), overflow="fold")
    for variant in comparison.variants:
        for index, change in enumerate(variant.changes):
            before, after, moved, interval = change_cells(change)
            table.add_row(
                _name(variant, ink) if index == 0 else Text(""),
                ink.text(FIGURE_WORDS[change.figure]),
                ink.text(before),
                ink.text(after),
                ink.text(moved),
                ink.text((interval, DIM)),
                ink.text((conclusion_words(change), _style(change))),
                end_section=index == len(variant.changes) - 1,
            )
    return table


def _name(variant: VariantComparison, ink: Ink) -> Text:
    name = one_line(variant.variant)
    if variant.variant_b != variant.variant:
        name += f" → {one_line(variant.variant_b)}"
    return ink.text((name, "bold"), (" =" if variant.same_file else "", DIM))


def conclusion_words(change: Change) -> str:
    """What may be said, and what a second run said to it or how many rounds would settle it."""
    words = str(change.conclusion)
    if change.confirmed is not None:
        return f"{words},\n{'confirmed' if change.confirmed else 'not seen again'}"
    if change.rounds_needed is not None:
        return f"{words}:\ntakes ~{change.rounds_needed} rounds"
    return words


def change_cells(change: Change) -> tuple[str, str, str, str]:
    """Before, after, the change and its interval, as text; a dash for what is absent."""
    before, after = (_figure(change.figure, value) for value in (change.a, change.b))
    if change.difference is not None:
        moved, interval = figures.percentage_points(change.difference, change.interval)
        return before, after, moved, interval
    if change.ratio is None:
        return before, after, figures.ABSENT, ""
    if change.interval is None:
        moved = "same" if change.ratio == 1 else figures.relative_change(change.ratio, 1.0)
        return before, after, moved, ""
    moved, _, interval = figures.factor_with_interval(change.ratio, change.interval).partition(" ")
    return before, after, moved, interval


def _figure(figure: ComparedFigure, value: float | None) -> str:
    if value is None:
        return figures.ABSENT
    if figure in _TIMES:
        return figures.time(value)
    if figure in _PROPORTIONS:
        return figures.percent(value, None)[0]
    return figures.size(value)


def is_better(change: Change) -> bool | None:
    """Whether the change is one for the better; ``None`` where it is none."""
    if change.conclusion in (Conclusion.FASTER, Conclusion.SLOWER):
        return change.conclusion is Conclusion.FASTER
    if change.conclusion in (Conclusion.LOWER, Conclusion.HIGHER):
        return (change.conclusion is Conclusion.HIGHER) == (change.figure in _GOOD_IF_HIGHER)
    return None


def _style(change: Change) -> str:
    return {True: "green", False: "red", None: DIM}[is_better(change)]


def left_over(comparison: Comparison) -> Iterator[str]:
    """Variants that are not compared, and why."""
    for one in comparison.not_compared:
        yield f"{one_line(one.variant)}: {one.outcome_a} → {one.outcome_b}, so without figures to compare"
    for names, run in ((comparison.only_in_a, "a"), (comparison.only_in_b, "b")):
        if names:
            yield f"only in {run}: {', '.join(map(one_line, names))}"


def _legend(comparison: Comparison, ink: Ink) -> Text:
    same = "= the same file · " if any(variant.same_file for variant in comparison.variants) else ""
    paired = " · paired by round" if any(variant.paired for variant in comparison.variants) else ""
    criterion = comparison.criterion
    second = f" · second run: {one_line(comparison.confirmed_by)}" if comparison.confirmed_by else ""
    return ink.text(
        (
            f"{same}change of latency and memory: b's median round as a factor of a's{paired} · a difference is called "
            f"one from {100 * criterion.effect:g} % on ({100 * criterion.effect_points:g} points of agreement and "
            f"accuracy) and with {100 * criterion.confidence:g} % confidence for a variant's figures together{second}",
            DIM,
        )
    )
