"""Agreement and accuracy on two sides, compared original by original."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.core.changes import Change, ComparedFigure, Conclusion, Criterion, Method
from harness.core.measurements import Disagreement, Interval, Measurement
from harness.core.stats import mcnemar_exact, paired_drop
from harness.core.workload import Workload


def agreement_change(
    a: Measurement, b: Measurement, workload: Workload, level: float, criterion: Criterion
) -> Change | None:
    """Of the inputs that both sides ran; valid only if both have the same inputs and reference. ``None``: there are
    none."""
    wrong_a, wrong_b = _wrong(a), _wrong(b)
    inputs = common_inputs(a, b, workload)
    right_a = np.array([index not in wrong_a for index in inputs], np.bool_)
    right_b = np.array([index not in wrong_b for index in inputs], np.bool_)
    return _paired(ComparedFigure.TOP1_AGREEMENT, inputs, right_a, right_b, workload, level, criterion)


def accuracy_change(
    a: Measurement, b: Measurement, workload: Workload, level: float, criterion: Criterion
) -> Change | None:
    """The same of the labelled inputs. Inputs on which both agree with the reference are right or wrong together, so
    they count for both as right: only the accuracies themselves come from the measurements."""
    if a.accuracy is None or b.accuracy is None:
        return None
    wrong_a, wrong_b = _wrong(a), _wrong(b)
    inputs = [index for index in common_inputs(a, b, workload) if workload.inputs[index].truth is not None]

    def right(own: dict[int, Disagreement], other: dict[int, Disagreement]) -> NDArray[np.bool_]:
        found = np.ones(len(inputs), np.bool_)
        for place, index in enumerate(inputs):
            if index in own:
                found[place] = own[index].variant_class == workload.inputs[index].truth
            elif index in other:
                found[place] = other[index].reference_class == workload.inputs[index].truth
        return found

    change = _paired(
        ComparedFigure.ACCURACY,
        inputs,
        right(wrong_a, wrong_b),
        right(wrong_b, wrong_a),
        workload,
        level,
        criterion,
    )
    if change is None:
        return None
    return change.model_copy(update={"a": a.accuracy.variant.value, "b": b.accuracy.variant.value})


def common_inputs(a: Measurement, b: Measurement, workload: Workload) -> list[int]:
    """Indices of the inputs that both ran, in the order of the workload."""
    everything = range(len(workload.inputs))
    ran = set(everything if a.inputs_run is None else a.inputs_run)
    return [index for index in (everything if b.inputs_run is None else b.inputs_run) if index in ran]


def _wrong(measured: Measurement) -> dict[int, Disagreement]:
    return {one.input_index: one for one in measured.agreement.disagreements}


def _paired(
    figure: ComparedFigure,
    inputs: Sequence[int],
    right_a: NDArray[np.bool_],
    right_b: NDArray[np.bool_],
    workload: Workload,
    level: float,
    criterion: Criterion,
) -> Change | None:
    """McNemar's exact test with originals for pairs: one counts for the side on which more of its inputs are right."""
    if not len(inputs):
        return None
    gained = right_b.astype(np.float64) - right_a
    codes: dict[str, int] = {}
    group = np.array([codes.setdefault(workload.inputs[index].group, len(codes)) for index in inputs])
    sums = np.bincount(group, weights=gained)
    means = sums / np.bincount(group)
    only_a, only_b = int((sums < 0).sum()), int((sums > 0).sum())
    p_value = mcnemar_exact(only_a, only_b)
    difference = float(gained.mean())
    interval = _interval(means, only_a, only_b, level, is_single=len(means) == len(inputs))
    conclusion = Conclusion.NO_DIFFERENCE_SHOWN
    if not gained.any():
        conclusion = Conclusion.SAME
    elif p_value <= level and abs(difference) > criterion.effect_points:
        conclusion = Conclusion.HIGHER if difference > 0 else Conclusion.LOWER
    elif max(-interval.low, interval.high) <= criterion.effect_points:
        conclusion = Conclusion.EQUIVALENT
    return Change(
        figure=figure,
        a=float(right_a.mean()),
        b=float(right_b.mean()),
        difference=difference,
        interval=interval,
        p_value=p_value,
        method=Method.MCNEMAR,
        conclusion=conclusion,
    )


def _interval(
    means: NDArray[np.float64], only_a: int, only_b: int, level: float, *, is_single: bool
) -> Interval:
    """Tango's where each original is one input; else of the originals' mean differences, as clustered pairs.

    Obuchowski, "On the comparison of correlated proportions for clustered data", Statistics in Medicine 17 (1998)
    1495-1507.
    """
    count = len(means)
    spread = float(means.std(ddof=1)) if count > 1 else 0.0
    if is_single or spread == 0:
        drop = paired_drop(only_a, only_b, count, 1 - level)
        return Interval(low=-drop.interval.high, high=-drop.interval.low)
    from scipy.special import stdtrit

    half = float(stdtrit(count - 1, 1 - level / 2)) * spread / math.sqrt(count)
    middle = float(means.mean())
    return Interval(low=max(-1.0, middle - half), high=min(1.0, middle + half))
