"""A stored run's report as files: the one place that writes them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from harness.core.device_group import GroupReport
from harness.errors import UsageError
from harness.pipeline.evaluate import Evaluation, evaluation
from harness.pipeline.exhibits import all_series, exhibits, explanations
from harness.render.html.group_page import html_group
from harness.render.html.report_page import html_report
from harness.render.html.sample_columns import is_thinned
from harness.render.model_explorer import model_explorer_overlay
from harness.render.samples_csv import samples_csv
from harness.store import GroupFolder, RunFolder
from harness.wire.strict_json import write_text


def write_html(folder: RunFolder, evaluated: Evaluation, file: Path, *, pictures: bool = True) -> list[Path]:
    """The page, and all samples in a compressed CSV beside it where the page cannot hold them."""
    samples = None
    if is_thinned(all_series(evaluated)):
        samples = write_samples(evaluated, file.with_name(f"{file.stem}.samples.csv.gz"))
    page = html_report(
        evaluated.report,
        exhibits(folder, evaluated, pictures=pictures, samples_file=samples.name if samples else None),
    )
    write_text(file, page)
    return [file, *([samples] if samples else [])]


def write_group_html(
    group: GroupFolder, report: GroupReport, file: Path, *, pictures: bool = True
) -> list[Path]:
    """The page of several devices, and each one's own page beside it: ``NAME.1.html``, ``NAME.2.html``, …"""
    written: list[Path] = []
    pages: dict[int, str] = {}
    for index, (device, run) in enumerate(zip(report.devices, group.runs(), strict=True)):
        if device.report is not None:
            own = file.with_name(f"{file.stem}.{index + 1}{file.suffix}")
            written += write_html(run, evaluation(run), own, pictures=pictures)
            pages[index] = own.name
    write_text(file, html_group(report, pages))
    return [file, *written]


def write_samples(evaluated: Evaluation, file: Path) -> Path:
    """Every sample as CSV; compressed where the name ends in ``.gz``.

    Raises:
        UsageError: the name asks for a format that is not written.
    """
    if not file.name.endswith((".csv", ".csv.gz")):
        raise UsageError(
            "samples are written as .csv or .csv.gz",
            where=str(file),
            next_step="Name such a file; docs/reports.md shows how to make Parquet of it.",
        )
    chunks = samples_csv(all_series(evaluated), evaluated.report.workload)
    with _whole(file) as out:
        out.writelines(_compressed(chunks) if file.suffix == ".gz" else (chunk.encode() for chunk in chunks))
    return file


@contextmanager
def _whole(file: Path) -> Iterator[IO[bytes]]:
    """The file appears under its name only when it is complete."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    try:
        with partial.open("wb") as out:
            yield out
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _compressed(chunks: Iterable[str]) -> Iterator[bytes]:
    """One gzip member (RFC 1952) without a time in it: the same samples give the same bytes."""
    packer = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)
    for chunk in chunks:
        yield packer.compress(chunk.encode())
    yield packer.flush()


def write_overlays(folder: RunFolder, evaluated: Evaluation, into: Path) -> list[Path]:
    """An overlay for Model Explorer for each variant whose layers were compared: ``INTO/VARIANT.json``."""
    written = []
    for found in explanations(folder, evaluated):
        if found.layers:
            write_text(into / f"{found.variant}.json", model_explorer_overlay(found))
            written.append(into / f"{found.variant}.json")
    return written
