"""``python -m harness.emoji.training_worker``: one training, or the rest of one; the request is on standard input.

The same request gives the same weights, with or without interruptions: batches are drawn by seed and epoch, and a
checkpoint holds all that the next epoch starts from, the states of dropout's random numbers too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from harness.core.emoji_data import Part
from harness.core.emoji_training import Epoch, Training
from harness.emoji.architectures import build, multiply_adds
from harness.emoji.dataset import Dataset, read_dataset
from harness.emoji.encoded import Encoded, encode_part
from harness.emoji.tensorboard import Curves
from harness.emoji.training import CHECKPOINT, MODEL, TRAINING, TrainingRequest
from harness.emoji.training_checkpoint import Progress, load_checkpoint, save_checkpoint
from harness.errors import HarnessError

_FIGURES: Final = ("loss", "top_1", "top_5")
_EVALUATION_BATCH: Final = 256
_SAY_EVERY_S: Final = 0.2


def main() -> int:
    request = TrainingRequest.model_validate_json(sys.stdin.buffer.read())
    try:
        _train(request)
    except HarnessError as error:
        _say({"problem": str(error), "next_step": error.next_step})
    return 0


def _train(request: TrainingRequest) -> None:
    settings = request.settings
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    folder, dataset = Path(request.folder), read_dataset(Path(request.data))
    parts = {part: encode_part(dataset, part, folder) for part in Part}
    model = _compiled(request, dataset)
    progress = load_checkpoint(folder / CHECKPOINT, model)
    for number, epoch in enumerate(progress.epochs, start=1):
        _say({"number": number, "epoch": epoch.model_dump()})
    with Curves(folder, settings, progress.epochs) as curves:
        while not progress.is_over(settings):
            epoch = _epoch(model, parts, request, len(progress.epochs) + 1)
            progress = progress.after(epoch, [variable.numpy() for variable in model.weights])
            save_checkpoint(folder / CHECKPOINT, model, progress)
            curves.add(len(progress.epochs), epoch)
            _say({"number": len(progress.epochs), "epoch": epoch.model_dump()})
    for variable, value in zip(model.weights, progress.best_weights, strict=True):
        variable.assign(value)
    _finish(request, model, progress, parts[Part.TEST])
    for part in parts.values():
        part.remove()


def _compiled(request: TrainingRequest, dataset: Dataset) -> Any:
    model = build(
        request.settings.architecture,
        vocabulary_size=dataset.encoding.vocabulary_size,
        length=dataset.encoding.length,
        labels=len(dataset.labels),
    )
    model.compile(
        optimizer=keras.optimizers.Adam(request.settings.learning_rate, clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=[
            keras.metrics.SparseCategoricalAccuracy(name="top_1"),
            keras.metrics.SparseTopKCategoricalAccuracy(5, name="top_5"),
        ],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _epoch(model: Any, parts: dict[Part, Encoded], request: TrainingRequest, number: int) -> Epoch:
    started = time.perf_counter()
    trained = _pass_over(model, parts[Part.TRAIN], request, number)
    validated = _evaluated(model, parts[Part.VALIDATION])
    return Epoch(
        **trained,
        **{f"validation_{name}": value for name, value in validated.items()},
        duration_s=time.perf_counter() - started,
    )


def _pass_over(model: Any, part: Encoded, request: TrainingRequest, number: int) -> dict[str, float]:
    size = request.settings.batch_size
    order = np.random.default_rng([request.settings.seed, number]).permutation(len(part.labels))
    batches = -(-len(order) // size)
    sums = dict.fromkeys(_FIGURES, 0.0)
    said = 0.0
    for batch in range(batches):
        # Sorted: the texts lie on disk, and within a batch their order does not count.
        rows = np.sort(order[batch * size : (batch + 1) * size])
        figures = model.train_on_batch(part.texts[rows].astype(np.int32), part.labels[rows], return_dict=True)
        for name in _FIGURES:
            sums[name] += float(figures[name]) * len(rows)
        if (now := time.perf_counter()) - said > _SAY_EVERY_S:
            said = now
            loss = float(figures["loss"])
            _say({"step": {"epoch": number, "batch": batch + 1, "batches": batches, "loss": loss}})
    return {name: total / len(order) for name, total in sums.items()}


def _evaluated(model: Any, part: Encoded) -> dict[str, float]:
    sums = dict.fromkeys(_FIGURES, 0.0)
    for rows in _slices(len(part.labels)):
        labels = part.labels[rows]
        probabilities = model.predict_on_batch(np.asarray(part.texts[rows]).astype(np.int32))
        right = np.take_along_axis(probabilities, labels[:, np.newaxis], axis=1)
        better = (probabilities > right).sum(axis=1)
        sums["loss"] -= float(np.log(np.maximum(right, np.finfo(np.float32).tiny)).sum())
        sums["top_1"] += int((better < 1).sum())
        sums["top_5"] += int((better < 5).sum())
    return {name: total / len(part.labels) for name, total in sums.items()}


def _slices(count: int) -> Iterator[slice]:
    return (slice(start, start + _EVALUATION_BATCH) for start in range(0, count, _EVALUATION_BATCH))


def _finish(request: TrainingRequest, model: Any, progress: Progress, test: Encoded) -> None:
    folder = Path(request.folder)
    tested = _evaluated(model, test)
    inference = keras.models.clone_model(model)
    inference.set_weights(model.get_weights())
    partial = folder / f".partial-{MODEL}"
    inference.save(partial)
    partial.replace(folder / MODEL)
    training = Training(
        settings=request.settings,
        data_sha256=request.data_sha256,
        parameters=model.count_params(),
        multiply_adds=multiply_adds(model),
        epochs=progress.epochs,
        best_epoch=progress.best_epoch,
        test_texts=len(test.labels),
        test_top_1=tested["top_1"],
        test_top_5=tested["top_5"],
        tools={"tensorflow": tf.__version__, "keras": version("keras"), "numpy": version("numpy")},
    )
    partial = folder / f".partial-{TRAINING}"
    partial.write_text(training.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / TRAINING)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    sys.exit(main())
