"""docs/performance.md: the last result, as Markdown."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.figures import figure_text, goal_text, spread_text, verdict_text
from benchmarks.result import Machine, Record, Result

_HEAD = """# Performance

Written by `python -m benchmarks --write-docs`; do not edit. `make bench` measures without writing. Every figure with a
goal is a ratio or a difference of two things measured in the same run on the same machine, interleaved where that is
possible, so that another machine gives other times but much the same figures. No test asserts a time.
"""


def performance_page(record: Record) -> str:
    """The page, with a line break at its end."""
    return "\n".join(_lines(record)).rstrip() + "\n"


def _lines(record: Record) -> Iterator[str]:
    yield _HEAD
    if not record.machine.was_quiet:
        yield _busy(record.machine)
        yield ""
    yield "| benchmark | figure | spread | goal | |"
    yield "|---|--:|--:|--:|---|"
    for result in record.results:
        cells = (
            result.name,
            figure_text(result.figure, result.unit),
            spread_text(result),
            goal_text(result),
            verdict_text(result),
        )
        yield f"| {' | '.join(cells)} |"
    for missing in record.not_measured:
        yield f"| {missing.name} | not measured: {missing.reason} | | | |"
    yield ""
    yield "## What was compared"
    for result in record.results:
        yield ""
        yield from _explained(result)
    yield ""
    yield "## The machine"
    yield ""
    yield _machine(record)


def _explained(result: Result) -> Iterator[str]:
    spread = f" Spread: {result.spread.of}." if result.spread else ""
    yield f"**{result.name}**: {result.compared}.{spread}"
    if result.parts:
        yield ""
        yield "| | |"
        yield "|---|--:|"
        for part in result.parts:
            yield f"| {part.name} | {figure_text(part.figure, part.unit)} |"


def _busy(machine: Machine) -> str:
    if machine.other_cpu_fraction is None:
        return "> How busy the machine was is not known on this system."
    return (
        f"> **To be measured again**: other processes used {machine.other_cpu_fraction:.0%} of the machine meanwhile, "
        "so the absolute times say little and the ratios are wide."
    )


def _machine(record: Record) -> str:
    machine = record.machine
    memory = f", {machine.memory_bytes / 1e9:.0f} GB" if machine.memory_bytes else ""
    others = (
        ""
        if machine.other_cpu_fraction is None
        else f" Other processes used {machine.other_cpu_fraction:.1%} of all cores' time while it measured."
    )
    packages = ", ".join(f"{name} {version}" for name, version in sorted(machine.packages.items()))
    measured = time.strftime("%Y-%m-%d", time.gmtime(record.unix_ns / 1e9))
    return (
        f"Measured on {measured} with harness {record.harness_version}: {machine.cpu}, {machine.logical_cores} "
        f"logical cores{memory}, {machine.system} ({machine.machine}), Python {machine.python}, {packages}. "
        f"The load average was {machine.load_average_1m_before:.2f} before it began.{others}"
    )
