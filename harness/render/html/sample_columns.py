"""Samples as the page holds them: compressed columns, all of them up to a limit, beyond it the extremes of each slice.

A column is the bytes of 32-bit unsigned integers, little-endian, sorted by significance (all lowest bytes first, which
compresses better), deflated (zlib, RFC 1950) and in base64. ``started``, ``inputs`` and ``numbers`` are differences
from the entry before, modulo 2^32. ``samples.js`` reads them.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.sample_series import SampleSeries

EMBEDDED_SAMPLES = 200_000
"""Of all variants together. Each takes about four bytes of the page, so that all stay below 1 MB."""
_THINNED_SAMPLES = 40_000
_LARGEST = 2**32 - 1
_TICK_NS = 100_000
"""Resolution of the time a sample began at."""


def embedded(series: Sequence[SampleSeries]) -> list[dict[str, Any]]:
    """One entry for each variant, in their order, ready for JSON."""
    total = sum(map(len, series))
    if total <= EMBEDDED_SAMPLES:
        return [_entry(one, None) for one in series]
    return [_entry(one, _extremes(one.latencies_ns, _THINNED_SAMPLES * len(one) // total)) for one in series]


def is_thinned(series: Sequence[SampleSeries]) -> bool:
    """Whether the page cannot hold them all."""
    return sum(map(len, series)) > EMBEDDED_SAMPLES


def _entry(series: SampleSeries, chosen: NDArray[np.int64] | None) -> dict[str, Any]:
    numbers = np.arange(len(series)) if chosen is None else chosen
    latencies, started = series.latencies_ns[numbers], series.started_ns[numbers]
    unit_ns = 1 + int(latencies.max(initial=0)) // _LARGEST
    tick_ns = _TICK_NS * (1 + int(started.max(initial=0)) // (_LARGEST * _TICK_NS))
    return {
        "variant": series.variant,
        "total": len(series),
        "shown": len(numbers),
        "unit_ns": unit_ns,
        "tick_ns": tick_ns,
        "latencies": _column(latencies // unit_ns),
        "inputs": _differences(series.inputs[numbers].astype(np.int64)),
        "started": _differences(np.maximum(started, 0) // tick_ns),
        "numbers": None if chosen is None else _differences(numbers),
        "stretches": [
            [one.first, one.count, one.round_index, one.attempt, int(one.is_steady)]
            for one in series.stretches
        ],
    }


def _extremes(latencies_ns: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Sample numbers: the fastest and the slowest of each of ``most / 2`` equal slices of time."""
    slices = max(most // 2, 1)
    if len(latencies_ns) <= 2 * slices:
        return np.arange(len(latencies_ns))
    bounds = np.linspace(0, len(latencies_ns), slices + 1).astype(np.int64)
    found = {
        int(begin + pick(latencies_ns[begin:end]))
        for begin, end in pairwise(bounds.tolist())
        for pick in (np.argmin, np.argmax)
    }
    return np.array(sorted(found), np.int64)


def _differences(values: NDArray[np.int64]) -> str:
    return _column(np.diff(values, prepend=0) % 2**32)


def _column(values: NDArray[np.int64]) -> str:
    planes = values.astype("<u4").view(np.uint8).reshape(len(values), 4).T
    return base64.b64encode(zlib.compress(planes.tobytes(), level=6)).decode()
