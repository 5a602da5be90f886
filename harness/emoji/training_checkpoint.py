"""What a training goes on from: one ``.npz``, replaced as a whole after every epoch. No object in it is unpickled."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from harness.core.emoji_training import Epoch, TrainingSettings
from harness.errors import InputError

_EPOCHS: TypeAdapter[tuple[Epoch, ...]] = TypeAdapter(tuple[Epoch, ...])


@dataclass(frozen=True)
class Progress:
    """The epochs done, and the weights of the one with the least validation loss, which counts from 1."""

    epochs: tuple[Epoch, ...] = ()
    best_weights: Sequence[NDArray[Any]] = field(default=(), repr=False)

    @property
    def best_epoch(self) -> int:
        losses = [epoch.validation_loss for epoch in self.epochs]
        return losses.index(min(losses)) + 1 if losses else 0

    def after(self, epoch: Epoch, weights: Sequence[NDArray[Any]]) -> Progress:
        extended = Progress((*self.epochs, epoch), self.best_weights)
        return Progress(extended.epochs, weights) if extended.best_epoch == len(extended.epochs) else extended

    def is_over(self, settings: TrainingSettings) -> bool:
        since_best = len(self.epochs) - self.best_epoch
        return len(self.epochs) >= settings.most_epochs or since_best >= settings.patience > 0


def save_checkpoint(path: Path, model: Any, progress: Progress) -> None:
    """Everything that the next epoch depends on, written beside ``path`` and renamed."""
    arrays = {f"state_{number}": variable.numpy() for number, variable in enumerate(_state(model))}
    arrays |= {f"best_{number}": weights for number, weights in enumerate(progress.best_weights)}
    arrays["epochs"] = np.frombuffer(_EPOCHS.dump_json(progress.epochs), np.uint8)
    partial = path.with_name(f".partial-{path.name}")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_checkpoint(path: Path, model: Any) -> Progress:
    """Put the model, its optimizer and its random states where the checkpoint was; nothing done where there is none.

    Raises:
        InputError: the checkpoint is damaged or of another model.
    """
    if not path.exists():
        return Progress()
    try:
        with np.load(path, allow_pickle=False) as arrays:
            state = [arrays[f"state_{number}"] for number, _ in enumerate(_state(model))]
            best = [arrays[f"best_{number}"] for number, _ in enumerate(model.weights)]
            epochs = _EPOCHS.validate_json(arrays["epochs"].tobytes())
        for variable, value in zip(_state(model), state, strict=True):
            variable.assign(value)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, ValidationError) as error:
        raise InputError(
            f"is no checkpoint of this training: {' '.join(str(error).split())[:200]}",
            where=str(path),
            next_step="Start afresh: harness emoji train --restart.",
        ) from error
    return Progress(epochs, best)


def _state(model: Any) -> list[Any]:
    """Weights, moments of the optimizer and seeds of dropout; metrics start anew with every epoch."""
    metrics = {id(variable) for variable in model.metrics_variables}
    variables = [variable for variable in model.variables if id(variable) not in metrics]
    return [*variables, *model.optimizer.variables]
