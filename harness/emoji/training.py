"""A training as the host starts it, and its folder.

request.json     what is trained, on which data; another request does not go on with this folder
checkpoint.npz   after each epoch: weights, optimizer, random states and figures; removed when it is finished
model.keras      the weights of the best epoch
labels.txt       copies of the data's, so that the folder is all a phone's model is built from
alphabet.json
training.json    ``harness.core.emoji_training.Training``; written last
events.out.…     TensorBoard's, also in train/ and validation/
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.core.emoji_training import Architecture, Epoch, Training, TrainingSettings
from harness.core.jobs import Sha256
from harness.core.value import Value
from harness.emoji.dataset import ALPHABET, LABELS, Dataset
from harness.emoji.worker_process import messages
from harness.errors import BuildError, InputError

REQUEST: Final = "request.json"
MODEL: Final = "model.keras"
TRAINING: Final = "training.json"
CHECKPOINT: Final = "checkpoint.npz"


class TrainingRequest(Value):
    """What the worker is asked; the folders are absolute."""

    data: str
    data_sha256: Sha256
    folder: str
    settings: TrainingSettings


@dataclass(frozen=True)
class Step:
    """How far a training is: ``batch`` of ``batches`` in ``epoch``, which counts from 1."""

    epoch: int
    batch: int
    batches: int
    loss: float


def train(
    dataset: Dataset,
    folder: Path,
    settings: TrainingSettings,
    *,
    restart: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
    on_epoch: Callable[[int, Epoch], None] = lambda number, epoch: None,
) -> Training:
    """Train in a process of its own, or go on where a training of the same was cut off; a finished one is returned.

    ``on_epoch`` is told of epochs of earlier attempts too.

    Raises:
        InputError: the data are damaged, or ``folder`` holds the training of something else and ``restart`` is not set.
        BuildError: the process crashed.
    """
    request = TrainingRequest(
        data=str(dataset.folder.resolve()),
        data_sha256=data_digest(dataset),
        folder=str(folder.resolve()),
        settings=settings,
    )
    if _asked_before(folder, request, restart=restart):
        finished = read_training(folder) if (folder / TRAINING).is_file() else None
        if finished:
            return finished
    else:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (LABELS, ALPHABET):
            shutil.copyfile(dataset.folder / name, folder / name)
        (folder / REQUEST).write_text(request.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for message in messages("training_worker", request):
        if "step" in message:
            on_step(Step(**message["step"]))
        elif "epoch" in message:
            on_epoch(message["number"], Epoch.model_validate(message["epoch"]))
    if not (folder / TRAINING).is_file():
        raise BuildError("the training ended without a model", next_step="Run the command again.")
    return read_training(folder)


def read_training(folder: Path) -> Training:
    """The record of a finished training.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = folder / TRAINING
    if not path.is_file():
        unfinished = (folder / REQUEST).is_file()
        raise InputError(
            "is a training that is not finished" if unfinished else "holds no training",
            where=str(folder),
            next_step="Run the same `harness emoji train` again: it goes on."
            if unfinished
            else "Train one: harness emoji train.",
        )
    try:
        return Training.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(
            f"is damaged: {error.errors()[0]['msg']}",
            where=str(path),
            next_step="Train again: harness emoji train --restart.",
        ) from error


def read_trainings(folder: Path) -> list[Training]:
    """The finished trainings below ``folder``, in the order of the architectures.

    Raises:
        InputError: there is none, or one is damaged.
    """
    found = [read_training(path.parent) for path in sorted(folder.glob(f"*/{TRAINING}"))]
    if not found:
        raise InputError(
            "holds no finished training",
            where=str(folder),
            next_step="Train some: harness emoji train DATA --architecture all.",
        )
    order = list(Architecture)
    return sorted(found, key=lambda training: order.index(training.settings.architecture))


def data_digest(dataset: Dataset) -> str:
    """One name for labels, alphabet and all examples."""
    files = dataset.preparation.sha256
    return sha256("".join(f"{name}\0{files[name]}\n" for name in sorted(files)).encode()).hexdigest()


def _asked_before(folder: Path, request: TrainingRequest, *, restart: bool) -> bool:
    path = folder / REQUEST
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError(
                "is there and holds no training, so it is left alone",
                where=str(folder),
                next_step="Name another folder with --output.",
            )
        return False
    if restart:
        shutil.rmtree(folder)
        return False
    try:
        before = TrainingRequest.model_validate_json(path.read_bytes())
    except ValidationError:
        before = None
    # The data may have moved; what counts is what they are.
    if (
        before is None
        or before.model_copy(update={"data": request.data, "folder": request.folder}) != request
    ):
        raise InputError(
            "holds a training with other data or settings",
            where=str(folder),
            next_step="Name another folder with --output, or start afresh with --restart.",
        )
    return True
