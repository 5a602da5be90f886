"""The view model: a report as plain, one-line strings in reading order. Renderers only lay them out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath

from harness.core.report import RunReport
from harness.core.runs import SkippedInput
from harness.render import figures
from harness.render.chain import ChainTable, chain_of
from harness.render.figure_tables import FigureTable, Footnotes, detail_table, main_table, measured
from harness.render.judgement import Judgement, judgement
from harness.render.operations import VariantProfile, operation_profiles
from harness.render.plain_text import one_line
from harness.render.remarks import (
    Disagreements,
    FindingGroup,
    WithoutFigures,
    disagreements,
    findings,
    without_figures,
)

_SHOWN_SKIPPED = 3


@dataclass(frozen=True, slots=True)
class ReportView:
    """What every renderer shows.

    All strings are safe for a terminal; each renderer escapes for its own format. ``facts`` are pairs of a
    word and what it stands for; ``legend`` explains the marks of the main table.
    """

    suite: str
    run_id: str
    created: str
    facts: tuple[tuple[str, str], ...]
    main: FigureTable
    details: FigureTable
    legend: tuple[str, ...]
    footnotes: tuple[str, ...]
    chain: ChainTable | None
    without_figures: tuple[WithoutFigures, ...]
    operations: tuple[VariantProfile, ...]
    disagreements: Disagreements
    findings: tuple[FindingGroup, ...]
    judgement: Judgement
    incomplete: str | None
    resume_command: str | None


def report_view(report: RunReport) -> ReportView:
    """The view of ``report``; pure."""
    notes = Footnotes()
    main, details = main_table(report, notes), detail_table(report, notes)
    run_id = one_line(report.plan.run_id)
    incomplete = None
    if not report.is_complete:
        incomplete = f"This run is incomplete: {report.jobs_done} of {report.jobs_planned} jobs are done."
    return ReportView(
        suite=one_line(report.plan.suite_name),
        run_id=run_id,
        created=f"{datetime.fromtimestamp(report.plan.created_unix_ns // 10**9, tz=UTC):%Y-%m-%d %H:%M} UTC",
        facts=_facts(report),
        main=main,
        details=details,
        legend=_legend(report, main),
        footnotes=tuple(notes.texts),
        chain=chain_of(report),
        without_figures=without_figures(report),
        operations=operation_profiles({one.variant.name: one.profiles for one in measured(report)}),
        disagreements=disagreements(report),
        findings=findings(report),
        judgement=judgement(report),
        incomplete=incomplete,
        resume_command=None if report.is_complete else f"harness run --resume {run_id}",
    )


def _facts(report: RunReport) -> tuple[tuple[str, str], ...]:
    source = report.plan.source
    runtimes = dict.fromkeys(f"{one.runtime.name} {one.runtime.version}" for one in measured(report))
    threads = report.plan.settings.threads
    facts = [
        ("source", f"{PurePath(source.path).name} ({source.format}, {figures.size(source.bytes)})"),
        ("workload", _workload(report)),
        ("reference", report.reference_engine),
        ("target", _target(report)),
        ("runtime", f"{', '.join(runtimes) or 'unknown'}, {_count(threads, 'thread')}"),
        ("measured", _measured(report)),
    ]
    if (typed := _typed(report)) is not None:
        facts.append(("keystrokes", typed))
    if report.skipped_inputs:
        facts.append(("left out", _skipped(report)))
    return tuple((word, one_line(text)) for word, text in facts)


def _workload(report: RunReport) -> str:
    inputs = report.workload.inputs
    groups = len({one.group for one in inputs})
    labelled = sum(one.truth is not None for one in inputs)
    text = _count(len(inputs), "input")
    if groups < len(inputs):
        text += f" from {_count(groups, 'original')}"
    return f"{text}, {labelled or 'none'} labelled ({report.workload.task.replace('-', ' ')})"


def _target(report: RunReport) -> str:
    devices = dict.fromkeys(
        f"{device.model}, {device.os} {device.os_version}, {_count(device.logical_cores, 'core')}"
        for device in (one.device for one in measured(report))
    )
    return (
        f"{report.target_description}{''.join(f' · {device}' for device in devices)} ({report.target_class})"
    )


def _measured(report: RunReport) -> str:
    end = report.sampling_end
    rounds = (
        f"{_count(end.rounds, 'round')}, sampled until {'decided' if end.is_decided else 'the budget was spent'}"
        if end
        else _count(report.plan.rounds, "interleaved round")
    )
    share = ""
    if 0 < report.inference_ns <= report.measuring_ns:
        share = f", {100 * report.inference_ns / report.measuring_ns:.0f} % of it inference"
    return f"{rounds}, {figures.time(report.measuring_ns)} of jobs{share}"


def _typed(report: RunReport) -> str | None:
    """How keystrokes were measured, from the first variant that has any."""
    found = next((one.keystrokes for one in measured(report) if one.keystrokes is not None), None)
    if found is None:
        return None
    pause = f"{figures.time(found.pause_ns)} apart" if found.pause_ns else "without a pause"
    return (
        f"{_count(found.texts, 'text')} typed key by key for each variant, "
        f"{_count(found.latency.samples, 'keystroke')} {pause}, each from the text so far to five suggestions"
    )


def _skipped(report: RunReport) -> str:
    skipped = report.skipped_inputs
    shown = "; ".join(f"{PurePath(one.file).name}: {_reason(one)}" for one in skipped[:_SHOWN_SKIPPED])
    hidden = sum(one.count for one in skipped[_SHOWN_SKIPPED:])
    more = f"; and {hidden} more" if hidden else ""
    return f"{_count(sum(one.count for one in skipped), 'input')} ({shown}{more})"


def _reason(skipped: SkippedInput) -> str:
    return f"{skipped.count} {skipped.reason}" if skipped.count > 1 else skipped.reason


def _legend(report: RunReport, main: FigureTable) -> tuple[str, ...]:
    cells = [cell for row in main.rows for cell in row.cells]
    lines = []
    if any(cell.is_best for cell in cells):
        lines.append("★ best, or not shown to differ from the best")
    if report.reference_variant is not None and len(main.rows) > 1:
        lines.append(
            f"second line: change from {one_line(report.reference_variant)} (accuracy: from the reference)"
        )
    confidence = next((f"{100 * one.confidence:g} %" for one in measured(report)), None)
    if confidence is not None:
        lines.append(f"{confidence} intervals")
    return tuple(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
