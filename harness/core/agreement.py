"""A variant's outputs against the reference's, input by input.

Class scores are float32 ``[inputs, classes]``. Ties go to the class with the lowest index, for the
reference and for the variant alike. An output row with a NaN or an infinity is invalid: it agrees
with nothing, is right about nothing, and stays out of the mean divergence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.divergence import Divergence, Scores, probabilities
from harness.core.events import Quantization
from harness.core.jobs import Count
from harness.core.measurements import Agreement, Disagreement, PairedAccuracy, Proportion
from harness.core.stats import clopper_pearson, mcnemar_exact, paired_drop
from harness.core.workload import OutputKind
from harness.errors import ModelError, WorkloadError

CHUNK_ROWS = 1024

LEAST_CLASSES_FOR_TOP5 = 6


def dequantize(raw: NDArray[np.generic], quantization: Quantization | None) -> Scores:
    """Real values of an output tensor, in its shape.

    ``scale * (q - zero_point)``, the affine scheme of the TFLite quantization specification
    (ai.google.dev/edge/litert/models/quantization_spec); without quantization, the values themselves.
    The difference and the product are exact in float64 and rounded to float32 once.
    """
    if quantization is None:
        return raw.astype(np.float32)
    return ((raw.astype(np.float64) - quantization.zero_point) * quantization.scale).astype(np.float32)


def proportion(successes: int, trials: int, confidence: float = 0.95) -> Proportion:
    """With its exact interval."""
    return Proportion(
        successes=successes, trials=trials, interval=clopper_pearson(successes, trials, confidence)
    )


@dataclass(frozen=True)
class ScoreChunk:
    """Class scores of some inputs: their indices in the workload ``[rows]``, the reference's and the variant's scores
    ``[rows, classes]``."""

    indices: NDArray[np.int64]
    reference: Scores
    outputs: Scores


class OutputTally:
    """Counts chunk by chunk, so that memory grows with the disagreements, not with the inputs' scores."""

    def __init__(
        self,
        names: Sequence[str],
        truths: Sequence[Count | None],
        output_kind: OutputKind,
        output_step: float | None = None,
    ) -> None:
        """``names`` and ``truths`` are of the whole workload; see ``agreement`` for the rest.

        Raises:
            ValueError: they are not equally many.
        """
        if len(truths) != len(names):
            raise ValueError(f"{len(truths)} truths for {len(names)} inputs")
        self._names = names
        self._truths = truths
        self._output_kind = output_kind
        self._output_step = output_step or 0.0
        self._trials = self._same = self._in_first_five = self._invalid = 0
        self._classes = 0
        self._divergence = Divergence()
        self._largest: float | None = None
        self._first_bits: NDArray[np.uint32] | None = None
        self._is_constant = True
        self._broken: list[int] = []
        self._disagreements: list[Disagreement] = []
        self._labelled = self._reference_right = self._variant_right = 0
        self._only_reference = self._only_variant = 0

    def add(self, chunk: ScoreChunk) -> None:
        """Count inputs that were not counted before.

        Raises:
            ValueError: shapes do not fit one another.
            WorkloadError: a truth is no class of the model.
        """
        reference, outputs = chunk.reference, chunk.outputs
        if reference.ndim != 2 or reference.shape != outputs.shape or 0 in reference.shape:
            raise ValueError(
                f"reference {reference.shape} and outputs {outputs.shape} are not two equal tables"
            )
        self._broken += chunk.indices[~np.isfinite(reference).all(axis=1)].tolist()
        self._trials += len(reference)
        self._classes = reference.shape[1]
        bits = np.ascontiguousarray(outputs, dtype=np.float32).view(np.uint32)
        if self._first_bits is None:
            self._first_bits = bits[0].copy()
        # Bits, not values: a row of NaN repeats another row of NaN.
        self._is_constant = self._is_constant and bool((bits == self._first_bits).all())
        valid = np.asarray(np.isfinite(outputs).all(axis=1))
        self._invalid += int((~valid).sum())
        expected, got = reference.argmax(axis=1), outputs.argmax(axis=1)
        same = valid & (expected == got)
        self._same += int(same.sum())
        if self._classes >= LEAST_CLASSES_FOR_TOP5:
            self._in_first_five += int((label_ranks(outputs, expected) < 5)[valid].sum())
        if not self._broken:
            self._divergence.add(reference[valid], outputs[valid], self._output_kind, self._output_step)
            self._largest = _larger(self._largest, reference[valid], outputs[valid])
            self._list_disagreements(chunk, np.flatnonzero(~same))
        self._count_right(chunk.indices, expected, got, valid)

    def _list_disagreements(self, chunk: ScoreChunk, rows: NDArray[np.intp]) -> None:
        for row in rows.tolist():
            index = int(chunk.indices[row])
            expected = int(chunk.reference[row].argmax())
            scores = probabilities(chunk.reference[row : row + 1], self._output_kind)[0]
            got: int | None = None
            variant_score: float | None = None
            if np.isfinite(chunk.outputs[row]).all():
                got = int(chunk.outputs[row].argmax())
                of_variant = probabilities(chunk.outputs[row : row + 1], self._output_kind)[0]
                variant_score = float(of_variant[got])
            self._disagreements.append(
                Disagreement(
                    input_index=index,
                    input_name=self._names[index],
                    reference_class=expected,
                    variant_class=got,
                    reference_score=float(scores[expected]),
                    variant_score=variant_score,
                    margin=None if got is None else float(scores[expected] - scores[got]),
                    truth=self._truths[index],
                )
            )

    def _count_right(
        self,
        indices: NDArray[np.int64],
        expected: NDArray[np.intp],
        got: NDArray[np.intp],
        valid: NDArray[np.bool_],
    ) -> None:
        truths = [self._truths[index] for index in indices.tolist()]
        truth = np.array([-1 if one is None else one for one in truths], dtype=np.int64)
        known = truth >= 0
        if not known.any():
            return
        if int(truth.max()) >= self._classes:
            raise WorkloadError(
                f"truth {int(truth.max())} is not a class of the model, which has {self._classes}, counted from 0",
                where=f"input {int(indices[truth.argmax()])}",
                next_step="Check the labels against the model's classes (an offset of one is common).",
            )
        reference_right = known & (expected == truth)
        variant_right = known & valid & (got == truth)
        self._labelled += int(known.sum())
        self._reference_right += int(reference_right.sum())
        self._variant_right += int(variant_right.sum())
        self._only_reference += int((reference_right & ~variant_right).sum())
        self._only_variant += int((variant_right & ~reference_right).sum())

    def agreement(self, confidence: float = 0.95) -> Agreement:
        """Of all that was added.

        Raises:
            ModelError: the reference itself has an output that is not finite.
        """
        if self._broken:
            raise ModelError(
                f"the reference's output for {len(self._broken)} of {self._trials} inputs is not finite",
                where=self._names[min(self._broken)],
                next_step="Check the preprocessing (mean, scale) and the source model.",
            )
        return Agreement(
            top1=proportion(self._same, self._trials, confidence),
            top5=(
                proportion(self._in_first_five, self._trials, confidence)
                if self._classes >= LEAST_CLASSES_FOR_TOP5
                else None
            ),
            mean_kl_divergence_nats=self._divergence.mean(),
            largest_absolute_difference=self._largest,
            invalid_outputs=self._invalid,
            constant_output=self._trials > 1 and self._is_constant,
            disagreements=tuple(
                sorted(
                    self._disagreements,
                    key=lambda one: (one.margin is not None, -(one.margin or 0.0), one.input_index),
                )
            ),
        )

    def accuracy(self, confidence: float = 0.95) -> PairedAccuracy | None:
        """Top-1 accuracy of both on the inputs whose truth is known; ``None`` where none is."""
        trials = self._labelled
        if not trials:
            return None
        return PairedAccuracy(
            variant=proportion(self._variant_right, trials, confidence),
            reference=proportion(self._reference_right, trials, confidence),
            only_reference_right=self._only_reference,
            only_variant_right=self._only_variant,
            drop=paired_drop(self._only_reference, self._only_variant, trials, confidence),
            mcnemar_p=mcnemar_exact(self._only_reference, self._only_variant),
        )


def agreement(
    reference: Scores,
    outputs: Scores,
    *,
    names: Sequence[str],
    truths: Sequence[Count | None],
    output_kind: OutputKind,
    output_step: float | None = None,
    confidence: float = 0.95,
) -> Agreement:
    """Compare ``outputs`` with ``reference``, both ``[inputs, classes]``.

    ``output_step`` is the scale of a quantized output, which rounds small probabilities to zero: in the divergence
    those share what the row's other classes leave of 1, at least half a step.

    Logits are softmaxed for the scores of disagreements and for the divergence; ranks and the largest
    difference are of the outputs as they are.

    Raises:
        ValueError: shapes, names or truths do not fit one another.
        ModelError: the reference itself has an output that is not finite.
    """
    tally = OutputTally(names, truths, output_kind, output_step)
    for chunk in _chunks(reference, outputs, len(names)):
        tally.add(chunk)
    return tally.agreement(confidence)


def accuracy(
    reference: Scores, outputs: Scores, truths: Sequence[Count | None], confidence: float = 0.95
) -> PairedAccuracy | None:
    """Top-1 accuracy of both on the inputs whose truth is known; ``None`` where none is.

    Raises:
        ValueError: shapes or truths do not fit one another.
        WorkloadError: a truth is no class of the model.
    """
    tally = OutputTally([""] * len(truths), truths, OutputKind.PROBABILITIES)
    for chunk in _chunks(reference, outputs, len(truths)):
        tally.add(chunk)
    return tally.accuracy(confidence)


def _chunks(reference: Scores, outputs: Scores, count: int) -> Iterator[ScoreChunk]:
    if reference.ndim != 2 or reference.shape != outputs.shape or 0 in reference.shape:
        raise ValueError(f"reference {reference.shape} and outputs {outputs.shape} are not two equal tables")
    if len(reference) != count:
        raise ValueError(f"{count} names for {len(reference)} inputs")
    for start in range(0, count, CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        yield ScoreChunk(np.arange(count)[rows], reference[rows], outputs[rows])


def label_ranks(outputs: Scores, classes: NDArray[np.intp]) -> NDArray[np.int64]:
    """The rank (0: first) of one class for each row; of equal scores the lower index comes first."""
    score = np.take_along_axis(outputs, classes[:, None], axis=1)
    before = np.arange(outputs.shape[1]) < classes[:, None]
    return np.asarray(((outputs > score) | ((outputs == score) & before)).sum(axis=1))


def _larger(so_far: float | None, reference: Scores, outputs: Scores) -> float | None:
    if not len(reference):
        return so_far
    # float32 overflows where two large values have opposite signs.
    largest = float(np.abs(reference.astype(np.float64) - outputs).max())
    return largest if so_far is None else max(so_far, largest)
