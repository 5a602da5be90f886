from __future__ import annotations

import numpy as np
import pytest

from harness.core.jobs import DType, PixelEncoding, TensorEncoding
from harness.errors import ModelError, WorkloadError
from harness.workloads.fitting import Shape, input_shape, match_tensors, score_rows


def pixels(height: int, width: int, channels: int = 3) -> PixelEncoding:
    return PixelEncoding(shape=(height, width, channels), mean=(0.0,) * channels, scale=(1.0,) * channels)


def tensor(*shape: int) -> TensorEncoding:
    return TensorEncoding(dtype=DType.FLOAT32, shape=shape)


@pytest.mark.parametrize(
    ("encoding", "takes", "expected"),
    [
        (pixels(8, 9), (1, 8, 9, 3), (1, 8, 9, 3)),
        (pixels(8, 9), (None, 8, 9, 3), (1, 8, 9, 3)),
        (pixels(8, 9), (None, None, None, 3), (1, 8, 9, 3)),
        (pixels(28, 28, 1), (None, 28, 28), (1, 28, 28)),
        (pixels(28, 28, 1), (1, 1, 28, 28), (1, 1, 28, 28)),
        (pixels(8, 9), (8, 9, 3), (8, 9, 3)),
        (tensor(1, 12), (None, 12), (1, 12)),
        (tensor(1, 12), (None, 12, 1), (1, 12, 1)),
        (tensor(1), (None, 1), (1, 1)),
        (tensor(1), (1,), (1,)),
        (tensor(1, 12), (None, None), (1, 12)),
    ],
)
def test_shapes_that_fit(
    encoding: PixelEncoding | TensorEncoding, takes: Shape, expected: tuple[int, ...]
) -> None:
    assert input_shape(encoding, takes, "model") == expected


@pytest.mark.parametrize(
    ("encoding", "takes", "problem", "advice"),
    [
        (pixels(9, 9), (1, 6, 6, 3), "takes [1, 6, 6, 3], the workload gives [9, 9, 3]", "size = [6, 6]"),
        (pixels(96, 64), (None, 64, 96, 3), "takes [any, 64, 96, 3]", "size = [64, 96]"),
        (pixels(224, 224), (1, 3, 224, 224), "takes [1, 3, 224, 224]", "channels last"),
        (pixels(28, 28), (None, 28, 28, 1), "takes [any, 28, 28, 1]", 'channels = "gray"'),
        (pixels(28, 28, 1), (None, 28, 28, 3), "takes [any, 28, 28, 3]", 'channels = "rgb"'),
        (pixels(28, 28), (8, 28, 28, 3), "takes [8, 28, 28, 3]", "batch 1"),
        (pixels(28, 28), (None, 10), "takes [any, 10]", "as tensors"),
        (tensor(1, 12), (None, 10), "takes [any, 10], the workload gives [1, 12]", "array [inputs, 10]"),
        (tensor(1, 2, 6), (None, 6, 2), "takes [any, 6, 2]", "array [inputs, 6, 2]"),
        (tensor(1, 12), (None, 12, None), "takes [any, 12, any]", "array"),
        (tensor(1, 12), (), "takes []", "array"),
    ],
)
def test_shapes_that_do_not_fit(
    encoding: PixelEncoding | TensorEncoding, takes: Shape, problem: str, advice: str
) -> None:
    with pytest.raises(WorkloadError) as caught:
        input_shape(encoding, takes, "model")
    assert problem in caught.value.problem
    assert advice in caught.value.next_step


def test_tensors_by_position_and_by_either_name() -> None:
    takes = [["zulu", "serving_default_zulu:0"], ["alpha", "serving_default_alpha:0"]]
    assert match_tensors([""], [["x"]], "model") == [0]
    assert match_tensors(["alpha", "zulu"], takes, "model") == [1, 0]
    assert match_tensors(["serving_default_zulu:0", "alpha"], takes, "model") == [0, 1]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([""], r"takes 2 input tensors \(zulu, alpha\), the workload gives 1"),
        (["zulu", "beta"], "no input tensor 'beta', it has zulu, alpha"),
        (["zulu", "alpha", "beta"], "the workload gives 3"),
    ],
)
def test_tensors_that_do_not_match(given: list[str], problem: str) -> None:
    with pytest.raises(WorkloadError, match=problem):
        match_tensors(given, [["zulu"], ["alpha"]], "model")


@pytest.mark.parametrize(
    ("shape", "rows", "expected"),
    [
        ((2, 5), 2, (2, 5)),
        ((2, 1, 1, 5), 2, (2, 5)),
        ((2, 5, 1), 2, (2, 5)),
        ((2,), 2, (2, 1)),
        ((1, 5), 1, (1, 5)),
        ((5,), 1, (1, 5)),
        ((1, 1), 1, (1, 1)),
        ((), 1, (1, 1)),
        ((2, 1), 2, (2, 1)),
    ],
)
def test_outputs_that_are_scores(shape: tuple[int, ...], rows: int, expected: tuple[int, int]) -> None:
    output = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    scores = score_rows(output, rows, "scores", "model")
    assert scores.shape == expected
    assert scores.dtype == np.float32
    assert scores.ravel().tolist() == output.ravel().tolist()


@pytest.mark.parametrize(
    ("shape", "rows"), [((1, 10, 4), 1), ((2, 10, 4), 2), ((3, 4), 2), ((2, 0), 2), ((10, 4), 1)]
)
def test_outputs_that_are_not_scores(shape: tuple[int, ...], rows: int) -> None:
    with pytest.raises(ModelError, match=r"the output boxes is .* not one vector of scores"):
        score_rows(np.zeros(shape, np.float32), rows, "boxes", "model")


def test_outputs_that_are_no_numbers() -> None:
    with pytest.raises(ModelError, match="not numbers"):
        score_rows(np.array([[b"cat"]]), 1, "label", "model")
