from __future__ import annotations

import pytest

from harness.core.events import TensorInfo
from harness.core.jobs import DType
from harness.core.model_io import same_tensor
from harness.errors import RunError
from harness.pipeline.stored_scores import output_index


def tensors(*names: str) -> list[TensorInfo]:
    return [TensorInfo(name=name, dtype=DType.FLOAT32, shape=(1, 2)) for name in names]


@pytest.mark.parametrize(
    ("names", "name", "index"),
    [
        (("a", "b"), "b", 1),
        (("b", "a"), "b", 0),
        (("a", "b:0"), "b", 1),
        (("a", "b"), "b:0", 1),
        (("a", "b"), "", 0),
        (("StatefulPartitionedCall:0",), "scores", 0),
    ],
)
def test_the_output_is_chosen_by_name(names: tuple[str, ...], name: str, index: int) -> None:
    assert output_index(tensors(*names), name, where="run") == index


def test_a_name_that_no_output_has() -> None:
    with pytest.raises(RunError, match="no output 'c', they have a, b") as caught:
        output_index(tensors("a", "b"), "c", where="run")
    assert "model.output" in caught.value.next_step


def test_names_of_one_tensor() -> None:
    assert same_tensor("x", "x:0")
    assert not same_tensor("x", "x:1")
