from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from harness.errors import ModelError
from harness.models.keras_h5 import SIGNATURE, check_h5, load_keras_h5
from harness.models.source import SourceFormat, open_source

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A file as Keras 3 writes it, an input and what the model gives for it."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    image = keras.Input((6, 6, 3), name="image")
    x = layers.DepthwiseConv2D(3, name="depthwise", padding="same")(image)
    x = layers.SeparableConv2D(4, 3, name="separable", padding="same")(x)
    x = layers.Conv2DTranspose(3, 3, name="transposed", padding="same")(x)
    x = layers.LSTM(5, name="lstm")(layers.Reshape((6, 18))(x))
    model = keras.Model(image, layers.Dense(3, name="scores")(x))
    path = tmp_path_factory.mktemp("keras") / "model.h5"
    model.save(path)
    given = np.random.default_rng(3).normal(size=(2, 6, 6, 3)).astype(np.float32)
    return path, given, model.predict(given, verbose=0)


@pytest.fixture
def rewrite(saved: tuple[Path, Any, Any], tmp_path: Path) -> Callable[[Change], Path]:
    """A copy of the file whose configuration a function changed."""

    def changed(change: Change) -> Path:
        path = Path(shutil.copyfile(saved[0], tmp_path / "model.h5"))
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            change(config)
            file.attrs["model_config"] = json.dumps(config)
        return path

    return changed


def settings(config: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [layer["config"] for layer in config["config"]["layers"] if layer["config"]["name"] == name]
    assert isinstance(found, dict)
    return found


def as_keras_2_wrote_it(config: dict[str, Any]) -> None:
    settings(config, "lstm").update(time_major=False, implementation=2)
    settings(config, "transposed").update(groups=1)
    unused = {"groups": 1, "kernel_initializer": None, "kernel_regularizer": None, "kernel_constraint": None}
    settings(config, "separable").update(unused)
    settings(config, "depthwise").update(unused, filters=None)


def test_a_file_of_keras_2_gives_the_same_and_stays_as_it_was(
    saved: tuple[Path, Any, Any], rewrite: Callable[[Change], Path]
) -> None:
    path = rewrite(as_keras_2_wrote_it)
    before = path.read_bytes()
    assert open_source(path).format is SourceFormat.KERAS_H5
    model = load_keras_h5(path)
    np.testing.assert_allclose(model.predict(saved[1], verbose=0), saved[2], atol=1e-6)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("layer", "change"), [("lstm", {"time_major": True}), ("transposed", {"groups": 3})])
def test_an_argument_that_means_something_is_not_dropped(
    rewrite: Callable[[Change], Path], layer: str, change: dict[str, object]
) -> None:
    path = rewrite(lambda config: settings(config, layer).update(change))
    with pytest.raises(ModelError, match=f"cannot be loaded by Keras .*{next(iter(change))}") as caught:
        load_keras_h5(path)
    assert ".tflite" in caught.value.next_step


def test_a_lambda_layer_is_refused(rewrite: Callable[[Change], Path]) -> None:
    def change(config: dict[str, Any]) -> None:
        layer = {"class_name": "Lambda", "config": {"name": "scale", "function": ["4wEAAAA=", None, None]}}
        config["config"]["layers"].append(layer)

    with pytest.raises(ModelError, match=r"a Lambda layer \(scale\)"):
        load_keras_h5(rewrite(change))


def test_a_tensorflow_function_as_a_layer_is_named(rewrite: Callable[[Change], Path]) -> None:
    def change(config: dict[str, Any]) -> None:
        layer = {"class_name": "TFOpLambda", "name": "tf.math.multiply", "config": {"function": "multiply"}}
        config["config"]["layers"].append(layer)

    with pytest.raises(ModelError, match=r"the TensorFlow function tf\.math\.multiply"):
        load_keras_h5(rewrite(change))


def test_weights_without_architecture(tmp_path: Path, saved: tuple[Path, Any, Any]) -> None:
    path = tmp_path / "weights.h5"
    with h5py.File(saved[0]) as whole, h5py.File(path, "w") as file:
        whole.copy("model_weights", file)
    with pytest.raises(ModelError, match="weights without its architecture") as caught:
        load_keras_h5(path)
    assert "load_weights" in caught.value.next_step


@pytest.mark.parametrize("config", ["[1, 2]", "not JSON", '{"a":' * 100_000])
def test_a_configuration_that_keras_did_not_write(tmp_path: Path, config: str) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["model_config"] = config
    with pytest.raises(ModelError, match="that Keras did not write"):
        load_keras_h5(path)


def test_hdf5_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(ModelError, match="is HDF5, but no Keras model"):
        load_keras_h5(path)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_file(tmp_path: Path, libver: str, share: float) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["x"] = np.zeros(3000)
    check_h5(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match=r"truncated|damaged"):
        open_source(path)


@pytest.mark.parametrize("rest", [b"", bytes(100), b"\xff" * 100, b"\x00" * 5 + b"\x08" + bytes(100)])
def test_what_only_begins_like_hdf5(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(SIGNATURE + rest)
    with pytest.raises(ModelError, match="is a damaged HDF5 file"):
        open_source(path)


def test_a_file_damaged_inside(tmp_path: Path, saved: tuple[Path, Any, Any]) -> None:
    content = bytearray(saved[0].read_bytes())
    content[96:2048] = bytes(2048 - 96)
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        load_keras_h5(path)
