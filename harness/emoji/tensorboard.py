"""Event files for TensorBoard, so that trainings stand side by side: curves, and a table of hyperparameters.

They are written anew whenever a training starts, from the figures of the epochs done, so that a training that was cut
off shows each epoch once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from harness.core.emoji_training import Epoch, TrainingSettings

_CURVES: Final = ("loss", "top_1", "top_5")
_EVENT_FILES: Final = "events.out.tfevents.*"


class Curves:
    """``train`` and ``validation`` of one training, where a curve has the same name; a context manager."""

    def __init__(self, folder: Path, settings: TrainingSettings, epochs: Sequence[Epoch]) -> None:
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams

        places = {"": folder / "train", "validation_": folder / "validation"}
        for place in (folder, *places.values()):
            for old in place.glob(_EVENT_FILES):
                old.unlink()
        metrics = {f"epoch_{name}": 0.0 for name in _CURVES}
        with SummaryWriter(logdir=str(folder)) as writer:
            for summary in hparams(settings.model_dump(mode="json"), metrics):
                writer.file_writer.add_summary(summary)
        self._writers = {prefix: SummaryWriter(logdir=str(place)) for prefix, place in places.items()}
        for number, epoch in enumerate(epochs, start=1):
            self.add(number, epoch)

    def __enter__(self) -> Curves:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def add(self, number: int, epoch: Epoch) -> None:
        for prefix, writer in self._writers.items():
            for name in _CURVES:
                writer.add_scalar(f"epoch_{name}", getattr(epoch, prefix + name), global_step=number)
            writer.flush()
