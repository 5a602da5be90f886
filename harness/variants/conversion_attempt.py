"""Tries the converter and the runtime, and reads from what they say which ops they lack.

Runs only in the worker process: both may crash it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from harness.core.inspection import MOST_PLACES, OpCount
from harness.core.op_check import Proof

LONGEST_REASON: Final = 500

_LISTED: Final = re.compile(r"^\s*(?:TF Select|Flex|Custom) ops: (.+)$", re.MULTILINE)
_LOCATED: Final = re.compile(
    r"error: loc\((.*)\): (?:error: )?'tf\.(\w+)' op is neither a custom op nor a flex op"
)
_QUOTED: Final = re.compile(r'"([^"]*)"')


def try_graph(graph: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Proof:
    """Convert the frozen GraphDef ``graph``; the names are of nodes."""
    import tensorflow as tf

    def convert() -> bytes:
        with tempfile.TemporaryDirectory(prefix="harness-check-") as folder:
            path = Path(folder) / "graph.pb"
            path.write_bytes(graph.SerializeToString())
            converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
                str(path), list(inputs), list(outputs)
            )
            converted: bytes = converter.convert()
            return converted

    return _attempt(convert)


def try_saved_model(folder: Path, signature: str) -> Proof:
    """Convert the SavedModel in ``folder``."""
    import tensorflow as tf

    def convert() -> bytes:
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[signature])
        converted: bytes = converter.convert()
        return converted

    return _attempt(convert)


def try_loading(model: bytes | Path) -> Proof:
    """Load a .tflite in LiteRT and allocate its tensors, which resolves and prepares every operator."""
    from ai_edge_litert.interpreter import Interpreter

    given = {"model_path": str(model)} if isinstance(model, Path) else {"model_content": model}
    try:
        Interpreter(**given, num_threads=1).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return Proof(outcome="refused", reason=f"LiteRT does not load it: {_one_line(error)}")
    return Proof(outcome="works", reason="LiteRT loads it and prepares every operator")


def _attempt(convert: Callable[[], bytes]) -> Proof:
    try:
        converted = convert()
    # The converter raises its own ConverterError and much else.
    except Exception as error:
        said = str(error)
        lacking = tuple(lacking_ops(said))
        named = f" for lack of {', '.join(op.op for op in lacking)}" if lacking else f": {_one_line(error)}"
        reason = f"TensorFlow's converter refuses it{named}"[:LONGEST_REASON]
        return Proof(outcome="refused", reason=reason, lacking=lacking)
    loaded = try_loading(converted)
    return Proof(
        outcome=loaded.outcome,
        reason="TensorFlow converts it, and LiteRT loads the result"
        if loaded.outcome == "works"
        else loaded.reason,
        tflite_bytes=len(converted),
    )


def lacking_ops(said: str) -> Iterator[OpCount]:
    """The ops that the converter's message names as neither builtin nor allowed, with the nodes it names.

    A located line reads ``error: loc(fused["Erf:", "a/erf@f"]): 'tf.Erf' op is neither a custom op nor a flex op``; a
    summary reads ``TF Select ops: Erf, DecodeJpeg``.
    """
    places: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for listed in _LISTED.findall(said):
        for op in listed.split(","):
            places.setdefault(op.strip().removeprefix("tf."), [])
    for location, op in dict.fromkeys(_LOCATED.findall(said)):
        known = places.setdefault(op, [])
        counts[op] = counts.get(op, 0) + 1
        name = _node_name(location)
        if name and len(known) < MOST_PLACES:
            known.append(name)
    for op, where in places.items():
        if op:
            yield OpCount(op=op, count=max(counts.get(op, 1), 1), where=tuple(where))


def _node_name(location: str) -> str:
    for quoted in _QUOTED.findall(location):
        if quoted and not quoted.endswith(":"):
            return str(quoted).partition("@")[0]
    return ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:LONGEST_REASON]
