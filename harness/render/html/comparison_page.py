"""Comparisons as a page: what changed, drawn against no change, and what may be said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.core.changes import Change
from harness.core.comparison import Comparison, VariantComparison, worse
from harness.render.comparison import (
    FIGURE_WORDS,
    MISMATCH_ADVICE,
    MISMATCH_WORDS,
    change_cells,
    conclusion_words,
    is_better,
    left_over,
)
from harness.render.html.page import CHART_SCRIPTS, html_page
from harness.render.plain_text import one_line


@dataclass(frozen=True, slots=True)
class _Line:
    variant: str
    figure: str
    before: str
    after: str
    moved: str
    interval: str
    conclusion: str
    tone: str


def html_comparison(comparisons: Sequence[Comparison]) -> str:
    """The page of one comparison, or of several (a pair of devices each)."""
    is_worse = any(map(worse, comparisons))
    return html_page(
        "comparison.html",
        {
            "title": f"{one_line(comparisons[0].run_a)} → {one_line(comparisons[0].run_b)}",
            "is_worse": is_worse,
            "comparisons": [_context(one) for one in comparisons],
        },
        data={"comparisons": [list(_drawn(one)) for one in comparisons]},
        scripts=(*CHART_SCRIPTS, "comparison_charts.js"),
    )


def _context(comparison: Comparison) -> dict[str, object]:
    criterion = comparison.criterion
    lines = [_line(variant, change) for variant in comparison.variants for change in variant.changes]
    return {
        "a": one_line(comparison.run_a),
        "b": one_line(comparison.run_b),
        "lines": lines,
        "drawn": len(list(_drawn(comparison))),
        "counts": {tone: sum(line.tone == tone for line in lines) for tone in ("worse", "better", "same")},
        "refused": [
            (
                MISMATCH_WORDS[one.mismatch],
                f"{one_line(one.a)} → {one_line(one.b)}",
                ", ".join(FIGURE_WORDS[figure] for figure in one.figures),
                MISMATCH_ADVICE[one.mismatch],
            )
            for one in comparison.incomparable
        ],
        "circumstances": [
            (one_line(one.what), one_line(one.a), one_line(one.b)) for one in comparison.circumstances
        ],
        "left_over": list(left_over(comparison)),
        "same_files": [one_line(one.variant) for one in comparison.variants if one.same_file],
        "confirmed_by": one_line(comparison.confirmed_by) if comparison.confirmed_by else None,
        "criterion": (
            f"A difference is called one beyond {100 * criterion.effect:g} % of latency or memory, or "
            f"{100 * criterion.effect_points:g} percentage points of agreement or accuracy, with "
            f"{100 * criterion.confidence:g} % confidence for all figures of a variant together."
        ),
    }


def _name(variant: VariantComparison) -> str:
    name = one_line(variant.variant)
    return name if variant.variant_b == variant.variant else f"{name} → {one_line(variant.variant_b)}"


def _line(variant: VariantComparison, change: Change) -> _Line:
    before, after, moved, interval = change_cells(change)
    tone = {True: "better", False: "worse", None: "same"}[is_better(change)]
    return _Line(
        _name(variant),
        FIGURE_WORDS[change.figure],
        before,
        after,
        moved,
        interval,
        conclusion_words(change).replace("\n", " "),
        tone,
    )


def _drawn(comparison: Comparison) -> Iterator[dict[str, object]]:
    """Changes on one scale: percent of a, or percentage points; positive is more."""
    for variant in comparison.variants:
        for change in variant.changes:
            if change.difference is not None:
                value, shift, scale = change.difference, 0.0, 100.0
            elif change.ratio is not None:
                value, shift, scale = change.ratio, 1.0, 100.0
            else:
                continue
            ends = (change.interval.low, change.interval.high) if change.interval else (value, value)
            line = _line(variant, change)
            yield {
                "name": f"{line.variant}: {line.figure}",
                "value": [scale * (number - shift) for number in (value, *ends)],
                "text": f"{line.before} → {line.after}",
                "conclusion": line.conclusion,
                "tone": line.tone,
            }
