"""What a model file says of itself: ``harness inspect``. Nothing in it was measured by running the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from harness.core.events import Bytes, Quantization
from harness.core.jobs import Count, PositiveCount, Sha256
from harness.core.value import Value

MOST_PLACES = 5
"""How many nodes an ``OpCount`` names; ``count`` counts all of them."""

MOST_WEIGHTS = 10
MOST_LABELS = 1000


class TensorSummary(Value):
    """An input or output. A dimension of -1 is open; ``shape`` is absent where not even the rank is known."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None = None
    quantization: Quantization | None = None


class Signature(Value):
    """A named interface of a model."""

    key: str
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]


class OpCount(Value):
    """How often an op stands in the model, and its first nodes (or operators, or layers)."""

    op: str
    count: PositiveCount
    where: tuple[str, ...] = ()


class WeightTotal(Value):
    """All constants and variables of one type. ``bytes`` is as they stand in the file."""

    dtype: str
    tensors: Count
    elements: Count
    bytes: Bytes


class WeightTensor(Value):
    """One constant or variable."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: Bytes


class PackedFile(Value):
    """A file packed into the model (.tflite metadata). ``labels`` are its first lines where it names classes."""

    name: str
    bytes: Bytes
    label_count: Count | None = None
    labels: tuple[str, ...] = ()


class Metadata(Value):
    """What the author wrote into the model."""

    entries: tuple[tuple[str, str], ...] = ()
    """Key and text, such as name, description, author, licence."""
    files: tuple[PackedFile, ...] = ()
    problem: str | None = None
    """Why what is there could not be read."""


class GraphFacts(Value):
    """What only a GraphDef has."""

    producer: Count
    """``versions.producer``: the GraphDef version of the TensorFlow that wrote it; 0 where it does not say."""
    min_consumer: Count
    functions: tuple[str, ...] = ()
    """The function library."""
    leftovers: tuple[OpCount, ...] = ()
    """Ops of training, evaluation, checkpoints and input pipelines, which a phone does not need."""
    variables: Count = 0
    """Variables whose values are not in the graph: it is not frozen."""
    input_candidates: tuple[TensorSummary, ...] = ()
    output_candidates: tuple[TensorSummary, ...] = ()


class Inspection(Value):
    """One model. ``parameters`` are elements of constants and variables that are numbers other than indices."""

    path: str
    format: str
    bytes: Bytes
    sha256: Sha256
    inputs: tuple[TensorSummary, ...] = ()
    outputs: tuple[TensorSummary, ...] = ()
    signatures: tuple[Signature, ...] = ()
    nodes: Count
    ops: tuple[OpCount, ...] = ()
    """Most frequent first."""
    ops_are: str = "operators"
    """What ``ops`` counts: ``operators`` (.tflite), ``nodes`` (graphs), ``layers`` (Keras)."""
    parameters: Count
    weights: tuple[WeightTotal, ...] = ()
    largest_weights: tuple[WeightTensor, ...] = ()
    metadata: Metadata | None = None
    graph: GraphFacts | None = None


def count_ops(named: Iterable[tuple[str, str]]) -> tuple[OpCount, ...]:
    """From (op, where it stands) pairs: the ops, the most frequent first, with their first places."""
    counts: Counter[str] = Counter()
    places: dict[str, list[str]] = {}
    for op, where in named:
        counts[op] += 1
        known = places.setdefault(op, [])
        if len(known) < MOST_PLACES:
            known.append(where)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(OpCount(op=op, count=count, where=tuple(places[op])) for op, count in ordered)


def total_weights(
    weights: Iterable[WeightTensor],
) -> tuple[tuple[WeightTotal, ...], tuple[WeightTensor, ...]]:
    """Totals by type, the heaviest first, and the ``MOST_WEIGHTS`` largest tensors."""
    tensors: Counter[str] = Counter()
    elements: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    every = list(weights)
    for weight in every:
        tensors[weight.dtype] += 1
        elements[weight.dtype] += element_count(weight.shape)
        sizes[weight.dtype] += weight.bytes
    totals = tuple(
        WeightTotal(dtype=dtype, tensors=tensors[dtype], elements=elements[dtype], bytes=size)
        for dtype, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    )
    largest = sorted(every, key=lambda weight: (-weight.bytes, weight.name))[:MOST_WEIGHTS]
    return totals, tuple(largest)


def element_count(shape: Iterable[int]) -> int:
    """The number of elements of a tensor of this shape; an open or negative dimension counts as none."""
    count = 1
    for dimension in shape:
        count *= max(dimension, 0)
    return count
