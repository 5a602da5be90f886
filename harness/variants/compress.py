"""The size of a file as an .ipa holds it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

DEFLATE_LEVEL: Final = 6
"""What ``zip`` uses unless told otherwise. Level 9 saves 0.03 % at most, but 6 % on rounded weights."""
CHUNK_BYTES: Final = 1 << 20


def deflated_bytes(path: Path) -> int:
    """Bytes of ``path`` as one deflated member of a zip (an .ipa is a zip), without the member's headers."""
    with path.open("rb") as stream:
        return _deflated(iter(lambda: stream.read(CHUNK_BYTES), b""))


def _deflated(chunks: Iterable[bytes]) -> int:
    # -15: raw deflate, as in a zip, without zlib's own header and checksum.
    deflate = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -15)
    return sum(len(deflate.compress(chunk)) for chunk in chunks) + len(deflate.flush())
