from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ModelError
from harness.models import keras as keras_archive
from harness.models.keras import check_archive


def test_a_keras_3_archive_passes(write_keras: Any) -> None:
    check_archive(write_keras())


@pytest.mark.parametrize("version", ["2.15.0", None, 3])
def test_another_keras_is_named(write_keras: Any, version: object) -> None:
    with pytest.raises(ModelError, match=f"written by Keras {version}") as caught:
        check_archive(write_keras(keras_version=version))
    assert ".tflite" in caught.value.next_step


@pytest.mark.parametrize("member", ["model.weights.h5", "metadata.json", "config.json"])
def test_a_missing_member_is_named(write_keras: Any, member: str) -> None:
    with pytest.raises(ModelError, match=f"without {member}"):
        check_archive(write_keras(without=(member,)))


def test_a_lambda_layer_is_refused_before_keras_is_asked(write_keras: Any) -> None:
    layer = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"name": "scale", "function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}},
    }
    with pytest.raises(ModelError, match=r"a Lambda layer \(scale\)") as caught:
        check_archive(write_keras(layer))
    assert "Replace the Lambda" in caught.value.next_step


def test_a_lambda_function_inside_another_layer_is_refused(write_keras: Any) -> None:
    layer = {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"activation": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}},
    }
    with pytest.raises(ModelError, match="Lambda"):
        check_archive(write_keras(layer))


@pytest.mark.parametrize("module", ["os", "subprocess", "my_package.layers", "keras_evil", "tf_keras.src"])
def test_a_class_that_is_not_keras_own_is_refused(write_keras: Any, module: str) -> None:
    with pytest.raises(ModelError, match=f"the class Thing of {module}"):
        check_archive(write_keras({"module": module, "class_name": "Thing", "config": {}}))


def test_a_deeply_nested_configuration(tmp_path: Path) -> None:
    path = tmp_path / "deep.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", '{"a":' * 200_000 + "0" + "}" * 200_000)
        archive.writestr("model.weights.h5", "")
    with pytest.raises(ModelError, match=r"config\.json is not what Keras writes"):
        check_archive(path)


def test_a_configuration_that_unpacks_to_more_than_allowed(
    write_keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_archive, "LARGEST_JSON_BYTES", 100)
    with pytest.raises(ModelError, match=r"config\.json has more than 100 bytes"):
        check_archive(write_keras())


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_an_archive_that_was_cut_off(write_keras: Any, kept: float) -> None:
    path = write_keras()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ModelError, match="damaged"):
        check_archive(path)


def test_a_member_whose_bytes_changed(write_keras: Any) -> None:
    path = write_keras()
    content = path.read_bytes()
    assert content.count(b'"Sequential"') == 1
    path.write_bytes(content.replace(b'"Sequential"', b'"Sequentiak"'))
    with pytest.raises(ModelError, match="damaged"):
        check_archive(path)
