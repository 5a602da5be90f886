"""Outputs of a TensorFlow graph: frozen, from a checkpoint or a SavedModel. Imported by the reference worker only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.core.jobs import DType, PixelEncoding
from harness.core.model_io import ModelIO
from harness.errors import ModelError, WorkloadError
from harness.models.frozen_graph import load_frozen
from harness.models.graph_ends import refuse_image_files, takes_image_files, tensor_name
from harness.models.saved_model import is_served
from harness.models.served_model import load_served
from harness.models.source import SourceFormat
from harness.shards.request import BATCH, InputTensor, ReferenceEngine
from harness.wire.encoding import record_layout, to_elements
from harness.workloads.fitting import Rows, Shape, input_shape, match_tensors, score_rows

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


def open_graph(source: str, engine: ReferenceEngine) -> Rows:
    """The graph, in batches where it leaves the batch axis open and takes more than one, else one input at a time.

    Raises:
        ModelError: the graph cannot be loaded, fails, or gives no vector of scores.
        WorkloadError, WireError: the records do not fit.
    """
    model = _open(source, engine)
    order = match_tensors(
        [item.tensor for item in engine.inputs], [tensor.names for tensor in model.inputs], source
    )
    takes = [model.inputs[index] for index in order]
    shapes = [_shape(item, tensor, source) for item, tensor in zip(engine.inputs, takes, strict=True)]
    dtypes = [_dtype(tensor, source) for tensor in takes]

    def run(records: Sequence[Array], start: int, count: int, first: int) -> NDArray[np.float32]:
        fed: list[Any] = [None] * len(order)
        for item, array, index, shape, dtype in zip(
            engine.inputs, records, order, shapes, dtypes, strict=True
        ):
            part = to_elements(array[start : start + count], item.encoding, dtype, None)
            fed[index] = part.reshape(count, *shape[1:])
        output = _run(model, fed, f"the inputs from {first + start} on", source)
        return score_rows(output, count, model.output, source)

    def takes_several() -> bool:
        """Whether two inputs go at once: an axis inside may be fixed to one all the same."""
        if not all(_is_open(tensor.shape) for tensor in takes):
            return False
        nothing = [
            np.zeros((2, *layout[1]), layout[0])
            for layout in (record_layout(item.encoding) for item in engine.inputs)
        ]
        try:
            run(nothing, 0, 2, 0)
        except ModelError:
            return False
        return True

    # Found out with the same records in every process, so that all of them cut the same batches.
    batch = BATCH if takes_several() else 1

    def rows(records: Sequence[Array], first: int) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(records[0]), batch):
            count = min(batch, len(records[0]) - start)
            try:
                yield run(records, start, count, first)
            except ModelError:
                if count == 1:
                    raise
                # One of them may be at fault: it is named where each goes by itself.
                for position in range(start, start + count):
                    yield run(records, position, 1, first)

    return rows


def open_graph_of_files(
    source: str, engine: ReferenceEngine
) -> Callable[[Sequence[memoryview], Sequence[str]], Iterator[NDArray[np.float32]]]:
    """The graph that decodes image files itself; takes their bytes and names, and gives a row for each.

    Raises:
        ModelError: as ``open_graph``, or the graph cannot decode a file.
    """
    frozen = load_frozen(engine.source.format, Path(source), engine.io)
    if not takes_image_files(frozen.view, frozen.ends):
        raise ModelError(
            f"the input {frozen.ends.input!r} does not take image files",
            where=source,
            next_step="Say how photos are prepared: --size, --mean and --scale, or --suite.",
        )
    model = _in_session(frozen.graph, frozen.ends.input, frozen.ends.output, source)

    def rows(files: Sequence[memoryview], names: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        for content, name in zip(files, names, strict=True):
            output = _run(model, [bytes(content)], name, source)
            yield score_rows(output, 1, model.output, source)

    return rows


def _open(source: str, engine: ReferenceEngine) -> _Runnable:
    path = Path(source)
    if engine.source.format is SourceFormat.SAVED_MODEL and is_served(path):
        return _served(path, engine.io)
    frozen = load_frozen(engine.source.format, path, engine.io)
    try:
        refuse_image_files(frozen.view, frozen.ends)
    except ModelError as error:
        raise ModelError(error.problem, where=source, next_step=error.next_step) from None
    return _in_session(frozen.graph, frozen.ends.input, frozen.ends.output, source)


def _in_session(graph_def: Any, given: str, output: str, source: str) -> _Runnable:
    """The graph in a session; TensorFlow takes a value for any tensor, a placeholder or not."""
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto(
        device_count={"GPU": 0}, intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
    )
    # The reference is the graph as it stands: Grappler folds and fuses, and trips over old graphs.
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
        fed, fetched = (graph.get_tensor_by_name(tensor_name(name)) for name in (given, output))
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        raise _cannot("import the graph", error, source) from error
    session = tf.compat.v1.Session(graph=graph, config=config)
    shape = None if fed.shape.rank is None else tuple(fed.shape.as_list())
    tensor = tensor_name(given)
    names = tuple(dict.fromkeys((given, tensor, tensor.removesuffix(":0"))))
    return _Runnable(
        [_Input(names, fed.dtype.base_dtype.name, shape)],
        output,
        lambda values: np.asarray(session.run(fetched, {fed: values[0]})),
    )


def _served(folder: Path, io: ModelIO) -> _Runnable:
    import tensorflow as tf

    model = load_served(folder, io)
    specs: Mapping[str, Any] = model.inputs
    inputs = [
        _Input((name,), spec.dtype.name, None if spec.shape.rank is None else tuple(spec.shape.as_list()))
        for name, spec in specs.items()
    ]

    # A recurrent model keeps its state in variables: it must not see the inputs before.
    as_loaded = [(variable, tf.identity(variable)) for variable in model.assigned]

    def run(values: Sequence[Any]) -> Array:
        for variable, value in as_loaded:
            variable.assign(value)
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


def _shape(item: InputTensor, tensor: _Input, source: str) -> tuple[int, ...]:
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
