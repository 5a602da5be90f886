"""The baselines as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

from harness.core.measurements import Measurement
from harness.core.report import RunReport
from harness.render.ink import ANSWER_MARK, ANSWER_STYLE, DIM, WARNING, Ink
from harness.render.plain_text import one_line

NamedReport = tuple[str, RunReport | None, str | None]
"""A baseline's name, its report, or why that cannot be read."""


def terminal_baselines(baselines: Sequence[NamedReport]) -> RenderableType:
    """One row for each baseline; fits itself to the console that prints it."""
    return _Baselines(tuple(baselines))


@dataclass(frozen=True, slots=True)
class _Baselines:
    baselines: tuple[NamedReport, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ink = Ink(options.encoding, options.max_width)
        table = ink.headed_table(gap=2)
        for title in ("Baseline", "Run", "Release", "Device", "Variants"):
            table.add_column(ink.text(title), overflow="fold")
        for name, report, problem in self.baselines:
            if report is None:
                table.add_row(ink.text((name, "bold")), ink.text((one_line(problem or ""), WARNING)))
                continue
            measured = [one for one in report.results if isinstance(one, Measurement)]
            devices = dict.fromkeys(
                f"{one.device.model}, {one.device.os} {one.device.os_version}" for one in measured
            )
            answer = report.verdict.answer
            table.add_row(
                ink.text((name, "bold")),
                ink.text((f"{ANSWER_MARK[answer]} ", ANSWER_STYLE[answer]), one_line(report.plan.run_id)),
                ink.text(one_line(report.plan.release)),
                ink.text(f"{one_line('; '.join(devices))} ({report.target_class})"),
                ink.text((", ".join(one_line(one.variant.name) for one in measured), DIM)),
            )
        yield table
