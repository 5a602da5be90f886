"""Trainings repeat, resume after a kill, and refuse what is not theirs. All train the same tiny network for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from prepared_texts import prepared, some_texts

from harness.cli.main import run_cli
from harness.core.emoji_data import Part
from harness.core.emoji_training import Architecture, Epoch, Training, TrainingSettings
from harness.emoji.dataset import Dataset, read_dataset
from harness.emoji.training import CHECKPOINT, MODEL, TRAINING, read_training, train
from harness.emoji.training_checkpoint import Progress
from harness.errors import ExitStatus, InputError

SETTINGS = TrainingSettings(
    architecture=Architecture.SEPARABLE, most_epochs=4, patience=4, batch_size=8, learning_rate=0.005, seed=3
)
WORKER = "harness.emoji.training_worker"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("data")
    prepared(folder, some_texts(240))
    return read_dataset(folder / "data")


@pytest.fixture(scope="module")
def trained(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(dataset, folder, SETTINGS)
    return folder


def _weights(folder: Path) -> list[np.ndarray]:
    import keras

    model = keras.saving.load_model(folder / MODEL, compile=False, safe_mode=True)
    return [np.asarray(weight) for weight in model.weights]


def _epoch(validation_loss: float) -> Epoch:
    shares = dict.fromkeys(("top_1", "top_5", "validation_top_1", "validation_top_5"), 0.5)
    return Epoch(loss=1.0, validation_loss=validation_loss, duration_s=1.0, **shares)


def test_training_stops_when_the_loss_gets_no_better_and_keeps_the_best() -> None:
    settings = TrainingSettings(most_epochs=10, patience=2)
    progress, weights = Progress(), [np.zeros(1)]
    for number, loss in enumerate((3.0, 1.0, 2.0), start=1):
        progress = progress.after(_epoch(loss), [weights[0] + number])
        assert not progress.is_over(settings)
    progress = progress.after(_epoch(1.5), [weights[0] + 4])
    assert progress.is_over(settings)
    assert (progress.best_epoch, progress.best_weights[0].tolist()) == (2, [2.0])


@pytest.mark.slow
def test_a_training_learns_and_tells_what_it_did(dataset: Dataset, trained: Path) -> None:
    training = read_training(trained)
    assert 1 <= training.best_epoch <= len(training.epochs) == 4
    assert training.epochs[-1].loss < 0.7 * training.epochs[0].loss
    assert training.test_top_1 >= 0.9
    assert training.test_texts == dataset.preparation.count(Part.TEST)
    assert sum(weight.size for weight in _weights(trained)) == training.parameters
    files = {path.name for path in trained.iterdir()} - {"train", "validation"}
    assert files - {name for name in files if name.startswith("events")} == {
        "request.json",
        "labels.txt",
        "alphabet.json",
        MODEL,
        TRAINING,
    }


@pytest.mark.slow
def test_the_curves_are_tensorboards(trained: Path) -> None:
    import tensorflow as tf

    training = read_training(trained)
    for name, prefix, tag in (
        ("train", "", "epoch_"),
        ("validation", "validation_", "epoch_"),
        (".", "validation_", "validation_"),
    ):
        (events,) = (trained / name).glob("events.out.tfevents.*")
        values = {}
        for event in tf.compat.v1.train.summary_iterator(str(events)):
            for value in event.summary.value:
                if value.tag.startswith("_hparams_"):
                    continue
                values[value.tag, event.step] = value.simple_value
        expected = {
            (f"{tag}{figure}", number): getattr(epoch, prefix + figure)
            for number, epoch in enumerate(training.epochs, start=1)
            for figure in ("loss", "top_1", "top_5")
        }
        assert values == pytest.approx(expected)


@pytest.mark.slow
def test_a_training_killed_midway_comes_to_the_same_weights(
    dataset: Dataset, trained: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    given = {
        "--epochs": SETTINGS.most_epochs,
        "--patience": SETTINGS.patience,
        "--batch": SETTINGS.batch_size,
        "--learning-rate": SETTINGS.learning_rate,
        "--seed": SETTINGS.seed,
    }
    arguments = [str(word) for option in given.items() for word in option]
    command = [sys.executable, "-m", "harness", "emoji", "train", str(dataset.folder), "-o", str(folder)]
    with subprocess.Popen(
        [*command, *arguments], stderr=subprocess.PIPE, env=environment, start_new_session=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if b"epoch 2:" in line:
                # The worker first, as by a machine that runs out of memory; its parent reports that.
                for worker in _children(process.pid):
                    os.kill(worker, signal.SIGKILL)
                break
        rest = process.stderr.read()
    assert b"SIGKILL" in rest and process.returncode == ExitStatus.UNDECIDED
    assert (folder / "separable" / CHECKPOINT).is_file()
    seen: list[int] = []
    training = train(dataset, folder / "separable", SETTINGS, on_epoch=lambda number, _: seen.append(number))
    assert seen == [1, 2, 3, 4]
    assert not (folder / "separable" / CHECKPOINT).exists()
    whole = read_training(trained)
    assert _without_times(training) == _without_times(whole)
    for resumed, expected in zip(_weights(folder / "separable"), _weights(trained), strict=True):
        np.testing.assert_array_equal(resumed, expected)


def _children(parent: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    return [child for child, its_parent in pairs if its_parent == parent]


def _without_times(training: Training) -> Training:
    epochs = tuple(epoch.model_copy(update={"duration_s": 0.0}) for epoch in training.epochs)
    return training.model_copy(update={"epochs": epochs})


@pytest.mark.slow
def test_a_folder_of_another_training_or_a_damaged_one_is_refused(
    dataset: Dataset, trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="other data or settings"):
        train(dataset, trained, SETTINGS.model_copy(update={"seed": 4}))
    folder = tmp_path / "damaged"
    folder.mkdir()
    request = json.loads((trained / "request.json").read_text())
    (folder / "request.json").write_text(json.dumps(request))
    (folder / CHECKPOINT).write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(InputError, match=r"checkpoint\.npz.*is no checkpoint"):
        train(dataset, folder, SETTINGS)
    with pytest.raises(InputError, match="not finished"):
        read_training(folder)


def test_a_folder_of_something_else_is_left_alone(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="left alone"):
        train(dataset, tmp_path, SETTINGS, restart=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--architecture", "transformer"], "Choose all or some of: full"),
        (["--learning-rate", "0"], "is not between 0 and 1"),
    ],
)
def test_wrong_use_is_explained(
    dataset: Dataset, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(["emoji", "train", str(dataset.folder), *arguments]) == ExitStatus.USAGE
    assert said in capsys.readouterr().err
