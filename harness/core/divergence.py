"""How far one class distribution is from another: the Kullback-Leibler divergence, row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.core.workload import OutputKind

Scores = NDArray[np.float32]

PROBABILITY_FLOOR = 1e-7
"""A variant's probability of exactly zero counts as at least this much in the divergence, which else is infinite. It
is about the resolution of float32 at 1."""

DISTRIBUTION_TOLERANCE = 1e-2
"""How far from 1 a row of the reference may sum and still be a distribution."""

QUANTIZED_TOLERANCE = 0.5
"""The same for a variant's row, which is normalized then: an 8-bit softmax over many classes rounds each small
probability to zero or to 1/256, so its sum misses 1 although the order of the classes is right."""


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of ``[rows, classes]``; the row's largest logit is subtracted, so none overflows."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def probabilities(scores: Scores, output_kind: OutputKind) -> NDArray[np.float64]:
    """Of ``[rows, classes]``; logits are softmaxed."""
    return softmax(scores) if output_kind is OutputKind.LOGITS else scores.astype(np.float64)


def _are_distributions(rows: NDArray[np.float64], tolerance: float) -> bool:
    return bool((rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) <= tolerance).all())


class Divergence:
    """KL(reference || variant) in nats: the mean over rows of ``sum r ln(r / v)``, 0 where ``r`` is 0."""

    def __init__(self) -> None:
        self._total = 0.0
        self._rows = 0
        self._are_distributions = True

    def add(self, reference: Scores, outputs: Scores, output_kind: OutputKind, output_step: float) -> None:
        """Rows ``[rows, classes]``; ``output_step`` is the scale of a quantized output, else 0."""
        if not self._are_distributions or not len(reference):
            return
        expected = probabilities(reference, output_kind)
        got = probabilities(outputs, output_kind)
        if not (
            _are_distributions(expected, DISTRIBUTION_TOLERANCE)
            and _are_distributions(got, QUANTIZED_TOLERANCE)
        ):
            self._are_distributions = False
            return
        expected = expected / expected.sum(axis=1, keepdims=True)
        there = expected > 0
        got = _filled(got, there, output_step)
        self._total += float((expected[there] * np.log(expected[there] / got[there])).sum())
        self._rows += len(expected)

    def mean(self) -> float | None:
        """``None`` where a row was no distribution, or there was none."""
        if not self._are_distributions or not self._rows:
            return None
        # Rounding alone can take a divergence of nothing below it.
        return max(self._total / self._rows, 0.0)


def _filled(rows: NDArray[np.float64], there: NDArray[np.bool_], output_step: float) -> NDArray[np.float64]:
    """Distributions without exact zeros where the reference has none: those share what the others leave of 1.

    That is at least half a step of a quantized output, and ``PROBABILITY_FLOOR`` for each zero.
    """
    zeros = (rows == 0) & there
    count = zeros.sum(axis=1, keepdims=True)
    left = 1.0 - rows.sum(axis=1, keepdims=True)
    share = np.maximum(np.maximum(left, output_step / 2) / np.maximum(count, 1), PROBABILITY_FLOOR)
    filled = np.where(zeros, share, rows)
    return np.asarray(filled / filled.sum(axis=1, keepdims=True))
