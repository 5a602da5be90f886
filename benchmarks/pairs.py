"""Two things measured side by side: the driver that interleaves them, and the figures of the pairs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.result import Spread

_LEAST_FOR_QUARTILES = 4


class Pair(NamedTuple):
    """Two measurements in one unit, taken right after one another."""

    measured: float
    base: float

    @property
    def ratio(self) -> float:
        return self.measured / self.base

    @property
    def difference(self) -> float:
        return self.measured - self.base


def interleaved(measured: Callable[[], float], base: Callable[[], float], count: int) -> list[Pair]:
    """``count`` pairs. Which of the two goes first alternates, so that a drift favours neither."""
    pairs = []
    for index in range(count):
        if index % 2:
            later = measured()
            pairs.append(Pair(later, base()))
        else:
            earlier = base()
            pairs.append(Pair(measured(), earlier))
    return pairs


def spread(figures: Sequence[float], what: str) -> Spread | None:
    """The quartiles of ``figures``, below four of them the extremes; ``None`` for a single one.

    Raises:
        ValueError: there are no figures.
    """
    if not figures:
        raise ValueError("there are no figures")
    if len(figures) == 1:
        return None
    if len(figures) < _LEAST_FOR_QUARTILES:
        return Spread(low=min(figures), high=max(figures), of=f"extremes of {len(figures)} {what}")
    low, _, high = statistics.quantiles(figures, n=4, method="inclusive")
    return Spread(low=low, high=high, of=f"quartiles of {len(figures)} {what}")


def median_ratio(pairs: Sequence[Pair]) -> tuple[float, Spread | None]:
    """The median of the pairs' own ratios, and their spread."""
    ratios = [pair.ratio for pair in pairs]
    return statistics.median(ratios), spread(ratios, "pairs")


def median_difference(pairs: Sequence[Pair]) -> tuple[float, Spread | None]:
    """The median of the pairs' own differences, and their spread."""
    differences = [pair.difference for pair in pairs]
    return statistics.median(differences), spread(differences, "pairs")
