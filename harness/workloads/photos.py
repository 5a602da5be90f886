"""Decode a photo: bytes of a file in, an upright RGB image out, whatever the file claims to be.

What is decided here, once, for every model:

- EXIF orientation is applied.
- Transparency is composited on black.
- 16-bit gray is divided by 257 and rounded; 16-bit colour keeps its high byte (as Pillow reads it).
- CMYK is converted by Pillow's formula; embedded colour profiles are not applied.
- Of an animation or a multi-page file the first frame counts.
"""

from __future__ import annotations

import io
import threading
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import WorkloadError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".heic", ".heif"}
)
"""What counts as a photo in a folder. HEIC is not decoded: it is listed so that it is not passed over
in silence."""

MAX_PIXELS: Final = 100_000_000
"""Larger than any camera photo the harness is for; decoded it needs 300 MB."""

MAX_FILE_BYTES: Final = 512 << 20

_TOO_LARGE: Final = f"it has more than {MAX_PIXELS // 10**6} million pixels"

# Pillow would also open PostScript, which starts an interpreter, and formats no camera or exporter writes.
# JPEG includes the multi-picture files of phones.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif"})
_ORIENTATION_TAG: Final = 0x0112
# warnings.catch_warnings changes the process, and photos are decoded in threads.
_WARNINGS_LOCK: Final = threading.Lock()


def decode_photo(data: bytes, file: str) -> Image:
    """The first frame as an upright image of mode RGB.

    Args:
        data: the whole file.
        file: its name, for the error.

    Raises:
        WorkloadError: empty, not an image, truncated, corrupt, too large, or of a kind that has no
            defined 8-bit form.
    """
    from PIL import UnidentifiedImageError
    from PIL.Image import DecompressionBombError

    if not data:
        raise _unreadable(file, "the file is empty")
    try:
        image = _open(data)
        _check_size(image, file)
        if image.format == "PNG":
            # load() passes over wrong checksums and gives other pixels; verify() uses the image up.
            image.verify()
            image = _open(data)
        image.load()
        return _upright(_to_rgb(image, file), _orientation(image))
    except WorkloadError:
        raise
    except UnidentifiedImageError as error:
        if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
            raise _unreadable(file, "HEIC and AVIF photos are not supported") from error
        raise _unreadable(file, "not an image of a known format") from error
    except DecompressionBombError as error:
        raise _unreadable(file, _TOO_LARGE) from error
    except Exception as error:
        # A decoder on a hostile file raises nearly anything: OSError, SyntaxError, struct.error,
        # ValueError, zlib.error, MemoryError.
        raise _unreadable(file, f"truncated or corrupt: {str(error) or type(error).__name__}") from error


def _open(data: bytes) -> Image:
    """Reads the header; no pixel is decoded yet."""
    from PIL import Image as Images

    with _WARNINGS_LOCK, warnings.catch_warnings():
        # Broken metadata is not the user's concern, and the size is checked here, with its own message.
        warnings.simplefilter("ignore")
        return Images.open(io.BytesIO(data), formats=_FORMATS)


def _check_size(image: Image, file: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _unreadable(file, _TOO_LARGE)
    if image.width == 0 or image.height == 0:
        raise _unreadable(file, "the image has no pixels")


def _orientation(image: Image) -> int:
    try:
        with _WARNINGS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:
        # Broken metadata around intact pixels: every viewer shows such a photo as it is stored.
        return 1
    return value if isinstance(value, int) else 1


def _upright(image: Image, orientation: int) -> Image:
    """Source: EXIF 2.32, tag 274 Orientation."""
    from PIL.Image import Transpose

    method = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image, file: str) -> Image:
    from PIL import Image as Images

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I", "I;16", "I;16L", "I;16B", "I;16N"):
        return _from_16_bit_gray(image, file)
    if image.mode == "F":
        raise _unreadable(file, "floating-point pixels have no defined range")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        opaque = image if image.mode == "RGBA" else image.convert("RGBA")
        black = Images.new("RGBA", opaque.size, (0, 0, 0, 255))
        return Images.alpha_composite(black, opaque).convert("RGB")
    return image.convert("RGB")


def _from_16_bit_gray(image: Image, file: str) -> Image:
    from PIL import Image as Images

    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise _unreadable(file, "32-bit integer pixels have no defined range")
    # 65535 = 255 * 257; + 128 rounds to nearest.
    return Images.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")


def _unreadable(file: str, problem: str) -> WorkloadError:
    return WorkloadError(
        problem,
        where=file,
        next_step="Save the photo again as JPEG or PNG, or take it out of the workload.",
    )
