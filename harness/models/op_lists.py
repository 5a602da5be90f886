"""The lists of ops that the harness ships, one file each; every file's header says how it came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from harness.core.op_check import LitertOps

_CUSTOM: Final = "custom"


@cache
def litert_ops() -> LitertOps:
    """What the runtime of the pinned ai-edge-litert resolves (``litert_ops.txt``)."""
    rows = list(_rows("litert_ops.txt"))
    return LitertOps(
        builtin={row[0]: int(row[2]) for row in rows if row[0] != _CUSTOM},
        custom=frozenset(row[1] for row in rows if row[0] == _CUSTOM),
    )


@cache
def builtin_names() -> Mapping[int, str]:
    """The builtin operators of the .tflite schema by code."""
    return {int(row[1]): row[0] for row in _rows("litert_ops.txt") if row[0] != _CUSTOM}


@cache
def tflite_lowerings() -> Mapping[str, bool]:
    """Whether TensorFlow's converter turns an op into builtin operators (``tflite_lowerings.txt``)."""
    return {row[0]: row[1] == "yes" for row in _rows("tflite_lowerings.txt")}


@cache
def mobile_2016_ops() -> frozenset[str]:
    """Ops of the mobile TensorFlow of 2016 (``mobile_2016_ops.txt``)."""
    return frozenset(row[0] for row in _rows("mobile_2016_ops.txt"))


def _rows(name: str) -> Iterator[list[str]]:
    text = files("harness.models").joinpath(name).read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            yield line.split()
