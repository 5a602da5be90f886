"""Why a variant's labels differ from the reference's: the chain from one to the other, link by link."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.core.agreement import proportion
from harness.core.jobs import Count, PositiveCount
from harness.core.layer_blame import BlamedOperation
from harness.core.measurements import Proportion
from harness.core.value import Value

Labels = NDArray[np.int64]
"""First label of every input, ``[inputs]``; −1 where the output is not finite."""


class Factor(StrEnum):
    """What one link of the chain changes, and nothing else."""

    CONVERSION = "conversion"
    """The source model by its own engine → its float32 .tflite by LiteRT, on this machine."""
    QUANTIZATION = "quantization"
    """Float32 .tflite → the variant's file; engine and machine stay."""
    KERNELS = "kernels"
    """The variant by LiteRT's default kernels → by its built-in ones; beside the chain, not in it."""
    RUNNER = "runner"
    """The variant by LiteRT's Python interpreter → by the runner, on this machine: encoding, threads, loading."""
    DEVICE = "device"
    """The runner on this machine → on the target: processor, runtime release, accelerator."""
    ACCELERATOR = "accelerator"
    """On the target without the accelerator → with it."""


class Link(Value):
    """One factor: the same inputs on either side of it. ``a`` and ``b`` say what ran by what."""

    factor: Factor
    a: str
    b: str
    agreement: Proportion
    """Inputs with the same first label on both sides."""
    largest_difference: float | None
    """Of any score; absent where a side is not finite or the scores are of different kinds."""
    bit_identical: bool
    explains: Count | None
    """Disagreements of variant and reference that begin here and last to the end; absent beside the chain."""


class PreprocessingCheck(Value):
    """The reference's accuracy on the labelled inputs under another preprocessing than the declared one.

    ``suspicious``: significantly better (McNemar, p below 0.01), so that the declared one is likely wrong.
    """

    name: str
    accuracy: Proportion
    declared: Proportion
    mcnemar_p: Annotated[float, Field(ge=0, le=1)]
    suspicious: bool


class NotCrossed(Value):
    """A case that could not be run, and why."""

    what: str
    reason: str


class Explanation(Value):
    """What was found. ``disagreements`` of ``inputs`` are what there is to explain."""

    explanation_version: int = 1
    run_id: str
    variant: str
    target_class: str
    inputs: PositiveCount
    disagreements: Count
    links: tuple[Link, ...]
    beside: tuple[Link, ...]
    """Crossed cases that are no link of the chain: other kernels, without the accelerator."""
    preprocessing: tuple[PreprocessingCheck, ...]
    not_crossed: tuple[NotCrossed, ...]
    tolerance: float
    layers: tuple[BlamedOperation, ...]
    """Of the variant against float32, ranked; empty where there is nothing to compare."""
    layer_inputs: Count

    @property
    def main_factor(self) -> Factor | None:
        """The link that most of the disagreements begin at."""
        explaining = [link for link in self.links if link.explains]
        return max(explaining, key=lambda link: link.explains or 0).factor if explaining else None


def first_labels(outputs: NDArray[np.float32]) -> Labels:
    """The first label of each row of ``outputs`` ``[inputs, classes]``; −1 where a row is not finite."""
    finite = np.isfinite(outputs).all(axis=1)
    return np.where(finite, np.nan_to_num(outputs).argmax(axis=1), -1).astype(np.int64)


def begins_at(labels: Sequence[Labels]) -> NDArray[np.int64]:
    """For each input the link at which its label leaves the first one's for good: ``[inputs]``.

    ``labels`` are those of the chain's stations, the reference first; link k is between stations k and k + 1. −1 where
    the last station agrees with the first, whatever happened between.
    """
    departed = np.stack([one != labels[0] for one in labels[1:]])
    # From the end: how many stations in a row differ from the first.
    tail = np.flip(np.logical_and.accumulate(np.flip(departed, axis=0), axis=0), axis=0).sum(axis=0)
    return np.where(tail > 0, len(labels) - 1 - tail, -1).astype(np.int64)


def link(
    factor: Factor,
    names: tuple[str, str],
    outputs: tuple[NDArray[np.float32], NDArray[np.float32]],
    explains: int | None,
    confidence: float,
) -> Link:
    """The link between two stations; ``outputs`` are ``[inputs, classes]`` each."""
    a, b = outputs
    same = int(np.count_nonzero(first_labels(a) == first_labels(b)))
    comparable = bool(np.isfinite(a).all() and np.isfinite(b).all()) and a.shape == b.shape
    return Link(
        factor=factor,
        a=names[0],
        b=names[1],
        agreement=proportion(same, len(a), confidence),
        largest_difference=float(np.abs(a - b).max()) if comparable else None,
        bit_identical=a.shape == b.shape and a.tobytes() == b.tobytes(),
        explains=explains,
    )
