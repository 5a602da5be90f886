"""The report for a terminal: figures first, the verdict last, where the eye is when the command ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.text import Text

from harness.core.report import RunReport
from harness.render.chain import terminal_chain
from harness.render.ink import ANSWER_MARK, ANSWER_STYLE, DIM, WARNING, Ink, spaced
from harness.render.judgement import Judgement
from harness.render.operations import VariantProfile
from harness.render.remarks import DisagreementLine, Disagreements, FindingGroup, disagreements
from harness.render.terminal_tables import figure_table
from harness.render.view import ReportView, report_view

_WIDEST_PANEL = 110
_INPUT_CELLS = 24
_SHOWN_OPERATIONS = 10


def terminal_report(report: RunReport) -> RenderableType:
    """The whole report; fits itself to the width and the encoding of the console that prints it."""
    return _Report(report_view(report))


def terminal_disagreements(report: RunReport) -> RenderableType:
    """Every disagreement of every variant (``harness report RUN --disagreements``)."""
    return _AllDisagreements(disagreements(report, most=None))


def terminal_verdict(report: RunReport) -> RenderableType:
    """Only the verdict, as it stands at the end of the report."""
    return _VerdictOnly(report)


@dataclass(frozen=True, slots=True)
class _Report:
    view: ReportView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ink = Ink(options.encoding, options.max_width)
        yield spaced(list(_blocks(self.view, ink)))


@dataclass(frozen=True, slots=True)
class _VerdictOnly:
    report: RunReport

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _verdict(report_view(self.report), Ink(options.encoding, options.max_width))


@dataclass(frozen=True, slots=True)
class _AllDisagreements:
    found: Disagreements

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ink = Ink(options.encoding, options.max_width)
        if self.found.groups:
            yield _disagreements(self.found, ink, more="")
        else:
            yield ink.text("Every measured variant agrees with the reference on every input.")


def _blocks(view: ReportView, ink: Ink) -> Iterator[RenderableType]:
    yield _header(view, ink)
    if view.chain is not None:
        yield terminal_chain(view.chain, ink)
    yield _main(view, ink)
    if view.details.rows:
        yield Group(
            ink.heading("Behind the figures", "medians over processes"),
            figure_table(view.details, ink, answers=False),
            *_footnotes(view, ink),
        )
    for profile in view.operations:
        yield _operations(profile, ink)
    if view.disagreements.groups:
        more = f"and {view.disagreements.not_shown} more: harness report {view.run_id} --disagreements"
        yield _disagreements(view.disagreements, ink, more if view.disagreements.not_shown else "")
    if view.findings:
        yield _findings(view.findings, ink)
    yield _verdict(view, ink)


def _header(view: ReportView, ink: Ink) -> RenderableType:
    grid = ink.grid()
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(overflow="fold")
    for word, text in view.facts:
        grid.add_row(ink.text(word), ink.text(text))
    return Group(
        ink.text((view.suite, "bold"), (f" · {view.run_id} · {view.created}", DIM)),
        Text(""),
        grid,
    )


def _main(view: ReportView, ink: Ink) -> RenderableType:
    table = figure_table(view.main, ink, answers=True, without=view.without_figures)
    return Group(table, *([ink.text((" · ".join(view.legend), DIM))] if view.legend else []))


def _footnotes(view: ReportView, ink: Ink) -> list[RenderableType]:
    return [
        ink.text((f"{ink.superscript(number)} {text}", DIM))
        for number, text in enumerate(view.footnotes, start=1)
    ]


def _operations(profile: VariantProfile, ink: Ink) -> RenderableType:
    table = ink.headed_table(gap=2)
    for title in ("Operation", "By", "Mean", "Share"):
        table.add_column(
            ink.text(title),
            justify="right" if title in ("Mean", "Share") else "left",
            no_wrap=title != "Operation",
            overflow="fold",
        )
    for one in profile.operations[:_SHOWN_OPERATIONS]:
        by = "delegate" if one.delegated else "runtime"
        table.add_row(
            ink.text(one.name), ink.text((by, DIM)), ink.text(one.mean), ink.text(f"{one.share:.3g} %")
        )
    rest = len(profile.operations) + profile.left_out - _SHOWN_OPERATIONS
    more = (
        [ink.text((f"and {rest} faster ones: harness report --html shows them all", DIM))] if rest > 0 else []
    )
    return Group(ink.heading(f"Operations of {profile.variant}", profile.summary), table, *more)


def _disagreements(found: Disagreements, ink: Ink, more: str) -> RenderableType:
    parts: list[RenderableType] = [
        ink.heading("Disagreements with the reference", "margin: how much higher it scores its own label")
    ]
    longest = max(cell_len(line.input_name) for group in found.groups for line in group.lines)
    table = ink.headed_table(gap=2)
    titles = ["Input", "Reference", "Variant", "Margin"]
    if any(line.truth for group in found.groups for line in group.lines):
        titles.append("Truth")
    for title in titles:
        table.add_column(
            ink.text(title),
            justify="right" if title == "Margin" else "left",
            no_wrap=title == "Margin",
            min_width=min(longest, _INPUT_CELLS) if title == "Input" else None,
            overflow="fold",
        )
    for group in found.groups:
        table.add_row(ink.text((group.variant, "bold"), (f"  {group.count} of {group.inputs}", DIM)))
        for line in group.lines:
            table.add_row(*_disagreement(line, ink)[: len(titles)])
    parts.append(table)
    if more:
        parts.append(ink.text((more, DIM)))
    return Group(*parts)


def _disagreement(line: DisagreementLine, ink: Ink) -> list[Text]:
    return [
        ink.text(line.input_name),
        ink.text(
            (line.reference, "green" if line.right == "reference" else ""), (f" {line.reference_score}", DIM)
        ),
        ink.text((line.variant, "green" if line.right == "variant" else ""), (f" {line.variant_score}", DIM)),
        ink.text(line.margin),
        ink.text((line.truth, DIM)),
    ]


def _findings(groups: tuple[FindingGroup, ...], ink: Ink) -> RenderableType:
    grid = ink.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for group in groups:
        style = WARNING if group.severity == "warning" else "blue"
        lines = [
            (f"{f'{variant}: ' if variant else ''}{message}\n", "") for variant, message in group.messages
        ]
        advice = [(f"→ {text}\n", DIM) for text in group.advice]
        body = ink.text(*lines, *advice)
        body.right_crop(1)
        grid.add_row(ink.text((group.kind, style)), body)
    warnings = sum(len(group.messages) for group in groups if group.severity == "warning")
    return Group(ink.heading("Findings", f"{warnings} warning{'' if warnings == 1 else 's'}"), grid)


def _verdict(view: ReportView, ink: Ink) -> RenderableType:
    judged = view.judgement
    width = min(ink.width, _WIDEST_PANEL)
    parts: list[RenderableType] = [ink.text((judged.reason, "bold"))]
    if view.incomplete is not None:
        parts.append(ink.text((view.incomplete, WARNING), (f"\n→ {view.resume_command}", "")))
    if judged.rules or judged.others:
        parts.append(_rules(judged, ink))
    if judged.next_steps:
        parts.append(Group(*(ink.text(f"→ {step}") for step in judged.next_steps)))
    names = ", ".join(judged.releasable) or "none"
    parts.append(ink.text(("Releasable: ", DIM), (names, "bold" if judged.releasable else "")))
    style = ANSWER_STYLE[judged.answer]
    return Panel(
        spaced(parts),
        title=ink.text((f" {ANSWER_MARK[judged.answer]} {judged.answer.upper()} ", f"{style} bold")),
        title_align="left",
        border_style=style.removeprefix("bold "),
        box=box.ROUNDED,
        width=width,
        padding=(1, 2),
    )


def _rules(judged: Judgement, ink: Ink) -> RenderableType:
    grid = ink.grid()
    for _ in range(3):
        grid.add_column(overflow="fold")
    grid.add_column(no_wrap=True)
    previous = None
    for rule in (*judged.rules, *judged.others):
        name = ink.text((rule.variant if rule.variant != previous else "", "bold"))
        if rule.variant != previous and rule.variant not in judged.candidates:
            name.append_text(ink.text(("\nno candidate", DIM)))
        previous = rule.variant
        mark = ink.text((ANSWER_MARK[rule.answer], ANSWER_STYLE[rule.answer]))
        words = ink.text(rule.rule)
        if rule.reason:
            words.append_text(ink.text((f"\n{rule.reason}", DIM)))
        grid.add_row(name, mark, words, ink.text(rule.figure))
    return grid
