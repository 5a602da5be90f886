from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.core.variants import FailedBuild, Recipe, Variant, VariantSpec
from harness.models.source import open_source
from harness.models.tflite import read_tflite
from harness.variants.builder import build_variants
from harness.variants.cache import VariantCache

pytestmark = pytest.mark.slow

# In a process of its own, because TensorFlow stays in a process once it is imported. Dropout and batch
# normalization must be in their inference form, and the batch is open.
SAVE_MODEL = """
import sys
import keras
import numpy as np
keras.utils.set_random_seed(5)
layers = keras.layers
left = keras.Input((6,), name="left")
right = keras.Input((4, 3), name="right")
x = layers.Concatenate()([left, layers.LSTM(5)(right)])
x = layers.Dropout(0.5)(layers.BatchNormalization()(layers.Dense(120, activation="relu")(x)))
model = keras.Model({"left": left, "right": right}, layers.Dense(3, activation="softmax", name="scores")(x))
model.layers[-3].set_weights([np.random.default_rng(i).uniform(0.5, 1.5, 120) for i in range(4)])
model.save(sys.argv[1])
random = np.random.default_rng(6)
given = {"left": random.normal(size=(5, 6)).astype("float32"),
         "right": random.normal(size=(5, 4, 3)).astype("float32")}
np.savez(sys.argv[2], expected=model(given, training=False).numpy(), **given)
"""


def test_a_keras_model_with_an_open_batch_two_inputs_and_a_recurrent_layer(
    tmp_path: Path, cache: VariantCache
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    path, arrays = tmp_path / "model.keras", tmp_path / "arrays.npz"
    subprocess.run(
        [sys.executable, "-c", SAVE_MODEL, str(path), str(arrays)], check=True, capture_output=True
    )
    source = open_source(path)
    specs = [VariantSpec("float32", Recipe.FLOAT32), VariantSpec("small", Recipe.DYNAMIC_INT8)]
    float32, small = build_variants(source, specs, None, cache)
    assert isinstance(float32, Variant) and isinstance(small, Variant)
    assert float32.build.tools.keys() == {"ai-edge-litert", "keras", "tensorflow"}
    assert small.file_bytes < float32.file_bytes

    model = cache.blobs.path(float32.model)
    described = {tensor.name: tensor.shape for tensor in read_tflite(model).inputs}
    assert described == {"left": (1, 6), "right": (1, 4, 3)}
    runner = Interpreter(str(model)).get_signature_runner()
    with np.load(arrays) as saved:
        for left, right, expected in zip(saved["left"], saved["right"], saved["expected"], strict=True):
            (found,) = runner(left=left[np.newaxis], right=right[np.newaxis]).values()
            np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_a_keras_file_without_usable_weights_is_a_failed_build(tmp_path: Path, cache: VariantCache) -> None:
    path = tmp_path / "model.keras"
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": []}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n")
    specs = [VariantSpec("float32", Recipe.FLOAT32), VariantSpec("rounded", Recipe.ROUNDED)]
    float32, rounded = build_variants(open_source(path), specs, None, cache)
    assert isinstance(float32, FailedBuild) and isinstance(rounded, FailedBuild)
    assert "cannot be loaded by Keras" in float32.problem
    assert float32.problem in rounded.problem
