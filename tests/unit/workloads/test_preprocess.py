from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from harness.core.jobs import PixelEncoding
from harness.core.preprocessing import Channels, Interpolation, Preprocessing, ResizeMode
from harness.workloads.preprocess import Box, View, centre_crop, fitted_size, preprocess


def declared(height: int, width: int, **fields: Any) -> Preprocessing:
    return Preprocessing(size=(height, width), **{"mean": (0.0,), "scale": (1.0,), **fields})


def ramp(width: int, height: int) -> Image.Image:
    """Red is x, green is y, blue is constant."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 0] = np.arange(width)[np.newaxis, :]
    pixels[:, :, 1] = np.arange(height)[:, np.newaxis]
    pixels[:, :, 2] = 200
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("photo", "size", "fraction", "expected"),
    [
        ((512, 512), (224, 224), 0.875, Box(32, 32, 480, 480)),
        ((451, 300), (224, 224), 1.0, Box(76, 0, 376, 300)),
        ((451, 300), (224, 224), 0.875, Box(95, 19, 357, 281)),
        ((300, 451), (224, 224), 1.0, Box(0, 76, 300, 376)),
        ((100, 100), (50, 100), 1.0, Box(0, 25, 100, 75)),
        ((100, 100), (100, 50), 0.5, Box(38, 25, 63, 75)),
        ((1, 1), (224, 224), 0.5, Box(0, 0, 1, 1)),
        ((5000, 1), (10, 10), 0.875, Box(2500, 0, 2501, 1)),
    ],
)
def test_the_centre_crop(
    photo: tuple[int, int], size: tuple[int, int], fraction: float, expected: Box
) -> None:
    assert centre_crop(*photo, declared(*size, crop_fraction=fraction)) == expected


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        ((200, 100), (20, 10)),
        ((100, 200), (10, 20)),
        ((50, 50), (20, 20)),
        ((3000, 1), (20, 1)),
        ((40, 39), (20, 20)),
    ],
)
def test_a_padded_photo_keeps_its_aspect(photo: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fitted_size(*photo, declared(20, 20)) == expected


def test_a_crop_of_the_models_size_is_the_photos_own_pixels() -> None:
    photo = ramp(8, 6)
    pixels = preprocess(photo, declared(4, 4, crop_fraction=4 / 6))
    assert pixels.shape == (4, 4, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, np.asarray(photo)[1:5, 2:6])


def test_halving_bilinear_is_the_triangle_filter() -> None:
    # A triangle of radius 2 around each target centre: weights 1, 3, 3, 1 eighths inside the row.
    row = np.array([[0, 80, 160, 240, 0, 80, 160, 240]], np.uint8)
    photo = Image.fromarray(np.repeat(np.repeat(row, 8, 0)[:, :, np.newaxis], 3, 2))
    pixels = preprocess(photo, declared(4, 4, resize=ResizeMode.SQUASH, interpolation=Interpolation.BILINEAR))
    inner = [(80 + 3 * 160 + 3 * 240 + 0) / 8, (240 + 3 * 0 + 3 * 80 + 160) / 8]
    first, last = (3 * 0 + 3 * 80 + 160) / 7, (80 + 3 * 160 + 3 * 240) / 7
    assert pixels[0, :, 0].tolist() == [round(value) for value in (first, *inner, last)]


def test_bicubic_overshoots_at_an_edge_and_bilinear_does_not() -> None:
    row = np.array([[50] * 4 + [200] * 4], np.uint8)
    photo = Image.fromarray(np.repeat(np.repeat(row, 8, 0)[:, :, np.newaxis], 3, 2))
    bilinear, bicubic = (
        preprocess(photo, declared(16, 16, interpolation=interpolation)) for interpolation in Interpolation
    )
    assert (bilinear.min(), bilinear.max()) == (50, 200)
    assert bicubic.min() < 50
    assert bicubic.max() > 200


def test_squash_uses_the_whole_photo_and_crop_does_not() -> None:
    photo = ramp(200, 20)
    squashed = preprocess(photo, declared(20, 20, resize=ResizeMode.SQUASH))
    cropped = preprocess(photo, declared(20, 20, resize=ResizeMode.CROP, crop_fraction=1.0))
    assert squashed[0, 0, 0] < 10
    assert squashed[0, -1, 0] > 190
    assert cropped[0, :, 0].tolist() == list(range(90, 110))


def test_padding_is_black_and_centred() -> None:
    photo = Image.new("RGB", (40, 20), (9, 8, 7))
    pixels = preprocess(photo, declared(20, 20, resize=ResizeMode.PAD))
    assert (pixels[5:15] == (9, 8, 7)).all()
    assert not pixels[:5].any()
    assert not pixels[15:].any()


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (Channels.RGB, [10, 20, 30]),
        (Channels.BGR, [30, 20, 10]),
        # ITU-R BT.601: 0.299 * 10 + 0.587 * 20 + 0.114 * 30 = 18.15
        (Channels.GRAY, [18]),
    ],
)
def test_the_order_of_channels(channels: Channels, expected: list[int]) -> None:
    pixels = preprocess(Image.new("RGB", (3, 3), (10, 20, 30)), declared(2, 2, channels=channels))
    assert pixels.shape == (2, 2, len(expected))
    assert pixels[1, 1].tolist() == expected
    assert pixels.flags.c_contiguous


def test_a_view_is_its_box_and_may_be_mirrored() -> None:
    photo = ramp(10, 10)
    box = Box(2, 3, 6, 7)
    expected = np.asarray(photo)[3:7, 2:6]
    np.testing.assert_array_equal(preprocess(photo, declared(4, 4), View(box, False)), expected)
    np.testing.assert_array_equal(preprocess(photo, declared(4, 4), View(box, True)), expected[:, ::-1])


@pytest.mark.parametrize("mode", list(ResizeMode))
@pytest.mark.parametrize("photo", [(1, 1), (1, 900), (900, 1), (2, 3)])
def test_odd_shapes_of_photos(mode: ResizeMode, photo: tuple[int, int]) -> None:
    pixels = preprocess(Image.new("RGB", photo, (5, 5, 5)), declared(8, 12, resize=mode))
    assert pixels.shape == (8, 12, 3)
    assert (pixels == 5).any()


def test_one_number_serves_every_channel() -> None:
    assert declared(4, 5, mean=(127.0,), scale=(1.0, 2.0, 3.0)).encoding == PixelEncoding(
        shape=(4, 5, 3), mean=(127.0, 127.0, 127.0), scale=(1.0, 2.0, 3.0)
    )
    assert declared(4, 5, channels=Channels.GRAY).encoding.shape == (4, 5, 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mean": (1.0, 2.0)}, "mean needs one number, or 3 for rgb, not 2"),
        ({"mean": ()}, "mean needs one number"),
        (
            {"channels": Channels.GRAY, "scale": (1.0, 1.0, 1.0)},
            "scale needs one number, or 1 for gray",
        ),
        ({"scale": (0.0,)}, "greater than 0"),
        ({"mean": (float("nan"),)}, "finite"),
        ({"crop_fraction": 1.01}, "less than or equal to 1"),
        ({"crop_fraction": 0.0}, "greater than 0"),
        ({"size": (0, 4)}, "greater than or equal to 1"),
        ({"size": (4, 100_000)}, "less than or equal to 16384"),
        ({"sice": 1}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Preprocessing(**{"size": (4, 4), "mean": (0.0,), "scale": (1.0,), **fields})
