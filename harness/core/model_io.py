"""Which tensors of a source model are fed and compared."""

from __future__ import annotations

from harness.core.value import Value


class ModelIO(Value):
    """Names in the source model; an empty one is found where the model leaves no choice.

    ``input`` and ``output`` name a node (``final_result``) or a tensor (``final_result:0``) of a graph, an entry of
    a SavedModel's signature, or an output of a Keras model or .tflite. ``signature`` is the SavedModel's.
    """

    input: str = ""
    output: str = ""
    signature: str = ""


def same_tensor(one: str, other: str) -> bool:
    """Whether two names mean the same tensor: a node's name is that of its first tensor, ``:0``."""
    return one.removesuffix(":0") == other.removesuffix(":0")
