from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.wire.blobs import BlobStore

SavePhoto = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "store")


@pytest.fixture
def save_photo(tmp_path: Path) -> SavePhoto:
    """``save_photo("a/b.png", seed=1, size=(width, height))``: noise that differs by seed."""

    def save(name: str, seed: int = 0, size: tuple[int, int] = (40, 30)) -> Path:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(noise).save(path)
        return path

    return save
