"""A trained emoji model: what was asked for, what each epoch gave, and what came out."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from harness.core.jobs import Count, Sha256
from harness.core.value import Value

_Share = Annotated[float, Field(ge=0, le=1)]


class Architecture(StrEnum):
    """The networks that can be trained; ``harness.emoji.architectures`` builds them."""

    FULL = "full"
    """Embedding, three convolutions, pooling, a bidirectional LSTM, two dense layers."""
    FULL_ONE_HOT = "full-one-hot"
    """The same without an embedding: one number for each character of the alphabet."""
    SLIM = "slim"
    """The same with a quarter of the weights."""
    TWO_DENSE = "two-dense"
    """Embedding and two fully connected layers."""
    NAIVE_LSTM = "naive-lstm"
    """Embedding and an LSTM."""
    NAIVE_BILSTM = "naive-bilstm"
    """Embedding and a bidirectional LSTM."""
    SEPARABLE = "separable"
    """Strided depthwise-separable convolutions and the largest answer of each: no recurrence."""


class TrainingSettings(Value):
    """What ``harness emoji train`` was asked for; with equal data the weights follow from it on one machine."""

    architecture: Architecture = Architecture.SEPARABLE
    most_epochs: Annotated[int, Field(ge=1, le=10_000)] = 40
    patience: Annotated[int, Field(ge=1, le=10_000)] = 3
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.002
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1


class Epoch(Value):
    """Means over the part; the training figures are those of the moving weights, with dropout."""

    loss: Annotated[float, Field(ge=0)]
    top_1: _Share
    top_5: _Share
    validation_loss: Annotated[float, Field(ge=0)]
    validation_top_1: _Share
    validation_top_5: _Share
    duration_s: Annotated[float, Field(ge=0)]


class Training(Value):
    """``training.json`` of a finished training.

    ``best_epoch`` counts from 1: its weights are the model's. ``multiply_adds`` are those of one text, in dense,
    convolutional and recurrent layers. ``data_sha256`` names the prepared texts.
    """

    version: Literal[1] = 1
    settings: TrainingSettings
    data_sha256: Sha256
    parameters: Count
    multiply_adds: Count
    epochs: tuple[Epoch, ...]
    best_epoch: Annotated[int, Field(ge=1)]
    test_texts: Count
    test_top_1: _Share
    test_top_5: _Share
    tools: dict[str, str]

    @property
    def duration_s(self) -> float:
        return sum(epoch.duration_s for epoch in self.epochs)
