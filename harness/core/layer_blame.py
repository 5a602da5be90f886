"""Which operation of a variant departs from the float model, told from the ones that only pass an error on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from harness.core.value import Value

RelativeError = Annotated[float, Field(ge=0)]


class OperationError(Value):
    """One operation's output in the variant against the same tensor in the float model.

    ``error`` is the root mean square of the difference over the root mean square of the float model's values, over all
    elements of all inputs that were compared; absent where the variant's values are not finite or of another shape.
    ``input_error`` is the largest such error among the tensors it reads, constants apart; absent where one of those is.
    """

    index: int
    op: str
    tensor: str
    error: RelativeError | None
    input_error: RelativeError | None
    shape: tuple[int, ...]


class BlamedOperation(Value):
    """An operation by how much error it adds. ``blamed``: it fails the tolerance while all that it reads meets it."""

    operation: OperationError
    added: RelativeError | None
    """The part of ``error`` that its inputs do not explain, sqrt(max(0, error² − input_error²)); absent as that is."""
    blamed: bool


def rank(operations: Sequence[OperationError], *, tolerance: float) -> tuple[BlamedOperation, ...]:
    """Those that are blamed first, then by the error that each adds, the largest first.

    Errors of different sources are taken to be independent, so that their squares add up; where that is wrong,
    ``added`` is only a guide, and ``blamed`` does not rest on it.
    """
    ranked = []
    for one in operations:
        if one.error is None:
            added: float | None = None
            blamed = one.input_error is not None and one.input_error <= tolerance
        else:
            reads = one.input_error if one.input_error is not None else math.inf
            added = math.sqrt(max(0.0, one.error**2 - reads**2)) if math.isfinite(reads) else 0.0
            blamed = one.error > tolerance >= reads
        ranked.append(BlamedOperation(operation=one, added=added, blamed=blamed))
    return tuple(
        sorted(
            ranked,
            key=lambda one: (
                not one.blamed,
                -(math.inf if one.added is None else one.added),
                one.operation.index,
            ),
        )
    )
