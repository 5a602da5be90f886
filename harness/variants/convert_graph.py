"""A TensorFlow graph to float32 .tflite. Runs only in the worker process."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from harness.core.model_io import ModelIO
from harness.core.variants import Recipe
from harness.errors import BuildError
from harness.models.frozen_graph import FrozenGraph, load_frozen
from harness.models.graph_ends import refuse_image_files
from harness.models.saved_model import is_served
from harness.models.served_model import load_served
from harness.models.source import SourceFormat
from harness.transforms.fold_batch_norms import fold_batch_norms
from harness.transforms.graph import GraphDef, GraphView, parse_ref
from harness.transforms.graphdef_file import write_graphdef
from harness.transforms.memory_map import restore_memory_mapped, write_memory_mapped
from harness.transforms.strip import strip

_NO_BUILTIN: Final = re.compile(r"(?:TF Select|Flex|Custom) ops: ([\w, .>]+)")
_LEGALIZED: Final = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")


def graph_to_float32(
    source_format: SourceFormat, path: Path, io: ModelIO, input_shape: Sequence[int] | None
) -> bytes:
    """The graph, SavedModel or checkpoint as a float32 .tflite with a batch of one and one output.

    A frozen graph is stripped to what lies between input and output, and its batch norms are folded, before it is
    converted. ``input_shape``, batch axis included, counts where the graph leaves the shape open.

    Raises:
        ModelError: it cannot be loaded, or input and output are not clear.
        BuildError: an op has no builtin operator in LiteRT, or the input's shape stays open.
    """
    if source_format is SourceFormat.SAVED_MODEL and is_served(path):
        return _from_served(path, io, input_shape)
    return _from_frozen(load_frozen(source_format, path, io), input_shape, _folded)


def to_graph_form(
    recipe: Recipe,
    source_format: SourceFormat,
    path: Path,
    io: ModelIO,
    input_shape: Sequence[int] | None,
) -> bytes:
    """A form of the graph, ``stripped``, ``folded`` or ``memory-mapped``, as a float32 .tflite.

    The memory-mapped form is written and read back, so that what is converted is what that file holds.

    Raises:
        ModelError, BuildError: see ``graph_to_float32``; also where a SavedModel is not one frozen graph.
    """
    if source_format is SourceFormat.SAVED_MODEL and is_served(path):
        raise BuildError(
            "this SavedModel is run by its signature, not as one frozen graph",
            next_step="Leave out this recipe, or freeze the model and give the .pb.",
        )
    forms = {Recipe.STRIPPED: _as_it_is, Recipe.FOLDED: _folded, Recipe.MEMORY_MAPPED: _memory_mapped}
    return _from_frozen(load_frozen(source_format, path, io), input_shape, forms[recipe])


def _as_it_is(graph: GraphDef, output: str) -> GraphDef:
    del output
    return graph


def _folded(graph: GraphDef, output: str) -> GraphDef:
    return fold_batch_norms(graph, outputs=[output]).graph


def _memory_mapped(graph: GraphDef, output: str) -> GraphDef:
    with tempfile.TemporaryDirectory(prefix="harness-mapped-") as work:
        path = Path(work) / "graph.mmapped"
        write_memory_mapped(path, _folded(graph, output))
        return restore_memory_mapped(path)


def converted(convert: Callable[[], bytes]) -> bytes:
    """What the converter gives.

    Raises:
        BuildError: it refused the model; ops without a builtin operator are named.
    """
    try:
        return convert()
    # The converter raises its own ConverterError and much else.
    except Exception as error:
        text = str(error)
        ops = sorted({*_listed(_NO_BUILTIN.findall(text)), *_LEGALIZED.findall(text)})
        if ops:
            raise BuildError(
                f"LiteRT has no builtin operator for {', '.join(ops)}",
                next_step="Cut these off with model.input and model.output, or replace them in the model; "
                "`harness check MODEL` says where they are.",
            ) from error
        if "TensorListReserve" in text:
            raise BuildError(
                "the model has a recurrent layer that was exported with an open batch, which LiteRT has no list for",
                next_step="Give the Keras file of the model, which is rebuilt with a batch of one, or export it with "
                "a batch of one.",
            ) from error
        raise BuildError(
            f"TensorFlow's converter refused the model: {' '.join(text.split())[:500]}",
            next_step="Replace the layer it names by one of LiteRT's builtin operators.",
        ) from error


def fixed_shape(name: str, dims: Sequence[int | None] | None, given: Sequence[int] | None) -> tuple[int, ...]:
    """The shape in which input ``name`` is converted: an open batch becomes 1, other open axes are the given ones.

    ``dims`` is ``None`` where not even the number of axes is known.

    Raises:
        BuildError: an axis stays open.
    """
    if dims is not None and None not in dims[1:]:
        return tuple(1 if axis is None else axis for axis in dims)
    if given is not None and (
        dims is None
        or (
            len(dims) == len(given)
            and all(axis in (None, length) for axis, length in zip(dims, given, strict=True))
        )
    ):
        return tuple(given)
    shown = "unknown" if dims is None else ", ".join("any" if axis is None else str(axis) for axis in dims)
    gives = f", and the workload gives [{', '.join(map(str, given))}]" if given else ""
    raise BuildError(
        f"the shape of input {name!r} is open: [{shown}]{gives}",
        next_step="Set the size in [workload.preprocess], or give tensors of the shape that the model takes.",
    )


def _listed(found: Sequence[str]) -> list[str]:
    return [op.strip().removeprefix("tf.") for group in found for op in group.split(",") if op.strip()]


def _from_frozen(
    source: FrozenGraph, input_shape: Sequence[int] | None, form: Callable[[GraphDef, str], GraphDef]
) -> bytes:
    import tensorflow as tf

    refuse_image_files(source.view, source.ends)
    given, output = source.ends
    node = parse_ref(given).node
    stripped = strip(source.graph, inputs=[given], outputs=[output])
    shape = fixed_shape(given, _placeholder_shape(stripped, node), input_shape)
    stripped = strip(stripped, inputs=[given], outputs=[output], shapes={given: shape})
    with tempfile.TemporaryDirectory(prefix="harness-convert-") as work:
        path = Path(work) / "graph.pb"
        write_graphdef(path, form(stripped, output))

        def convert() -> bytes:
            converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
                str(path), [node], [output.removesuffix(":0")], {node: list(shape)}
            )
            return bytes(converter.convert())

        return converted(convert)


def _placeholder_shape(graph: GraphDef, name: str) -> list[int | None] | None:
    node = GraphView(graph).node(name)
    shape = node.attr["shape"].shape
    # Graphs from before producer 24 wrote a scalar's shape where they knew none.
    if "shape" not in node.attr or shape.unknown_rank or not shape.dim:
        return None
    return [None if dim.size < 0 else int(dim.size) for dim in shape.dim]


def _from_served(path: Path, io: ModelIO, input_shape: Sequence[int] | None) -> bytes:
    import tensorflow as tf

    model = load_served(path, io)
    specs = {}
    for name, spec in model.inputs.items():
        dims = None if spec.shape.rank is None else spec.shape.as_list()
        given = input_shape if len(model.inputs) == 1 else None
        specs[name] = tf.TensorSpec(fixed_shape(name, dims, given), spec.dtype, name=name)

    class Served(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[specs])  # type: ignore[untyped-decorator]
        def serve(self, tensors: dict[str, object]) -> dict[str, object]:
            return {model.output: model.function(**tensors)[model.output]}

    module = Served()
    module.model = model.loaded
    with tempfile.TemporaryDirectory(prefix="harness-convert-") as folder:

        def convert() -> bytes:
            tf.saved_model.save(module, folder, signatures={"serving_default": module.serve})
            return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())

        return converted(convert)
