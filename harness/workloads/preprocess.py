"""The geometry of a photo, declared once: decoded image in, uint8 pixels of the model's size out.

Normalizing is not done here: the pixels travel as they are and whoever feeds the model applies
``Preprocessing.encoding`` by the rules of docs/wire-format.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from harness.core.jobs import PixelEncoding
from harness.core.value import Value

if TYPE_CHECKING:
    from PIL.Image import Image

# JPEG cannot hold more than 65,535 a side, and no network takes as much.
Side = Annotated[int, Field(ge=1, le=16384)]


class ResizeMode(StrEnum):
    """How a photo of any aspect becomes the model's size."""

    CROP = "crop"
    """The largest centred rectangle of the model's aspect, ``crop_fraction`` of it, then resized."""
    SQUASH = "squash"
    """The whole photo resized; its aspect is lost."""
    PAD = "pad"
    """The whole photo resized to fit, centred on black."""


class Interpolation(StrEnum):
    """Pillow's filters of these names: they average over the source area where a photo shrinks."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


class Channels(StrEnum):
    """Order of the channels; ``gray`` is the luma of ITU-R BT.601."""

    RGB = "rgb"
    BGR = "bgr"
    GRAY = "gray"

    @property
    def channel_count(self) -> int:
        return 1 if self is Channels.GRAY else 3


class Preprocessing(Value):
    """From a photo to the model's input. ``mean`` and ``scale`` are in pixel units, 0 to 255."""

    size: Annotated[tuple[Side, Side], Field(description="height, width")]
    resize: ResizeMode = ResizeMode.CROP
    crop_fraction: Annotated[float, Field(gt=0, le=1, description="used by crop only")] = 1.0
    interpolation: Interpolation = Interpolation.BILINEAR
    channels: Channels = Channels.RGB
    mean: Annotated[tuple[float, ...], Field(description="one number, or one for each channel")]
    scale: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(description="as mean")]

    @model_validator(mode="after")
    def _one_mean_and_scale_per_channel(self) -> Preprocessing:
        for name, numbers in (("mean", self.mean), ("scale", self.scale)):
            if len(numbers) not in (1, self.channels.channel_count):
                raise ValueError(
                    f"{name} needs one number, or {self.channels.channel_count} for {self.channels.value}, "
                    f"not {len(numbers)}"
                )
        return self

    @property
    def encoding(self) -> PixelEncoding:
        """What a job says about the pixels."""
        count = self.channels.channel_count
        return PixelEncoding(
            shape=(*self.size, count),
            mean=self.mean * count if len(self.mean) == 1 else self.mean,
            scale=self.scale * count if len(self.scale) == 1 else self.scale,
        )


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
