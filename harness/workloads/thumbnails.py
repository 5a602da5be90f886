"""Small pictures of inputs, from the pixels that the model was given."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from harness.core.preprocessing import Channels

THUMBNAIL_SIDE = 112
_JPEG_QUALITY = 78
MIME_TYPE = "image/jpeg"


def thumbnail(pixels: NDArray[np.uint8], channels: Channels) -> bytes:
    """A JPEG of at most ``THUMBNAIL_SIDE`` a side, of ``[height, width, channels]``; smaller pictures grow to it."""
    from PIL import Image

    if channels is Channels.BGR:
        pixels = pixels[:, :, ::-1]
    plane = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    picture = Image.fromarray(np.ascontiguousarray(plane))
    scale = THUMBNAIL_SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    # Pixels of a tiny picture stay pixels.
    picture = picture.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)
    written = io.BytesIO()
    picture.save(written, format="JPEG", quality=_JPEG_QUALITY, optimize=True)
    return written.getvalue()
