"""A variant's outputs against the reference's, input by input.

Class scores are float32 ``[inputs, classes]``. Ties go to the class with the lowest index, for the
reference and for the variant alike. An output row with a NaN or an infinity is invalid: it agrees
with nothing, is right about nothing, and stays out of the mean divergence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.core.events import Quantization
from harness.core.jobs import Count
from harness.core.measurements import Agreement, Disagreement, PairedAccuracy, Proportion
from harness.core.stats import clopper_pearson, mcnemar_exact, paired_drop
from harness.core.workload import OutputKind
from harness.errors import ModelError, WorkloadError

Scores = NDArray[np.float32]

PROBABILITY_FLOOR = 1e-7
"""A variant's probability of exactly zero counts as at least this much in the divergence, which else is infinite. It
is about the resolution of float32 at 1."""

DISTRIBUTION_TOLERANCE = 1e-2
"""How far from 1 a row of the reference may sum and still be a distribution."""

QUANTIZED_TOLERANCE = 0.5
"""The same for a variant's row, which is normalized then: an 8-bit softmax over many classes rounds each small
probability to zero or to 1/256, so its sum misses 1 although the order of the classes is right."""

_CHUNK_ROWS = 4096


def dequantize(raw: NDArray[np.generic], quantization: Quantization | None) -> Scores:
    """Real values of an output tensor, in its shape.

    ``scale * (q - zero_point)``, the affine scheme of the TFLite quantization specification
    (ai.google.dev/edge/litert/models/quantization_spec); without quantization, the values themselves.
    The difference and the product are exact in float64 and rounded to float32 once.
    """
    if quantization is None:
        return raw.astype(np.float32)
    return ((raw.astype(np.float64) - quantization.zero_point) * quantization.scale).astype(np.float32)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of ``[rows, classes]``; the row's largest logit is subtracted, so none overflows."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def proportion(successes: int, trials: int, confidence: float = 0.95) -> Proportion:
    """With its exact interval."""
    return Proportion(
        successes=successes, trials=trials, interval=clopper_pearson(successes, trials, confidence)
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
    _check(reference, outputs, names)
    count, classes = reference.shape
    if len(truths) != count:
        raise ValueError(f"{len(truths)} truths for {count} inputs")
    bits = np.ascontiguousarray(outputs, dtype=np.float32).view(np.uint32)
    valid = np.isfinite(outputs).all(axis=1)
    expected = reference.argmax(axis=1)
    got = outputs.argmax(axis=1)
    same = valid & (expected == got)
    return Agreement(
        top1=proportion(int(same.sum()), count, confidence),
        top5=(
            proportion(int((_ranks(outputs, expected) < 5)[valid].sum()), count, confidence)
            if classes >= 6
            else None
        ),
        mean_kl_divergence_nats=_mean_divergence(
            reference[valid], outputs[valid], output_kind, output_step or 0.0
        ),
        largest_absolute_difference=_largest_difference(reference[valid], outputs[valid]),
        invalid_outputs=int((~valid).sum()),
        # Bits, not values: a row of NaN repeats another row of NaN.
        constant_output=count > 1 and bool((bits == bits[0]).all()),
        disagreements=_disagreements(reference, outputs, np.flatnonzero(~same), names, truths, output_kind),
    )


def _check(reference: Scores, outputs: Scores, names: Sequence[str]) -> None:
    if reference.ndim != 2 or reference.shape != outputs.shape or 0 in reference.shape:
        raise ValueError(f"reference {reference.shape} and outputs {outputs.shape} are not two equal tables")
    if len(names) != len(reference):
        raise ValueError(f"{len(names)} names for {len(reference)} inputs")
    broken = np.flatnonzero(~np.isfinite(reference).all(axis=1))
    if len(broken):
        raise ModelError(
            f"the reference's output for {len(broken)} of {len(reference)} inputs is not finite",
            where=names[int(broken[0])],
            next_step="Check the preprocessing (mean, scale) and the source model.",
        )


def _ranks(outputs: Scores, classes: NDArray[np.intp]) -> NDArray[np.int64]:
    """The rank (0: first) of one class for each row; of equal scores the lower index comes first."""
    score = np.take_along_axis(outputs, classes[:, None], axis=1)
    before = np.arange(outputs.shape[1]) < classes[:, None]
    return np.asarray(((outputs > score) | ((outputs == score) & before)).sum(axis=1))


def _probabilities(scores: Scores, output_kind: OutputKind) -> NDArray[np.float64]:
    return softmax(scores) if output_kind is OutputKind.LOGITS else scores.astype(np.float64)


def _are_distributions(rows: NDArray[np.float64], tolerance: float) -> bool:
    return bool((rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) <= tolerance).all())


def _mean_divergence(
    reference: Scores, outputs: Scores, output_kind: OutputKind, output_step: float
) -> float | None:
    """KL(reference || variant) in nats: the mean over rows of ``sum r ln(r / v)``, 0 where ``r`` is 0."""
    if not len(reference):
        return None
    total = 0.0
    for start in range(0, len(reference), _CHUNK_ROWS):
        chunk = slice(start, start + _CHUNK_ROWS)
        expected = _probabilities(reference[chunk], output_kind)
        got = _probabilities(outputs[chunk], output_kind)
        if not (
            _are_distributions(expected, DISTRIBUTION_TOLERANCE)
            and _are_distributions(got, QUANTIZED_TOLERANCE)
        ):
            return None
        expected = expected / expected.sum(axis=1, keepdims=True)
        there = expected > 0
        got = _filled(got, there, output_step)
        total += float((expected[there] * np.log(expected[there] / got[there])).sum())
    # Rounding alone can take a divergence of nothing below it.
    return max(total / len(reference), 0.0)


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


def _largest_difference(reference: Scores, outputs: Scores) -> float | None:
    if not len(reference):
        return None
    largest = 0.0
    for start in range(0, len(reference), _CHUNK_ROWS):
        chunk = slice(start, start + _CHUNK_ROWS)
        # float32 overflows where two large values have opposite signs.
        difference = reference[chunk].astype(np.float64) - outputs[chunk]
        largest = max(largest, float(np.abs(difference).max()))
    return largest


def _disagreements(
    reference: Scores,
    outputs: Scores,
    rows: NDArray[np.intp],
    names: Sequence[str],
    truths: Sequence[Count | None],
    output_kind: OutputKind,
) -> tuple[Disagreement, ...]:
    found: list[Disagreement] = []
    for row in rows.tolist():
        expected = int(reference[row].argmax())
        scores = _probabilities(reference[row : row + 1], output_kind)[0]
        got: int | None = None
        variant_score: float | None = None
        if np.isfinite(outputs[row]).all():
            got = int(outputs[row].argmax())
            variant_score = float(_probabilities(outputs[row : row + 1], output_kind)[0][got])
        found.append(
            Disagreement(
                input_index=row,
                input_name=names[row],
                reference_class=expected,
                variant_class=got,
                reference_score=float(scores[expected]),
                variant_score=variant_score,
                margin=None if got is None else float(scores[expected] - scores[got]),
                truth=truths[row],
            )
        )
    return tuple(sorted(found, key=lambda d: (d.margin is not None, -(d.margin or 0.0), d.input_index)))


def accuracy(
    reference: Scores, outputs: Scores, truths: Sequence[Count | None], confidence: float = 0.95
) -> PairedAccuracy | None:
    """Top-1 accuracy of both on the inputs whose truth is known; ``None`` where none is.

    Raises:
        ValueError: shapes or truths do not fit one another.
        WorkloadError: a truth is no class of the model.
    """
    if reference.ndim != 2 or reference.shape != outputs.shape or len(truths) != len(reference):
        raise ValueError(f"reference {reference.shape}, outputs {outputs.shape}, {len(truths)} truths")
    known = np.array([index for index, truth in enumerate(truths) if truth is not None], dtype=np.intp)
    if not len(known):
        return None
    truth = np.array([value for value in truths if value is not None], dtype=np.int64)
    classes = reference.shape[1]
    if int(truth.max()) >= classes:
        raise WorkloadError(
            f"truth {int(truth.max())} is not a class of the model, which has {classes}, counted from 0",
            where=f"input {int(known[truth.argmax()])}",
            next_step="Check the labels against the model's classes (an offset of one is common).",
        )
    valid = np.isfinite(outputs[known]).all(axis=1)
    reference_right = reference[known].argmax(axis=1) == truth
    variant_right = valid & (outputs[known].argmax(axis=1) == truth)
    only_reference = int((reference_right & ~variant_right).sum())
    only_variant = int((variant_right & ~reference_right).sum())
    trials = len(known)
    return PairedAccuracy(
        variant=proportion(int(variant_right.sum()), trials, confidence),
        reference=proportion(int(reference_right.sum()), trials, confidence),
        only_reference_right=only_reference,
        only_variant_right=only_variant,
        drop=paired_drop(only_reference, only_variant, trials, confidence),
        mcnemar_p=mcnemar_exact(only_reference, only_variant),
    )
