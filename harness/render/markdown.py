"""The report as Markdown for a comment on a pull request: verdict first, then figures and findings."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from harness.core.report import RunReport
from harness.core.verdict import Answer
from harness.render.figure_tables import Cell, FigureTable
from harness.render.judgement import JudgedRule
from harness.render.plain_text import isolated
from harness.render.view import ReportView, report_view

MARKS = {Answer.PASS: "✅", Answer.FAIL: "❌", Answer.UNDECIDED: "❔"}
_SPECIAL = re.compile(r"([\\`*_\[\]|~])")
# A backslash does not keep GitHub from these: it looks for mentions and addresses in the finished text.
_REFERENCE = re.compile(r"@(?=\w)|#(?=\d)|:(?=//)|www(?=\.)", re.IGNORECASE)
_ZERO_WIDTH_SPACE = "\u200b"


def markdown_report(report: RunReport) -> str:
    """GitHub-flavoured Markdown, ended by a newline.

    Text from files and devices is escaped: no HTML, no link, no mention, no table cell can come of it.
    """
    return "\n\n".join(_blocks(report_view(report))) + "\n"


def escaped(text: str) -> str:
    """``text`` with everything that Markdown or HTML would read as more than text made literal."""
    literal = _SPECIAL.sub(r"\\\1", text)
    unlinked = _REFERENCE.sub(lambda found: found.group() + _ZERO_WIDTH_SPACE, literal)
    return html.escape(unlinked, quote=False)


def _blocks(view: ReportView) -> Iterator[str]:
    judged = view.judgement
    yield f"**{MARKS[judged.answer]} {judged.answer.upper()}**: {escaped(judged.reason)}"
    yield f"{escaped(view.suite)}, run `{view.run_id}`, {view.created}"
    if view.incomplete is not None:
        yield f"⚠️ {escaped(view.incomplete)} Resume it: `{view.resume_command}`"
    if view.main.rows:
        yield _figure_table(view.main)
    if view.legend:
        yield f"<sub>{' · '.join(map(escaped, view.legend))}</sub>".replace("second line", "in parentheses")
    if view.without_figures:
        yield "\n".join(
            f"- **{escaped(one.variant)}** {escaped(f'{one.what}: {one.problem} → {one.next_step}')}"
            for one in view.without_figures
        )
    if judged.rules or judged.others:
        yield _rules((*judged.rules, *judged.others))
    if judged.next_steps:
        yield "\n".join(f"- {escaped(step)}" for step in judged.next_steps)
    yield f"Releasable: {escaped(', '.join(judged.releasable)) or 'none'}"
    if view.disagreements.groups:
        yield _disagreements(view)
    if view.findings:
        yield "\n".join(_findings(view))
    yield _details(view)


def _figure_table(table: FigureTable) -> str:
    heads = [
        f"{escaped(column.title)}{f' ({escaped(column.unit)})' if column.unit else ''}"
        for column in table.columns
    ]
    lines = [
        f"| Variant | {' | '.join(heads)} | Verdict |",
        f"|:--|{'--:|' * len(heads)}:--|",
    ]
    for row in table.rows:
        answer = "not judged" if row.answer is None else f"{MARKS[row.answer]} {row.answer}"
        lines.append(f"| {escaped(row.variant)} | {' | '.join(map(_cell, row.cells))} | {answer} |")
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    text = " ".join(part for part in (cell.figure, cell.spread) if part)
    figure = f"**{escaped(text)}** ★" if cell.is_best else escaped(text)
    if cell.note is not None:
        figure += f"<sup>{cell.note}</sup>"
    detail = cell.detail if cell.detail.startswith("[") or not cell.detail else f"({cell.detail})"
    return f"{figure} {escaped(detail)}".rstrip()


def _rules(rules: tuple[JudgedRule, ...]) -> str:
    lines = ["| Variant | Rule | Figure | |", "|:--|:--|--:|:--|"]
    for rule in rules:
        reason = f": {escaped(rule.reason)}" if rule.reason else ""
        lines.append(
            f"| {escaped(rule.variant)} | {escaped(rule.rule)} | {escaped(rule.figure)} "
            f"| {MARKS[rule.answer]} {rule.answer}{reason} |"
        )
    return "\n".join(lines)


def _disagreements(view: ReportView) -> str:
    shown = view.disagreements
    count = sum(len(group.lines) for group in shown.groups) + shown.not_shown
    truths = any(line.truth for group in shown.groups for line in group.lines)
    heads = ["Variant", "Input", "Reference", "Variant says", "Margin", *(["Truth"] if truths else [])]
    lines = [
        f"<details><summary>Disagreements with the reference: {count}</summary>",
        "",
        f"| {' | '.join(heads)} |",
        f"|{':--|' * len(heads)}",
    ]
    for group in shown.groups:
        for line in group.lines:
            cells = [
                group.variant,
                isolated(line.input_name),
                _said(line.reference, line.reference_score, right=line.right == "reference"),
                _said(line.variant, line.variant_score, right=line.right == "variant"),
                line.margin,
                *([isolated(line.truth)] if truths else []),
            ]
            lines.append(f"| {' | '.join(map(escaped, cells))} |")
    if shown.not_shown:
        lines += ["", f"and {shown.not_shown} more: `harness report {view.run_id} --disagreements`"]
    return "\n".join([*lines, "", "</details>"])


def _said(label: str, score: str, *, right: bool) -> str:
    return f"{isolated(label)} {score}{' ✓' if right else ''}".rstrip()


def _findings(view: ReportView) -> Iterator[str]:
    for group in view.findings:
        sign = "⚠️" if group.severity == "warning" else "\N{INFORMATION SOURCE}\N{VARIATION SELECTOR-16}"
        said = "; ".join(
            f"{f'{variant}: ' if variant else ''}{message}" for variant, message in group.messages
        )
        yield f"- {sign} **{escaped(group.kind)}** {escaped(said)} → {escaped(' '.join(group.advice))}"


def _details(view: ReportView) -> str:
    lines = ["<details><summary>How it was measured</summary>", ""]
    lines += [f"- {word}: {escaped(text)}" for word, text in view.facts]
    lines += [f"- <sup>{number}</sup> {escaped(text)}" for number, text in enumerate(view.footnotes, start=1)]
    return "\n".join([*lines, "", "</details>"])
