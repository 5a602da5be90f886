"""Figures as text, the same in the terminal and on the page."""

from __future__ import annotations

from benchmarks.result import Result


def figure_text(figure: float, unit: str) -> str:
    """Three significant digits at least, and the unit: ``1.004×``, ``0.0123×``, ``28.4 s``, ``1.32 MB``."""
    if unit == "×":
        return f"{figure:.3f}×" if abs(figure) >= 0.1 else f"{figure:.4f}×"
    digits = 1 if abs(figure) >= 10 else 2 if abs(figure) >= 1 else 3
    return f"{figure:.{digits}f} {unit}"


def spread_text(result: Result) -> str:
    """``0.998× – 1.007×``; a dash where there is one measurement."""
    if result.spread is None:
        return "–"
    return f"{figure_text(result.spread.low, result.unit)} – {figure_text(result.spread.high, result.unit)}"


def goal_text(result: Result) -> str:
    """``≤ 1.01×``; a dash where there is no goal."""
    return (
        "–" if result.goal is None else f"≤ {result.goal:g}{'' if result.unit == '×' else ' '}{result.unit}"
    )


def verdict_text(result: Result) -> str:
    """``met``, ``missed`` or a dash."""
    return {None: "–", True: "met", False: "missed"}[result.is_met]
