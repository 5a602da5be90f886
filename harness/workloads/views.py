"""Views: further inputs made from a photo, the same on every machine and in every run."""

from __future__ import annotations

import math
import random
from typing import Final

from harness.core.preprocessing import Preprocessing
from harness.workloads.preprocess import Box, View

# Milder than in training (0.08 to 1): a view should still show what the photo shows.
_AREA_FRACTION: Final = (0.35, 1.0)
_ASPECT_RATIO: Final = (3 / 4, 4 / 3)
_ATTEMPTS: Final = 10


def make_view(
    width: int, height: int, preprocessing: Preprocessing, *, seed: int, content: str, index: int
) -> View:
    """View ``index`` (from 1) of a photo of ``width`` x ``height``: a random box, mirrored half the time.

    The box has 0.35 to 1 of the photo's area and 3/4 to 4/3 of the model's aspect (log-uniform), wherever
    it fits; after Szegedy et al., "Going Deeper with Convolutions" (2014), section 6.

    Args:
        content: sha256 of the photo. With seed and index it decides everything, so a photo keeps its
            views when others come and go.
    """
    # random() of a string seed is promised to stay the same between Python versions; uniform() and
    # NumPy's generators are not.
    draw = random.Random(f"{seed}/{content}/{index}").random
    target_height, target_width = preprocessing.size
    for _ in range(_ATTEMPTS):
        area = width * height * _between(draw(), *_AREA_FRACTION)
        ratio = math.exp(_between(draw(), math.log(_ASPECT_RATIO[0]), math.log(_ASPECT_RATIO[1])))
        aspect = ratio * target_width / target_height
        box_width = max(1, round(math.sqrt(area * aspect)))
        box_height = max(1, round(math.sqrt(area / aspect)))
        left, top, mirrored = draw(), draw(), draw() < 0.5
        if box_width <= width and box_height <= height:
            return View(_place(width, height, box_width, box_height, left, top), mirrored)
    # A panorama: the model's aspect at its full short side, anywhere along the long one.
    box_width = max(1, min(width, height * target_width // target_height))
    box_height = max(1, min(height, width * target_height // target_width))
    return View(_place(width, height, box_width, box_height, draw(), draw()), draw() < 0.5)


def _between(fraction: float, low: float, high: float) -> float:
    return low + fraction * (high - low)


def _place(width: int, height: int, box_width: int, box_height: int, left: float, top: float) -> Box:
    """``left`` and ``top`` are fractions of the free space, below 1."""
    x = int(left * (width - box_width + 1))
    y = int(top * (height - box_height + 1))
    return Box(x, y, x + box_width, y + box_height)
