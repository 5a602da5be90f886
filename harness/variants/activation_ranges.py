"""Least and greatest value of every activation of a model over the calibration inputs, shard by shard.

Least and greatest values merge exactly, in any grouping: the quantized model has the same bytes however the inputs
were cut.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from harness.core.events import TensorInfo
from harness.core.jobs import Blob, DType, TensorEncoding
from harness.core.value import Value
from harness.core.variants import Form
from harness.errors import BuildError
from harness.models.source import SourceFormat
from harness.shards.pool import Shard, ShardPool, pool_for
from harness.shards.request import BATCH, RangesEngine, ShardRequest, SourceFile, SourceFiles
from harness.variants.calibration import CalibrationData
from harness.variants.recipes import no_calibration
from harness.wire.blobs import BlobStore

Ranges = Mapping[str, Mapping[str, NDArray[Any]]]
"""By tensor the ``min`` and ``max`` that litert-quantizer saw; none of either for a tensor without values."""

_SIDES: Final = ("min", "max")


class _TensorRange(Value):
    """``shape`` is that of ``min`` and of ``max``, which follow the header one behind the other."""

    tensor: str
    dtype: Annotated[str, Field(pattern=r"^[<|][fiub][1248]$")]
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(max_length=8)] | None
    """None where there are no values."""


class _Header(Value):
    ranges: tuple[_TensorRange, ...]


def calibrate(
    base: Blob,
    form: Form,
    tensor: TensorInfo,
    calibration: CalibrationData,
    store: BlobStore,
    pool: ShardPool | None,
    given_up: threading.Event | None = None,
) -> Ranges:
    """The ranges of the float32 .tflite ``base`` in ``store``, whose one input is ``tensor``, for a recipe.

    Samples are read when they are sent. Once ``given_up`` is set, nothing more is computed.

    Raises:
        BuildError: the samples do not fit the model, or litert-quantizer refused it.
        ModelError, WireError: the engine crashed, or ``store`` lacks the model.
        HarnessError: it was given up.
    """
    dtype = fitting_dtype(calibration.open(), tensor)
    engine = RangesEngine(
        source=SourceFiles(
            format=SourceFormat.TFLITE,
            files=(SourceFile(name="model.tflite", content=base),),
            entry="model.tflite",
        ),
        sample=TensorEncoding(dtype=DType(dtype.name), shape=(1, *calibration.open().shape[1:])),
        form=form,
    )
    found: Ranges = {}
    count = calibration.count
    shards = _shards(engine, calibration, dtype)
    with closing(pool_for(count, pool).run(store, shards, given_up)) as answers:
        for answer in answers:
            found = merge(found, from_bytes(answer))
    return found


def fitting_dtype(samples: NDArray[Any], tensor: TensorInfo) -> np.dtype[Any]:
    """The type in which ``samples`` enter ``tensor``.

    Raises:
        BuildError: they do not fit it in type or shape, or there are none.
    """
    if len(samples) < 1:
        raise no_calibration()
    wanted = np.dtype(tensor.dtype.value)
    expected = tuple(tensor.shape[1:])
    fits = len(expected) == samples.ndim - 1 and all(
        extent in (-1, given) for extent, given in zip(expected, samples.shape[1:], strict=True)
    )
    # Characters' numbers, which such a tensor holds as exactly (docs/wire-format.md, "Encodings").
    are_characters = samples.dtype == np.int32 and tensor.dtype in (DType.INT64, DType.FLOAT32)
    if not fits or not (samples.dtype == wanted or are_characters):
        raise BuildError(
            f"calibration inputs are {samples.dtype} {list(samples.shape[1:])}, and the model's input "
            f"{tensor.name} is {tensor.dtype.value} {list(expected)}",
            next_step="Check the size in workload.preprocess, or the file that workload.calibration names.",
        )
    return wanted


def merge(one: Ranges, other: Ranges) -> Ranges:
    """The ranges over the inputs of both, as litert-quantizer itself merges those of two inputs.

    Raises:
        BuildError: a tensor's ranges are of different shapes.
    """
    merged = dict(one)
    for tensor, sides in other.items():
        known = merged.get(tensor, {})
        if not known or not sides:
            merged[tensor] = known or sides
            continue
        if known["min"].shape != sides["min"].shape:
            raise BuildError(
                f"the ranges of the activation {tensor} are {list(known['min'].shape)} for some inputs and "
                f"{list(sides['min'].shape)} for others",
                next_step="Leave out this recipe; float16 and dynamic-int8 need no calibration.",
            )
        merged[tensor] = {
            "min": np.minimum(known["min"], sides["min"]),
            "max": np.maximum(known["max"], sides["max"]),
        }
    return merged


def to_bytes(ranges: Ranges) -> bytes:
    """A JSON object on a line, and behind it the values that it lists.

    Raises:
        ValueError: a tensor has no least and greatest value of one shape.
    """
    header = []
    values: list[bytes] = []
    for tensor, sides in ranges.items():
        if not sides:
            header.append(_TensorRange(tensor=tensor, dtype="<f4", shape=None))
            continue
        # What else the library notes of a tensor that only one input gave a value, it drops with the second.
        if not sides.keys() >= set(_SIDES) or sides["min"].shape != sides["max"].shape:
            raise ValueError(f"{tensor} has {', '.join(sides)}")
        dtype = sides["min"].dtype.newbyteorder("<")
        header.append(_TensorRange(tensor=tensor, dtype=dtype.str, shape=sides["min"].shape))
        values.extend(np.ascontiguousarray(sides[side], dtype).tobytes() for side in _SIDES)
    return b"\n".join((_Header(ranges=tuple(header)).model_dump_json().encode(), b"".join(values)))


def from_bytes(data: bytes) -> Ranges:
    """What ``to_bytes`` wrote.

    Raises:
        BuildError: it is not that.
    """
    line, _, values = data.partition(b"\n")
    try:
        header = _Header.model_validate_json(line)
        ranges: dict[str, dict[str, NDArray[Any]]] = {}
        start = 0
        for item in header.ranges:
            sides = ranges.setdefault(item.tensor, {})
            if item.shape is None:
                continue
            dtype = np.dtype(item.dtype)
            elements = int(np.prod(item.shape, dtype=np.int64))
            for side in _SIDES:
                sides[side] = np.frombuffer(values, dtype, elements, start).reshape(item.shape).copy()
                start += sides[side].nbytes
        if start != len(values) or len(ranges) != len(header.ranges):
            raise ValueError(f"{len(values)} bytes instead of {start}")
    except (ValidationError, ValueError) as error:
        raise BuildError(
            f"the answer about the activations is damaged: {str(error).splitlines()[0]}",
            next_step="Run the command again.",
        ) from None
    return ranges


def _shards(engine: RangesEngine, calibration: CalibrationData, dtype: np.dtype[Any]) -> Iterator[Shard]:
    for first in range(0, calibration.count, BATCH):
        request = ShardRequest(engine=engine, first=first, count=min(BATCH, calibration.count - first))
        yield Shard(request, partial(_samples, calibration, first, request.count, dtype))


def _samples(
    calibration: CalibrationData, first: int, count: int, dtype: np.dtype[Any]
) -> Sequence[memoryview]:
    samples = calibration.part(first, count).astype(dtype.newbyteorder("<"), order="C", copy=False)
    return [samples.data.cast("B")]
