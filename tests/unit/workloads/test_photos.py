from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.errors import WorkloadError
from harness.workloads.photos import decode_photo


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bit_depth: int, colour_type: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def rgb(data: bytes) -> list[Any]:
    image = decode_photo(data, "photo")
    assert image.mode == "RGB"
    pixels: list[Any] = np.asarray(image).tolist()
    return pixels


def refused(data: bytes) -> str:
    with pytest.raises(WorkloadError) as caught:
        decode_photo(data, "holiday.jpg")
    assert caught.value.where == "holiday.jpg"
    assert caught.value.next_step
    return caught.value.problem


RED, GREEN, BLUE, GRAY = [255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 90, 90]
CORNERS = Image.fromarray(np.array([[RED, GREEN], [BLUE, GRAY]], np.uint8))


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [[RED, GREEN], [BLUE, GRAY]]),
        (2, [[GREEN, RED], [GRAY, BLUE]]),
        (3, [[GRAY, BLUE], [GREEN, RED]]),
        (4, [[BLUE, GRAY], [RED, GREEN]]),
        # 5: transposed along the main diagonal; 6: to be turned clockwise; 8: counter-clockwise.
        (5, [[RED, BLUE], [GREEN, GRAY]]),
        (6, [[BLUE, RED], [GRAY, GREEN]]),
        (7, [[GRAY, GREEN], [BLUE, RED]]),
        (8, [[GREEN, GRAY], [RED, BLUE]]),
        (9, [[RED, GREEN], [BLUE, GRAY]]),
        (0, [[RED, GREEN], [BLUE, GRAY]]),
    ],
)
def test_exif_orientation_is_applied(orientation: int, expected: list[Any]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert rgb(encoded(CORNERS, "PNG", exif=exif)) == expected


def test_broken_exif_does_not_cost_the_photo() -> None:
    data = encoded(CORNERS, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xffgarbage")
    assert decode_photo(data, "photo").size == (2, 2)


def test_transparency_is_composited_on_black() -> None:
    pixels = np.array([[[255, 100, 0, 255], [255, 100, 0, 0], [254, 100, 0, 128]]], np.uint8)
    assert rgb(encoded(Image.fromarray(pixels), "PNG")) == [[[255, 100, 0], [0, 0, 0], [127, 50, 0]]]


def test_a_transparent_colour_of_a_palette_is_black() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 210, 220])
    image.putpixel((1, 0), 1)
    assert rgb(encoded(image, "PNG")) == [[[10, 20, 30], [200, 210, 220]]]
    assert rgb(encoded(image, "PNG", transparency=1)) == [[[10, 20, 30], [0, 0, 0]]]
    assert rgb(encoded(image, "GIF", transparency=1)) == [[[10, 20, 30], [0, 0, 0]]]


def test_gray_with_alpha() -> None:
    image = Image.fromarray(np.array([[[200, 255], [200, 0]]], np.uint8), "LA")
    assert rgb(encoded(image, "PNG")) == [[[200] * 3, [0] * 3]]


def test_one_bit_and_eight_bit_gray() -> None:
    assert rgb(encoded(Image.new("1", (1, 1), 1), "PNG")) == [[[255] * 3]]
    assert rgb(encoded(Image.new("L", (1, 1), 77), "PNG")) == [[[77] * 3]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), (128, 0), (129, 1), (257, 1), (385, 1), (386, 2), (32896, 128), (65535, 255)],
)
def test_sixteen_bit_gray_is_rounded_to_eight(value: int, expected: int) -> None:
    data = png(1, 1, 16, 0, b"\x00" + struct.pack(">H", value))
    assert rgb(data) == [[[expected] * 3]]
    tiff = encoded(Image.fromarray(np.array([[value]], np.uint16)), "TIFF")
    assert rgb(tiff) == [[[expected] * 3]]


def test_sixteen_bit_colour_keeps_the_high_byte() -> None:
    assert rgb(png(1, 1, 16, 2, b"\x00" + struct.pack(">HHH", 0x12FF, 0x8000, 0xFFFF))) == [
        [[0x12, 0x80, 0xFF]]
    ]


def test_cmyk() -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert rgb(encoded(image, "TIFF"))[0][0] == [255, 0, 0]
    red, green, blue = rgb(encoded(image, "JPEG", quality=100))[4][4]
    assert red > 250
    assert green < 5
    assert blue < 5


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert rgb(data) == [[RED, RED], [RED, RED]]


def test_an_empty_file() -> None:
    assert refused(b"") == "the file is empty"


@pytest.mark.parametrize("data", [b"hello, I am text\n", b"\x00" * 100, b"%PDF-1.7\n", b"\xff\xd8\xff"])
def test_what_is_no_image(data: bytes) -> None:
    assert "known format" in refused(data) or "truncated or corrupt" in refused(data)


def test_postscript_is_never_interpreted() -> None:
    assert refused(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == "not an image of a known format"


def test_heic_is_named() -> None:
    assert "HEIC" in refused(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_truncation_is_an_error_or_the_whole_image(format_: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 48, 3), np.uint8)
    data = encoded(Image.fromarray(noise), format_)
    whole = rgb(data)
    for length in range(0, len(data) - len(data) // 10, max(1, len(data) // 40)):
        try:
            assert rgb(data[:length]) == whole, f"{format_}: {length} of {len(data)} bytes gave other pixels"
        except WorkloadError as error:
            assert error.where == "photo"
    assert "truncated" in refused(data[: len(data) // 2])


def test_a_png_whose_checksum_does_not_match() -> None:
    data = bytearray(png(2, 1, 8, 2, b"\x00" + bytes(range(6))))
    assert rgb(bytes(data)) == [[[0, 1, 2], [3, 4, 5]]]
    # IEND takes the last 12 bytes; before it stands the checksum of the pixels.
    data[-13] ^= 1
    assert "truncated or corrupt" in refused(bytes(data))


@pytest.mark.parametrize(("width", "height"), [(20_000, 5_001), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(width: int, height: int) -> None:
    data = png(width, height, 8, 2, b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = refused(data)
    assert problem == "it has more than 100 million pixels" or "truncated or corrupt" in problem
    assert len(problem) < 200


def test_float_pixels_have_no_range() -> None:
    image = Image.fromarray(np.array([[0.5]], np.float32))
    assert "floating-point" in refused(encoded(image, "TIFF"))


def test_wide_integers_have_no_range() -> None:
    image = Image.fromarray(np.array([[70_000]], np.int32))
    assert "32-bit" in refused(encoded(image, "TIFF"))
