from __future__ import annotations

import pytest

from harness.core.preprocessing import Preprocessing
from harness.workloads.preprocess import Box, View
from harness.workloads.views import make_view

SQUARE = Preprocessing(size=(224, 224), mean=(0.0,), scale=(1.0,))


def view(width: int = 640, height: int = 480, *, seed: int = 0, content: str = "c", index: int = 1) -> View:
    return make_view(width, height, SQUARE, seed=seed, content=content, index=index)


def test_views_are_what_they_were_when_this_was_written() -> None:
    # Pinned: other boxes would silently give other workloads under the same suite.
    assert [view(index=index) for index in (1, 2)] == [
        View(Box(112, 52, 441, 466), False),
        View(Box(47, 14, 594, 433), True),
    ]


def test_seed_content_and_index_each_change_the_view() -> None:
    assert view() == view()
    assert len({view(), view(seed=1), view(content="d"), view(index=2), view(index=12)}) == 5


@pytest.mark.parametrize("photo", [(640, 480), (1, 1), (2, 3), (5000, 10), (10, 5000), (224, 224)])
def test_every_box_lies_inside_the_photo(photo: tuple[int, int]) -> None:
    for index in range(1, 200):
        left, top, right, bottom = view(*photo, index=index).box
        assert 0 <= left < right <= photo[0]
        assert 0 <= top < bottom <= photo[1]


def test_area_and_aspect_keep_to_their_range_and_use_it() -> None:
    boxes = [view(index=index).box for index in range(1, 400)]
    areas = [(box.right - box.left) * (box.bottom - box.top) / (640 * 480) for box in boxes]
    aspects = [(box.right - box.left) / (box.bottom - box.top) for box in boxes]
    assert 0.34 < min(areas) < 0.4
    assert 0.9 < max(areas) <= 1.0
    assert 0.74 < min(aspects) < 0.8
    assert 1.25 < max(aspects) < 1.35


def test_about_half_are_mirrored() -> None:
    mirrored = sum(view(index=index).mirrored for index in range(1, 401))
    # Binomial(400, 1/2): five standard deviations are 50.
    assert 150 < mirrored < 250


def test_a_panorama_falls_back_to_the_models_aspect() -> None:
    box = view(5000, 10).box
    assert (box.right - box.left, box.top, box.bottom) == (10, 0, 10)
