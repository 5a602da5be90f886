"""A live variant: what the app's camera and text screens show a model with. ``live/*.json`` of docs/wire-format.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.core.jobs import Blob, Count, Encoding, Loading, PixelEncoding
from harness.core.preprocessing import Channels, Interpolation, Preprocessing, ResizeMode
from harness.core.value import Value
from harness.core.workload import OutputKind

LIVE_VERSION = 1


class LiveImage(Value):
    """How a frame of the camera becomes the model's picture; its size stands in the encoding."""

    resize: ResizeMode = ResizeMode.CROP
    crop_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    interpolation: Interpolation = Interpolation.BILINEAR
    channels: Channels = Channels.RGB


class LiveVariant(Value):
    """One variant with all that the app needs to show it. ``labels`` is a blob: UTF-8, one label a line."""

    live_version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=100)]
    created_unix_ns: Count
    model: Blob
    task: Literal["image-classification", "text-classification"]
    labels: Blob | None = None
    tensor: str = ""
    encoding: Encoding
    image: LiveImage | None = None
    output: str = ""
    output_kind: OutputKind = OutputKind.PROBABILITIES
    background_class: bool = False
    threads: Annotated[int, Field(ge=1, le=64)]
    loading: Loading = Loading.MAPPED
    top: Annotated[int, Field(ge=1, le=100)] = 5

    @model_validator(mode="after")
    def _the_task_says_which_encoding(self) -> LiveVariant:
        is_image = self.task == "image-classification"
        if is_image != isinstance(self.encoding, PixelEncoding) or is_image != (self.image is not None):
            raise ValueError("an image task has pixels and image, a text task has characters and no image")
        if self.encoding.kind not in ("pixels", "characters"):
            raise ValueError("the app makes pixels and characters, not tensors")
        return self

    @property
    def file_name(self) -> str:
        """``int8-1a2b3c4d.json``: name and hash as the phone shows them."""
        return f"{self.name}-{self.model.sha256[:8]}.json"

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """What has to be there before the document; the model last."""
        return (self.model,) if self.labels is None else (self.labels, self.model)


def live_image(preprocessing: Preprocessing) -> LiveImage:
    """The part of a suite's preprocessing that is not in the encoding."""
    return LiveImage(
        resize=preprocessing.resize,
        crop_fraction=preprocessing.crop_fraction,
        interpolation=preprocessing.interpolation,
        channels=preprocessing.channels,
    )
