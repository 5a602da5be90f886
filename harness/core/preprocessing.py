"""How a photo becomes the model's input: declared once, in the suite, and carried in the job."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from harness.core.jobs import PixelEncoding
from harness.core.value import Value

# JPEG cannot hold more than 65,535 a side, and no network takes as much.
Side = Annotated[int, Field(ge=1, le=16384)]


def _as_tuple(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (value,)
    # Behind a validator in Python, JSON's array has become a list, which a strict tuple refuses.
    return tuple(value) if isinstance(value, list) else value


# A suite may say ``mean = 127`` for all channels.
_Numbers = Annotated[tuple[float, ...], BeforeValidator(_as_tuple)]
_Scales = Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(_as_tuple)]


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
    mean: Annotated[_Numbers, Field(description="one number, or one for each channel")]
    scale: Annotated[_Scales, Field(description="as mean")]

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
