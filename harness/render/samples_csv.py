"""Every sample as a line of CSV (RFC 4180), for a spreadsheet, pandas or DuckDB."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from harness.core.sample_series import SampleSeries, Stretch
from harness.core.workload import Workload

COLUMNS = (
    "variant",
    "sample",
    "phase",
    "round",
    "attempt",
    "started_ns",
    "latency_ns",
    "input",
    "input_name",
)
_CHUNK_SAMPLES = 20_000
_SPREADSHEET_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def samples_csv(series: Sequence[SampleSeries], workload: Workload) -> Iterator[str]:
    """The text in pieces of some thousand lines: columns as in ``COLUMNS``; samples and rounds count from 1.

    Names come last, so that a reader who splits at commas has all figures where they belong.
    """
    yield ",".join(COLUMNS) + "\r\n"
    names = [_cell(one.name) for one in workload.inputs]
    for one in series:
        variant = _cell(one.variant)
        for stretch in one.stretches:
            for begin in range(stretch.first, stretch.first + stretch.count, _CHUNK_SAMPLES):
                end = min(begin + _CHUNK_SAMPLES, stretch.first + stretch.count)
                yield "".join(_lines(one, stretch, begin, end, variant, names))


def _lines(
    series: SampleSeries, stretch: Stretch, begin: int, end: int, variant: str, names: Sequence[str]
) -> Iterator[str]:
    phase = "steady" if stretch.is_steady else "warmup"
    place = f"{phase},{stretch.round_index + 1},{stretch.attempt + 1}"
    columns = (series.started_ns, series.latencies_ns, series.inputs)
    rows = zip(*(column[begin:end].tolist() for column in columns), strict=True)
    for number, (started_ns, latency_ns, index) in enumerate(rows, start=begin + 1):
        name = names[index] if 0 <= index < len(names) else ""
        yield f"{variant},{number},{place},{started_ns},{latency_ns},{index},{name}\r\n"


def _cell(text: str) -> str:
    """Quoted where it must be; what a spreadsheet would run as a formula gets an apostrophe before it."""
    if text.startswith(_SPREADSHEET_FORMULA):
        text = "'" + text
    written = io.StringIO()
    csv.writer(written).writerow([text])
    return written.getvalue().removesuffix("\r\n")
