"""A run on several devices: one table with a column for each, and the verdict of each and of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel

from harness.core.device_group import DeviceReport, GroupReport, device_answer
from harness.core.measurements import Measurement, NotMeasured, result_name
from harness.core.verdict import Answer
from harness.render import figures
from harness.render.ink import ANSWER_MARK, ANSWER_STYLE, DIM, Ink, spaced
from harness.render.markdown import MARKS, escaped
from harness.render.plain_text import one_line

Figure = Callable[[Measurement], str]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One figure of one variant on every device; ``variant`` is empty but in its first row."""

    variant: str
    figure: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """A device's verdict in a line, and how to see its whole report."""

    label: str
    answer: Answer
    reason: str
    command: str


@dataclass(frozen=True, slots=True)
class GroupView:
    """What both renderers show; all strings are one line and safe for a terminal."""

    suite: str
    run_id: str
    labels: tuple[str, ...]
    rows: tuple[GroupRow, ...]
    devices: tuple[DeviceLine, ...]
    answer: Answer
    reason: str
    incomplete: str


def terminal_group(report: GroupReport) -> RenderableType:
    """The combined report; fits itself to the console that prints it."""
    return _Terminal(group_view(report))


def markdown_group(report: GroupReport) -> str:
    """The combined report for a pull request, ended by a newline; text from devices is escaped."""
    return "\n\n".join(_markdown(group_view(report))) + "\n"


def group_view(report: GroupReport) -> GroupView:
    """The view of ``report``; pure."""
    incomplete = ""
    if not report.is_complete:
        incomplete = (
            f"This run is incomplete: {report.jobs_done} of {report.jobs_planned} jobs are done. "
            f"Finish it: harness run --resume {report.run_id}"
        )
    return GroupView(
        suite=one_line(report.suite_name),
        run_id=one_line(report.run_id),
        labels=tuple(one_line(device.label) for device in report.devices),
        rows=tuple(_rows(report)),
        devices=tuple(
            _device_line(device, report.run_id, number)
            for number, device in enumerate(report.devices, start=1)
        ),
        answer=report.answer,
        reason=one_line(report.reason),
        incomplete=one_line(incomplete),
    )


def _device_line(device: DeviceReport, run_id: str, number: int) -> DeviceLine:
    reason = device.report.verdict.reason if device.report is not None else device.problem
    if device.report is not None and (why := device.report.set_aside) is not None:
        reason = f"set aside after {why.failures} failures in a row: {why.problem}"
    return DeviceLine(
        label=one_line(device.label),
        answer=device_answer(device),
        reason=one_line(reason),
        command=one_line(f"harness report {run_id}.{number}"),
    )


def _rows(report: GroupReport) -> Iterator[GroupRow]:
    names = dict.fromkeys(
        result_name(result)
        for device in report.devices
        if device.report is not None
        for result in device.report.results
    )
    for name in names:
        shown = name
        for title, figure in _FIGURES:
            cells = tuple(_cell(device, name, figure, is_first=bool(shown)) for device in report.devices)
            if shown or any(cell != figures.ABSENT for cell in cells):
                yield GroupRow(one_line(shown), title, cells)
                shown = ""


def _cell(device: DeviceReport, name: str, figure: Figure, *, is_first: bool) -> str:
    """The figure; why there is none stands in the variant's first row."""
    for result in device.report.results if device.report is not None else ():
        if isinstance(result, Measurement) and result.variant.name == name:
            return figure(result)
        if isinstance(result, NotMeasured) and result.name == name and is_first:
            return one_line(f"{result.outcome}: {result.problem}")
    return figures.ABSENT


def _p50(one: Measurement) -> str:
    estimate = one.latency.steady.p50
    return figures.time_with_interval(estimate.value, estimate.interval) if estimate else figures.ABSENT


def _p90(one: Measurement) -> str:
    estimate = one.latency.steady.p90
    return figures.time_with_interval(estimate.value, estimate.interval) if estimate else figures.ABSENT


def _peak(one: Measurement) -> str:
    return figures.size(one.memory.peak_bytes) if one.memory.peak_bytes is not None else figures.ABSENT


def _agreement(one: Measurement) -> str:
    return " ".join(figures.proportion(one.agreement.top1)).rstrip()


def _accuracy(one: Measurement) -> str:
    if one.accuracy is None:
        return figures.ABSENT
    return " ".join(figures.proportion(one.accuracy.variant)).rstrip()


_FIGURES: tuple[tuple[str, Figure], ...] = (
    ("p50", _p50),
    ("p90", _p90),
    ("peak", _peak),
    ("agreement", _agreement),
    ("accuracy", _accuracy),
)


@dataclass(frozen=True, slots=True)
class _Terminal:
    view: GroupView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield spaced(list(_blocks(self.view, Ink(options.encoding, options.max_width))))


def _blocks(view: GroupView, ink: Ink) -> Iterator[RenderableType]:
    yield ink.text((view.suite, "bold"), (f" · {view.run_id} · {len(view.labels)} devices", DIM))
    table = ink.headed_table(gap=2)
    for title in ("Variant", "", *view.labels):
        table.add_column(ink.text(title), overflow="fold")
    for row in view.rows:
        table.add_row(ink.text((row.variant, "bold")), ink.text((row.figure, DIM)), *map(ink.text, row.cells))
    yield table
    grid = ink.grid()
    for _ in range(3):
        grid.add_column(overflow="fold")
    for device in view.devices:
        mark = ink.text((ANSWER_MARK[device.answer], ANSWER_STYLE[device.answer]))
        grid.add_row(mark, ink.text(device.label), ink.text(device.reason, (f"\n→ {device.command}", DIM)))
    parts: list[RenderableType] = [ink.text((view.reason, "bold")), grid]
    if view.incomplete:
        parts.append(ink.text(view.incomplete))
    style = ANSWER_STYLE[view.answer]
    yield Panel(
        spaced(parts),
        title=ink.text((f" {ANSWER_MARK[view.answer]} {view.answer.upper()} ", f"{style} bold")),
        title_align="left",
        border_style=style.removeprefix("bold "),
        box=box.ROUNDED,
        width=min(ink.width, 110),
        padding=(1, 2),
    )


def terminal_group_verdict(report: GroupReport) -> RenderableType:
    """Only the verdict, as it stands at the end of the report."""
    return _VerdictOnly(group_view(report))


@dataclass(frozen=True, slots=True)
class _VerdictOnly:
    view: GroupView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Group(list(_blocks(self.view, Ink(options.encoding, options.max_width)))[-1])


def _markdown(view: GroupView) -> Iterator[str]:
    yield f"**{MARKS[view.answer]} {view.answer.upper()}**: {escaped(view.reason)}"
    yield f"{escaped(view.suite)}, run `{view.run_id}`, {len(view.labels)} devices"
    if view.incomplete:
        yield f"⚠️ {escaped(view.incomplete)}"
    heads = " | ".join(escaped(label) for label in view.labels)
    lines = [f"| Variant | | {heads} |", f"|:--|:--|{'--:|' * len(view.labels)}"]
    lines += [
        f"| {escaped(row.variant)} | {row.figure} | {' | '.join(map(escaped, row.cells))} |"
        for row in view.rows
    ]
    yield "\n".join(lines)
    yield "\n".join(
        f"- {MARKS[device.answer]} **{escaped(device.label)}** {escaped(device.reason)} (`{device.command}`)"
        for device in view.devices
    )
