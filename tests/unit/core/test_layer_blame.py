"""Who is blamed for an error, and who only passes it on."""

from __future__ import annotations

import pytest

from harness.core.layer_blame import OperationError, rank


def operation(index: int, error: float | None, input_error: float | None) -> OperationError:
    return OperationError(
        index=index, op="CONV_2D", tensor=f"t{index}", error=error, input_error=input_error, shape=(1,)
    )


def test_the_one_whose_inputs_agree_is_blamed_and_those_behind_it_are_not() -> None:
    ranked = rank([operation(0, 0.01, 0.0), operation(1, 0.5, 0.01), operation(2, 0.6, 0.5)], tolerance=0.1)
    assert [(one.operation.index, one.blamed) for one in ranked] == [(1, True), (2, False), (0, False)]
    assert ranked[0].added == pytest.approx(0.4999, abs=1e-4)
    assert ranked[1].added == pytest.approx(0.3317, abs=1e-4)


def test_an_error_that_an_operation_lessens_is_not_its_own() -> None:
    (one,) = rank([operation(0, 0.2, 0.3)], tolerance=0.1)
    assert (one.added, one.blamed) == (0.0, False)


def test_values_that_are_not_finite_are_blamed_where_they_begin() -> None:
    ranked = rank(
        [operation(0, 0.01, 0.0), operation(1, None, 0.01), operation(2, None, None)], tolerance=0.1
    )
    assert [(one.operation.index, one.added, one.blamed) for one in ranked] == [
        (1, None, True),
        (2, None, False),
        (0, pytest.approx(0.01), False),
    ]


def test_meeting_the_tolerance_is_enough() -> None:
    (one,) = rank([operation(0, 0.1, 0.0)], tolerance=0.1)
    assert not one.blamed
