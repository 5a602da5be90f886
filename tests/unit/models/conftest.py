"""Model files made by hand: archives that Keras would write, and .tflite files with one thing changed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graph_files import GraphFiles, write_all

TINY = Path(__file__).parents[3] / "fixtures" / "tiny"

DENSE = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {"name": "dense", "units": 3},
    "registered_name": None,
}

WriteKeras = Callable[..., Path]


@pytest.fixture
def float32_tflite() -> Path:
    return TINY / "image_float32.tflite"


@pytest.fixture
def write_keras(tmp_path: Path) -> WriteKeras:
    """Writes a .keras archive; ``layers`` go into its configuration, ``without`` leaves members out."""

    def write(
        *layers: Any, keras_version: Any = "3.15.1", without: tuple[str, ...] = (), name: str = "model.keras"
    ) -> Path:
        members = {
            "metadata.json": json.dumps({"keras_version": keras_version}),
            "config.json": json.dumps(
                {
                    "module": "keras",
                    "class_name": "Sequential",
                    "config": {"name": "m", "layers": list(layers or (DENSE,))},
                }
            ),
            "model.weights.h5": "",
        }
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in members.items():
                if member not in without:
                    archive.writestr(member, text)
        return path

    return write


@pytest.fixture(scope="session")
def graph_files(tmp_path_factory: pytest.TempPathFactory) -> GraphFiles:
    return write_all(tmp_path_factory.mktemp("graphs"))
