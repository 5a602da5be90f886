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
    """``train`` and ``validation`` of one training, where a curve has the same name; a context manager.

    The table of hyperparameters finds figures only beside them, so those of validation stand there once more.
    """

    def __init__(self, folder: Path, settings: TrainingSettings, epochs: Sequence[Epoch]) -> None:
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams

        places = (folder, folder / "train", folder / "validation")
        for place in places:
            for old in place.glob(_EVENT_FILES):
                old.unlink()
        self._beside, self._train, self._validation = (SummaryWriter(logdir=str(place)) for place in places)
        metrics = {f"validation_{name}": 0.0 for name in _CURVES}
        for summary in hparams(settings.model_dump(mode="json"), metrics):
            self._beside.file_writer.add_summary(summary)
        for number, epoch in enumerate(epochs, start=1):
            self.add(number, epoch)

    def __enter__(self) -> Curves:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in (self._beside, self._train, self._validation):
            writer.close()

    def add(self, number: int, epoch: Epoch) -> None:
        for name in _CURVES:
            validation = getattr(epoch, f"validation_{name}")
            self._train.add_scalar(f"epoch_{name}", getattr(epoch, name), global_step=number)
            self._validation.add_scalar(f"epoch_{name}", validation, global_step=number)
            self._beside.add_scalar(f"validation_{name}", validation, global_step=number)
        for writer in (self._beside, self._train, self._validation):
            writer.flush()
