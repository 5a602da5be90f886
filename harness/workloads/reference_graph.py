"""Outputs of a TensorFlow graph: frozen, from a checkpoint or a SavedModel. Imported by the reference worker only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.core.jobs import DType, PixelEncoding
from harness.errors import ModelError, WorkloadError
from harness.models.frozen_graph import load_frozen
from harness.models.graph_ends import refuse_image_files, takes_image_files, tensor_name
from harness.models.saved_model import is_served
from harness.models.served_model import load_served
from harness.models.source import SourceFormat
from harness.wire.encoding import to_elements
from harness.workloads.fitting import Shape, input_shape, match_tensors, score_rows
from harness.workloads.reference import ReferenceRequest, RequestInput

BATCH: Final = 32

_CHECK: Final = "Check model.input and model.output, and that the graph runs in TensorFlow itself."

Array: TypeAlias = NDArray[Any]


class _Input(NamedTuple):
    """``shape`` is ``None`` where not even the number of axes is known."""

    names: tuple[str, ...]
    dtype: str
    shape: Shape | None


class _Runnable(NamedTuple):
    """``run`` takes the inputs in order and gives the output called ``output``."""

    inputs: Sequence[_Input]
    output: str
    run: Callable[[Sequence[Any]], Array]


def graph_outputs(request: ReferenceRequest, records: list[Array]) -> Iterator[NDArray[np.float32]]:
    """Rows ``[batch, classes]`` until all ``records`` (one array for each input tensor) are done.

    Inputs go in batches where the graph leaves the batch axis open and gives one row for each, else one at a time.

    Raises:
        ModelError: the graph cannot be loaded, fails, or gives no vector of scores.
        WorkloadError, WireError: the records do not fit.
    """
    model = _open(request)
    order = match_tensors(
        [item.tensor for item in request.inputs], [tensor.names for tensor in model.inputs], request.source
    )
    takes = [model.inputs[index] for index in order]
    shapes = [
        _shape(item, tensor, request.source) for item, tensor in zip(request.inputs, takes, strict=True)
    ]
    dtypes = [_dtype(tensor, request.source) for tensor in takes]

    def rows(start: int, count: int) -> NDArray[np.float32]:
        fed: list[Any] = [None] * len(order)
        for item, array, index, shape, dtype in zip(
            request.inputs, records, order, shapes, dtypes, strict=True
        ):
            part = np.ascontiguousarray(array[start : start + count])
            fed[index] = to_elements(part, item.encoding, dtype, None).reshape(count, *shape[1:])
        output = _run(model, fed, f"the inputs from {start} on", request.source)
        return score_rows(output, count, model.output, request.source)

    batch = BATCH if all(_is_open(tensor.shape) for tensor in takes) else 1
    start = 0
    while start < request.input_count:
        count = min(batch, request.input_count - start)
        try:
            found = rows(start, count)
        except ModelError:
            if count == 1:
                raise
            # An axis inside may be fixed to one input all the same.
            batch = 1
            continue
        yield found
        start += count


def file_outputs(request: ReferenceRequest) -> Iterator[NDArray[np.float32]]:
    """A row ``[1, classes]`` for each of ``request.files``, whose bytes the graph itself decodes.

    Raises:
        ModelError: as ``graph_outputs``, or the graph cannot decode a file.
    """
    source = load_frozen(request.source_format, Path(request.source), request.io)
    if not takes_image_files(source.view, source.ends):
        raise ModelError(
            f"the input {source.ends.input!r} does not take image files",
            where=request.source,
            next_step="Say how photos are prepared: --size, --mean and --scale, or --suite.",
        )
    model = _in_session(source.graph, source.ends.input, source.ends.output, request)
    for file in request.files:
        output = _run(model, [Path(file).read_bytes()], Path(file).name, request.source)
        yield score_rows(output, 1, model.output, request.source)


def _open(request: ReferenceRequest) -> _Runnable:
    path = Path(request.source)
    if request.source_format is SourceFormat.SAVED_MODEL and is_served(path):
        return _served(request)
    source = load_frozen(request.source_format, path, request.io)
    try:
        refuse_image_files(source.view, source.ends)
    except ModelError as error:
        raise ModelError(error.problem, where=request.source, next_step=error.next_step) from None
    return _in_session(source.graph, source.ends.input, source.ends.output, request)


def _in_session(graph_def: Any, given: str, output: str, request: ReferenceRequest) -> _Runnable:
    """The graph in a session; TensorFlow takes a value for any tensor, a placeholder or not."""
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0}, intra_op_parallelism_threads=request.threads)
    # The reference is the graph as it stands: Grappler folds and fuses, and trips over old graphs.
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
        fed, fetched = (graph.get_tensor_by_name(tensor_name(name)) for name in (given, output))
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        raise _cannot("import the graph", error, request.source) from error
    session = tf.compat.v1.Session(graph=graph, config=config)
    shape = None if fed.shape.rank is None else tuple(fed.shape.as_list())
    tensor = tensor_name(given)
    names = tuple(dict.fromkeys((given, tensor, tensor.removesuffix(":0"))))
    return _Runnable(
        [_Input(names, fed.dtype.base_dtype.name, shape)],
        output,
        lambda values: np.asarray(session.run(fetched, {fed: values[0]})),
    )


def _served(request: ReferenceRequest) -> _Runnable:
    import tensorflow as tf

    model = load_served(Path(request.source), request.io)
    specs: Mapping[str, Any] = model.inputs
    inputs = [
        _Input((name,), spec.dtype.name, None if spec.shape.rank is None else tuple(spec.shape.as_list()))
        for name, spec in specs.items()
    ]

    def run(values: Sequence[Any]) -> Array:
        tensors = {name: tf.constant(value) for name, value in zip(specs, values, strict=True)}
        return np.asarray(model.function(**tensors)[model.output])

    return _Runnable(inputs, model.output, run)


def _run(model: _Runnable, values: Sequence[Any], what: str, source: str) -> Array:
    try:
        return model.run(values)
    # TensorFlow's OpError, and ValueError or TypeError where a value does not fit.
    except Exception as error:
        raise _cannot(f"run the graph on {what}", error, source) from error


def _cannot(doing: str, error: Exception, source: str) -> ModelError:
    text = " ".join(str(getattr(error, "message", None) or error).split())
    return ModelError(f"TensorFlow cannot {doing}: {text[:400]}", where=source, next_step=_CHECK)


def _is_open(shape: Shape | None) -> bool:
    return shape is not None and shape[:1] == (None,)


def _shape(item: RequestInput, tensor: _Input, source: str) -> tuple[int, ...]:
    if tensor.shape is not None:
        return input_shape(item.encoding, tensor.shape, source)
    encoding = item.encoding
    return (1, *encoding.shape) if isinstance(encoding, PixelEncoding) else encoding.shape


def _dtype(tensor: _Input, source: str) -> DType:
    try:
        return DType(tensor.dtype)
    except ValueError as error:
        raise WorkloadError(
            f"the input {tensor.names[0]} takes {tensor.dtype} elements, which cannot be sent to a model",
            where=source,
            next_step=f"Name an input of type {', '.join(dtype.value for dtype in DType)}.",
        ) from error
