"""Where a series of figures moved to another level: change points, without assuming a distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from harness.core.value import Value

_PERMUTATIONS = 1999
_NUMBERS_AT_ONCE = 4_000_000
"""Memory: 32 MB."""
_LEAST_LEVEL = 3
"""Values that a level has at least: fewer are a blip, not a level."""


class LevelShift(Value):
    """From ``index`` on, the series is at another level. ``ratio`` is the new level's median over the old one's."""

    index: int
    before: float
    after: float
    ratio: float
    p_value: float


def level_shifts(
    values: Sequence[float],
    *,
    effect: float = 0.05,
    significance: float = 0.01,
    least: int = _LEAST_LEVEL,
    seed: int = 0,
) -> tuple[LevelShift, ...]:
    """Every place where ``values`` (positive, in order of time) changed level, by index.

    A stretch of the series that stands out is looked for: the one whose ranks differ most from the rest, in standard
    errors (circular binary segmentation: Olshen, Venkatraman, Lucito and Wigler, Biostatistics 5, 2004, here on ranks);
    its ends are change points. Its p-value is that of random permutations of the same values, so it holds for short
    series and ties. It is taken if p is at most ``significance``; then each part is searched again. At the end
    neighbouring levels whose medians differ by no more than ``effect`` (as a share of the earlier) are one. A level has
    at least ``least`` values.

    Permutations suppose that values at one level are exchangeable: autocorrelated samples are to be summed up in
    blocks longer than the correlation first.
    """
    series = np.asarray(values, dtype=np.float64)
    p_values: dict[int, float] = {}
    pending = [(0, len(series))]
    while pending:
        start, stop = pending.pop()
        stretch = _stretch(series[start:stop], least, seed)
        if stretch is None or stretch.p_value > significance:
            continue
        bounds = [start, start + stretch.start, start + stretch.stop, stop]
        p_values.update({bound: stretch.p_value for bound in bounds[1:3] if start < bound < stop})
        pending += [(left, right) for left, right in pairwise(bounds) if left < right]
    return _shifts(series, p_values, effect)


def _shifts(
    series: NDArray[np.float64], p_values: Mapping[int, float], effect: float
) -> tuple[LevelShift, ...]:
    places = sorted(p_values)
    while places:
        bounds = [0, *places, len(series)]
        medians = [float(np.median(series[left:right])) for left, right in pairwise(bounds)]
        moves = [abs(after / before - 1) for before, after in pairwise(medians)]
        if min(moves) > effect:
            return tuple(
                LevelShift(
                    index=place, before=before, after=after, ratio=after / before, p_value=p_values[place]
                )
                for place, (before, after) in zip(places, pairwise(medians), strict=True)
            )
        del places[int(np.argmin(moves))]
    return ()


@dataclass(frozen=True)
class _Stretch:
    start: int
    stop: int
    p_value: float


def _stretch(series: NDArray[np.float64], least: int, seed: int) -> _Stretch | None:
    """The stretch that stands out most; ``None`` where the series is too short or constant."""
    from scipy.stats import rankdata

    count = len(series)
    if count < 2 * least or float(np.ptp(series)) == 0.0:
        return None
    ranks = rankdata(series) - (count + 1) / 2
    starts, stops = np.triu_indices(count + 1, k=least)
    inside = stops - starts
    # What is left on either side is a level of its own, or nothing.
    sides = ((starts == 0) | (starts >= least)) & ((stops == count) | (count - stops >= least))
    allowed = sides & (inside <= count - least)
    starts, stops, inside = starts[allowed], stops[allowed], inside[allowed]
    scale = 1 / np.sqrt(inside * (1 - inside / count))

    def statistics(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.pad(np.cumsum(rows, axis=1), ((0, 0), (1, 0)))
        found: NDArray[np.float64] = np.abs(sums[:, stops] - sums[:, starts]) * scale
        return found

    of_series = statistics(ranks[None, :])[0]
    best = int(np.argmax(of_series))
    generator = np.random.default_rng(seed)
    rows_at_once = max(1, _NUMBERS_AT_ONCE // len(starts))
    as_large = done = 0
    while done < _PERMUTATIONS:
        rows = min(rows_at_once, _PERMUTATIONS - done)
        shuffled = generator.permuted(np.broadcast_to(ranks, (rows, count)), axis=1)
        largest = statistics(shuffled).max(axis=1)
        as_large += int(np.count_nonzero(largest >= of_series[best] - 1e-9))
        done += rows
        # Far too many already: the rest would not make it significant at any level that is used.
        if as_large > _PERMUTATIONS // 10:
            break
    return _Stretch(int(starts[best]), int(stops[best]), (1 + as_large) / (1 + done))
