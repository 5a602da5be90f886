"""A series as one line of characters: the higher the block, the higher the value; a bar where the level changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-=oO@#"
_BREAK, _ASCII_BREAK = "╎", "|"
_LEAST_RANGE = 0.05
"""Of the least value: a spread smaller than this does not fill the height, so that noise looks like noise."""


def sparkline(values: Sequence[float], breaks: Collection[int] = (), *, unicode: bool = True) -> str:
    """``"▂▂▁▂╎▆▇▆"``: a character for each value, and one before each index in ``breaks``."""
    blocks = _BLOCKS if unicode else _ASCII_BLOCKS
    if not values:
        return ""
    low = min(values)
    height = max(max(values) - low, _LEAST_RANGE * abs(low))
    line = []
    for index, value in enumerate(values):
        if index in breaks:
            line.append(_BREAK if unicode else _ASCII_BREAK)
        level = (value - low) / height if height else 0.0
        line.append(blocks[min(int(level * len(blocks)), len(blocks) - 1)])
    return "".join(line)
