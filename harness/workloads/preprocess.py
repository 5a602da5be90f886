"""The geometry of a photo, declared once: decoded image in, uint8 pixels of the model's size out.

Normalizing is not done here: the pixels travel as they are and whoever feeds the model applies
``Preprocessing.encoding`` by the rules of docs/wire-format.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.core.preprocessing import Channels, Interpolation, Preprocessing, ResizeMode

if TYPE_CHECKING:
    from PIL.Image import Image


class Box(NamedTuple):
    """A rectangle of whole pixels; right and bottom are not part of it."""

    left: int
    top: int
    right: int
    bottom: int


class View(NamedTuple):
    """A part of the photo instead of the whole one: resized to the model's size, perhaps mirrored."""

    box: Box
    mirrored: bool


def centre_crop(width: int, height: int, preprocessing: Preprocessing) -> Box:
    """The box that ``ResizeMode.CROP`` takes from a photo of ``width`` x ``height``.

    Sides are rounded down, an odd rest goes to the left and top, as in EfficientNet's evaluation
    (``preprocessing.py`` of tensorflow/tpu: ``((size - crop) + 1) // 2``).
    """
    target_height, target_width = preprocessing.size
    fraction = preprocessing.crop_fraction
    # Cross-multiplied: the comparison of two aspects is exact in integers.
    if width * target_height > height * target_width:
        full_width, full_height = height * target_width / target_height, float(height)
    else:
        full_width, full_height = float(width), width * target_height / target_width
    crop_width = max(1, int(full_width * fraction))
    crop_height = max(1, int(full_height * fraction))
    left = (width - crop_width + 1) // 2
    top = (height - crop_height + 1) // 2
    return Box(left, top, left + crop_width, top + crop_height)


def fitted_size(width: int, height: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """Width and height that ``ResizeMode.PAD`` gives the whole photo, rounded half up."""
    target_height, target_width = preprocessing.size
    if width * target_height > height * target_width:
        return target_width, max(1, (2 * height * target_width + width) // (2 * width))
    return max(1, (2 * width * target_height + height) // (2 * height)), target_height


def preprocess(image: Image, preprocessing: Preprocessing, view: View | None = None) -> NDArray[np.uint8]:
    """Pixels ``[height, width, channels]`` of an upright RGB image, C order.

    Args:
        image: mode RGB, as ``decode_photo`` returns it.
        view: a part of the image; None is the whole one, by ``preprocessing.resize``.
    """
    from PIL import Image as Images

    height, width = preprocessing.size
    filter_ = (
        Images.Resampling.BICUBIC
        if preprocessing.interpolation is Interpolation.BICUBIC
        else Images.Resampling.BILINEAR
    )
    if view is not None:
        image = image.resize((width, height), filter_, box=view.box)
        if view.mirrored:
            image = image.transpose(Images.Transpose.FLIP_LEFT_RIGHT)
    elif preprocessing.resize is ResizeMode.CROP:
        image = image.resize((width, height), filter_, box=centre_crop(*image.size, preprocessing))
    elif preprocessing.resize is ResizeMode.SQUASH:
        image = image.resize((width, height), filter_)
    else:
        fitted = image.resize(fitted_size(*image.size, preprocessing), filter_)
        image = Images.new("RGB", (width, height))
        image.paste(fitted, ((width - fitted.width + 1) // 2, (height - fitted.height + 1) // 2))
    return _channels(image, preprocessing.channels)


def _channels(image: Image, channels: Channels) -> NDArray[np.uint8]:
    if channels is Channels.GRAY:
        return _pixels(image.convert("L"))[:, :, np.newaxis]
    rgb = _pixels(image)
    return np.ascontiguousarray(rgb[:, :, ::-1]) if channels is Channels.BGR else rgb


def _pixels(image: Image) -> NDArray[np.uint8]:
    pixels: NDArray[Any] = np.array(image, dtype=np.uint8, order="C")
    return pixels
