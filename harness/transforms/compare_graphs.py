"""Run two graphs on the same inputs and say how far apart their outputs are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harness.errors import ModelError
from harness.transforms.graph import (
    Array,
    GraphDef,
    GraphView,
    const_value,
    new_graph_like,
    parse_ref,
)

OF_RANGE: Final = 1e-4
"""How much of the reference's range (max - min) a step that must not change values may change one."""

OF_MAGNITUDE: Final = 2e-6
"""The same of the reference's largest absolute value: float32 rounds relative to it."""

_DRAWS: Final = 2
_BATCH: Final = 2
_LARGE_BYTES: Final = 1 << 14


@dataclass(frozen=True)
class OutputDifference:
    """One output over all feeds.

    ``allowed_difference`` is what float rounding explains: ``OF_RANGE`` and ``OF_MAGNITUDE`` together.
    ``top1_agreement`` is the share of rows (along all axes but the last) whose largest element is at the same
    place; ``None`` where the output has no last axis of two or more, or is no number.
    """

    output: str
    largest_difference: float
    reference_range: float
    allowed_difference: float
    top1_agreement: float | None

    @property
    def within_rounding(self) -> bool:
        return self.largest_difference <= self.allowed_difference


def compare_graphs(
    reference: GraphDef,
    candidate: GraphDef,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    feeds: Sequence[Mapping[str, Array]] | None = None,
    seed: int = 0,
) -> tuple[OutputDifference, ...]:
    """How far ``candidate`` is from ``reference``, for each of ``outputs``.

    Without ``feeds``, two are drawn from ``seed``: uniform in [-1, 1] for floats, 0 or 1 for whole numbers, a
    batch of 2 where it is free.

    Raises:
        ModelError: TensorFlow refuses or cannot run one of the graphs, shapes differ, or an input's shape or
            type allows no random feed.
    """
    drawn = list(feeds) if feeds is not None else random_feeds(candidate, inputs, seed=seed)
    expected = run_graph(reference, drawn, outputs)
    found = run_graph(candidate, drawn, outputs)
    return tuple(
        _difference(name, [run[i] for run in expected], [run[i] for run in found])
        for i, name in enumerate(outputs)
    )


def verify_unchanged(
    before: GraphDef,
    after: GraphDef,
    *,
    step: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    feeds: Sequence[Mapping[str, Array]] | None = None,
    seed: int = 0,
) -> tuple[OutputDifference, ...]:
    """``compare_graphs``, for a step that must not change what the graph computes.

    Raises:
        ModelError: an output differs by more than float rounding, and all that ``compare_graphs`` raises.
    """
    differences = compare_graphs(before, after, inputs=inputs, outputs=outputs, feeds=feeds, seed=seed)
    for difference in differences:
        if not difference.within_rounding:
            raise ModelError(
                f"{step} changed output {difference.output!r} by {difference.largest_difference:.3g}, and "
                f"rounding explains at most {difference.allowed_difference:.3g}",
                next_step=f"Leave out the step {step!r} for this model, and report the model's ops.",
            )
    return differences


def random_feeds(graph: GraphDef, inputs: Sequence[str], *, seed: int = 0) -> list[dict[str, Array]]:
    """Feeds for the placeholders ``inputs`` of ``graph``, the same for the same ``seed``.

    Raises:
        ModelError: a shape is unknown beyond its batch, or the type is text.
    """
    view = GraphView(graph)
    generator = np.random.default_rng(seed)
    feeds: list[dict[str, Array]] = []
    for _ in range(_DRAWS):
        feed: dict[str, Array] = {}
        for text in inputs:
            feed[f"{parse_ref(text).node}:0"] = _random_tensor(view, parse_ref(text).node, generator)
        feeds.append(feed)
    return feeds


def _random_tensor(view: GraphView, name: str, generator: np.random.Generator) -> Array:
    import tensorflow as tf

    node = view.node(name)
    shape = node.attr["shape"].shape
    sizes = [dim.size for dim in shape.dim]
    # Graphs from before producer 24 wrote a scalar's shape where they knew none.
    unknown = shape.unknown_rank or "shape" not in node.attr
    if sizes[:1] == [-1]:
        sizes[0] = _BATCH
    dtype = tf.as_dtype(node.attr["dtype"].type)
    if unknown or -1 in sizes or not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        shown = "unknown" if unknown else "x".join("?" if size < 0 else str(size) for size in sizes)
        raise ModelError(
            f"input {name!r} ({dtype.name}, shape {shown}) cannot be fed with random values",
            next_step="Give its shape, or give inputs to compare with.",
        )
    if dtype.is_floating:
        return np.asarray(generator.uniform(-1, 1, sizes), dtype.as_numpy_dtype)
    return np.asarray(generator.integers(0, 2, sizes), dtype.as_numpy_dtype)


def run_graph(
    graph: GraphDef, feeds: Sequence[Mapping[str, Array]], outputs: Sequence[str]
) -> list[list[Array]]:
    """The values of ``outputs`` for each feed, in a TensorFlow 1 session on the CPU, unoptimized.

    Raises:
        ModelError: TensorFlow refuses the graph or cannot run it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    fetches = [text if ":" in text else f"{text}:0" for text in outputs]
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    # Grappler folds constants and fuses ops itself: what is compared must be the graph as it stands.
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    try:
        with tf.Graph().as_default() as imported:
            light, weights = _with_fed_weights(graph, fetches)
            tf.import_graph_def(light, name="")
            with tf.compat.v1.Session(graph=imported, config=config) as session:
                return [list(session.run(fetches, {**weights, **feed})) for feed in feeds]
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as problem:
        raise _cannot_run(problem) from None


def _with_fed_weights(graph: GraphDef, fetches: Sequence[str]) -> tuple[GraphDef, dict[str, Array]]:
    """``graph`` with its large weights as placeholders, and what to feed them.

    TensorFlow copies a Const about five times between import and run; a fed array at most once.
    """
    fetched = {parse_ref(text).node for text in fetches}
    light = new_graph_like(graph, with_library=True)
    weights: dict[str, Array] = {}
    for node in graph.node:
        target = light.node.add()
        large = node.op == "Const" and len(node.attr["value"].tensor.tensor_content) >= _LARGE_BYTES
        if not large or node.input or node.name in fetched:
            target.CopyFrom(node)
            continue
        value = const_value(node)
        weights[f"{node.name}:0"] = value
        target.name, target.op = node.name, "Placeholder"
        target.attr["dtype"].type = node.attr["dtype"].type
        for size in value.shape:
            target.attr["shape"].shape.dim.add().size = size
    return light, weights


def _cannot_run(problem: Exception) -> ModelError:
    text = str(getattr(problem, "message", None) or problem).strip().splitlines()
    first = next((line for line in text if line.strip()), type(problem).__name__)
    unknown_op = "not registered" in first or "NotFoundError" in type(problem).__name__
    return ModelError(
        f"TensorFlow cannot run the graph: {first[:300]}",
        next_step="This TensorFlow lacks an op of the graph: cut it off by naming other inputs or outputs."
        if unknown_op
        else "Check the names and shapes of inputs and outputs, and that the graph is frozen.",
    )


def _difference(name: str, expected: Sequence[Array], found: Sequence[Array]) -> OutputDifference:
    for first, second in zip(expected, found, strict=True):
        kinds = [f"{np.asarray(value).dtype} {list(np.shape(value))}" for value in (first, second)]
        if kinds[0] != kinds[1]:
            raise ModelError(
                f"output {name!r} is {kinds[1]}, and was {kinds[0]}",
                next_step="The graphs do not compute the same: check the names.",
            )
    if not all(np.issubdtype(np.asarray(value).dtype, np.number) for value in expected):
        same = all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
        return OutputDifference(name, 0.0 if same else np.inf, 0.0, 0.0, None)
    reference = np.concatenate([np.ravel(value) for value in expected]).astype(np.float64)
    candidate = np.concatenate([np.ravel(value) for value in found]).astype(np.float64)
    finite = reference[np.isfinite(reference)]
    spread = float(finite.max() - finite.min()) if finite.size else 0.0
    magnitude = float(np.abs(finite).max()) if finite.size else 0.0
    with np.errstate(invalid="ignore"):
        apart = np.abs(reference - candidate)
    # The same NaN or infinity at the same place is agreement; any other is not.
    same = (reference == candidate) | (np.isnan(reference) & np.isnan(candidate))
    apart = np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))
    return OutputDifference(
        output=name,
        largest_difference=float(apart.max()) if apart.size else 0.0,
        reference_range=spread,
        allowed_difference=OF_RANGE * spread + OF_MAGNITUDE * magnitude,
        top1_agreement=_top1(expected, found),
    )


def _top1(expected: Sequence[Array], found: Sequence[Array]) -> float | None:
    if any(np.ndim(value) == 0 or np.shape(value)[-1] < 2 or np.size(value) == 0 for value in expected):
        return None
    agree = [np.ravel(np.argmax(a, -1) == np.argmax(b, -1)) for a, b in zip(expected, found, strict=True)]
    return float(np.mean(np.concatenate(agree)))
