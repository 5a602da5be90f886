"""Whether records fit a model's inputs, and its outputs a vector of scores for each input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.jobs import CharacterEncoding, Encoding, PixelEncoding
from harness.errors import ModelError, WorkloadError

Shape = tuple[int | None, ...]
"""With the batch axis; None is an axis of any length."""

Rows = Callable[[Sequence[NDArray[Any]], int], Iterator[NDArray[np.float32]]]
"""An open model: takes the records of a shard, an array for each input tensor, and the number of its first input;
gives rows ``[some, classes]`` until all are done. What an input gets must not depend on the shard it is in: neither on
other shards nor, beyond its batch, on other inputs."""


def match_tensors(given: Sequence[str], takes: Sequence[Sequence[str]], source: str) -> list[int]:
    """For each of the workload's tensors the index of the model's input.

    Args:
        given: names from the workload; empty means by position.
        takes: for each input of the model the names it goes by.

    Raises:
        WorkloadError: another number of tensors, or a name the model does not have.
    """
    listed = ", ".join(names[0] for names in takes)
    if len(given) != len(takes):
        raise WorkloadError(
            f"the model takes {len(takes)} input tensors ({listed}), the workload gives {len(given)}",
            where=source,
            next_step="Give the inputs as a .npz with one array for each tensor, named so."
            if len(takes) > 1
            else "Give the inputs as one array.",
        )
    indices: list[int] = []
    for position, name in enumerate(given):
        found = [index for index, names in enumerate(takes) if name in names] if name else [position]
        if not found:
            raise WorkloadError(
                f"the model has no input tensor {name!r}, it has {listed}",
                where=source,
                next_step="Name the tensor (or the array of the .npz) as the model does.",
            )
        indices.append(found[0])
    return indices


def input_shape(encoding: Encoding, takes: Shape, source: str) -> tuple[int, ...]:
    """The shape, batch axis 1 included, in which a record enters a model that takes ``takes``.

    Axes of length 1 may be missing on either side; nothing else is reshaped, so that channels-first
    does not pass for channels-last.

    Raises:
        WorkloadError: the shapes do not fit.
    """
    gives = (1, *encoding.shape) if isinstance(encoding, PixelEncoding) else encoding.shape
    if len(takes) == len(gives) and all(
        axis in (None, length) for axis, length in zip(takes, gives, strict=True)
    ):
        return gives
    fixed = (1, *takes[1:]) if takes[:1] == (None,) else takes
    if None not in fixed and _squeezed(fixed) == _squeezed(gives):
        return tuple(axis for axis in fixed if axis is not None)
    raise WorkloadError(
        f"the model takes {_text(takes)}, the workload gives {_text(encoding.shape)}",
        where=source,
        next_step=_advice(encoding, takes),
    )


def score_rows(output: NDArray[Any], rows: int, name: str, source: str) -> NDArray[np.float32]:
    """``[rows, classes]``, C order, of an output whose further axes have length 1.

    Raises:
        ModelError: another shape, or elements that are no numbers.
    """
    if output.dtype.kind not in "fiub":
        raise ModelError(
            f"the output {name} has elements of type {output.dtype}, not numbers",
            where=source,
            next_step="Export the model with its class scores as the first output.",
        )
    lengths = [axis for axis in output.shape[1:] if axis != 1] if rows > 1 else list(_squeezed(output.shape))
    if len(lengths) > 1 or output.size == 0 or (rows > 1 and output.shape[0] != rows):
        raise ModelError(
            f"the output {name} is {_text(output.shape)}, not one vector of scores for each input",
            where=source,
            next_step="Export the model with its class scores as the first output.",
        )
    return np.ascontiguousarray(output.reshape(rows, -1), dtype=np.float32)


def _squeezed(shape: Shape) -> Shape:
    return tuple(axis for axis in shape if axis != 1)


def _text(shape: Sequence[int | str | None]) -> str:
    return f"[{', '.join('any' if axis is None else str(axis) for axis in shape)}]"


def _advice(encoding: Encoding, takes: Shape) -> str:
    if takes and takes[0] not in (None, 1):
        return "Export the model with batch 1 or a free batch axis."
    if isinstance(encoding, CharacterEncoding):
        return "Set length in the alphabet file to the number of characters that the model takes."
    if not isinstance(encoding, PixelEncoding):
        return f"Give an array {_text(('inputs', *takes[1:]))}."
    channels = encoding.shape[2]
    if len(takes) == 4 and takes[1] in (1, 3) and takes[3] not in (1, 3, None):
        return "The model takes channels first: export it with channels last ([height, width, channels])."
    if len(takes) == 4 and takes[3] in (1, 3) and takes[3] != channels:
        return f'Set channels = "{"gray" if takes[3] == 1 else "rgb"}" in [workload.preprocess].'
    if len(takes) == 4 and takes[3] in (channels, None):
        return f"Set size = {_text(takes[1:3])} in [workload.preprocess]."
    return "The model does not take photos: give its inputs as tensors (.npy)."
