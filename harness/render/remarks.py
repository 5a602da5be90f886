"""What stands beside the figures: variants without any, disagreements with the reference, findings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from harness.core.finding import Finding, FindingKind
from harness.core.measurements import Disagreement, Measurement, NotMeasured
from harness.core.report import RunReport
from harness.core.workload import OutputKind, Task, Workload
from harness.render import figures
from harness.render.plain_text import one_line, shortened

SHOWN_DISAGREEMENTS = 8
_LONGEST_NAME = 48
_LONGEST_TEXT = 140
"""A text is what is judged, not the name of it."""


@dataclass(frozen=True, slots=True)
class WithoutFigures:
    """A variant that was not measured: what happened, and the next step."""

    variant: str
    what: str
    problem: str
    next_step: str


@dataclass(frozen=True, slots=True)
class DisagreementLine:
    """One input with the reference's label and the variant's, each with its score."""

    input_name: str
    reference: str
    reference_score: str
    variant: str
    variant_score: str
    margin: str
    truth: str
    right: Literal["reference", "variant", "neither", ""]


@dataclass(frozen=True, slots=True)
class DisagreementGroup:
    variant: str
    count: int
    inputs: int
    lines: tuple[DisagreementLine, ...]


@dataclass(frozen=True, slots=True)
class Disagreements:
    """The first of each variant by margin; ``not_shown`` counts the rest."""

    groups: tuple[DisagreementGroup, ...]
    not_shown: int


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings of one kind. ``messages`` pair a variant (or nothing: the whole run) with what was seen."""

    kind: str
    severity: Literal["note", "warning"]
    messages: tuple[tuple[str, str], ...]
    advice: tuple[str, ...]


def without_figures(report: RunReport) -> tuple[WithoutFigures, ...]:
    return tuple(_without(result) for result in report.results if isinstance(result, NotMeasured))


def _without(result: NotMeasured) -> WithoutFigures:
    what = result.outcome.replace("-", " ")
    if result.stage is not None:
        what += f" in {result.stage.replace('_', ' ')}"
    return WithoutFigures(
        variant=one_line(result.name),
        what=f"{what} ({one_line(result.code).replace('_', ' ')})",
        problem=one_line(result.problem),
        next_step=one_line(result.next_step),
    )


def disagreements(report: RunReport, *, most: int | None = SHOWN_DISAGREEMENTS) -> Disagreements:
    """At most ``most`` in all (``None``: every one), shared out evenly, in the order of the measurement."""
    concerned = [
        result
        for result in report.results
        if isinstance(result, Measurement) and result.agreement.disagreements
    ]
    shares = _shares([len(one.agreement.disagreements) for one in concerned], most)
    groups = tuple(
        DisagreementGroup(
            variant=one_line(one.variant.name),
            count=len(one.agreement.disagreements),
            inputs=one.agreement.top1.trials,
            lines=tuple(_line(entry, report.workload) for entry in one.agreement.disagreements[:share]),
        )
        for one, share in zip(concerned, shares, strict=True)
        if share
    )
    return Disagreements(
        groups, not_shown=sum(len(one.agreement.disagreements) for one in concerned) - sum(shares)
    )


def _shares(counts: list[int], most: int | None) -> list[int]:
    """One for each in turn until ``most`` are given out."""
    if most is None:
        return counts
    shares = [0] * len(counts)
    while sum(shares) < min(most, sum(counts)):
        for index, count in enumerate(counts):
            if shares[index] < count and sum(shares) < most:
                shares[index] += 1
    return shares


def _line(entry: Disagreement, workload: Workload) -> DisagreementLine:
    score = partial(figures.score, is_probability=workload.output_kind is OutputKind.PROBABILITIES)
    right: Literal["reference", "variant", "neither", ""] = ""
    if entry.truth is not None:
        right = "neither"
        if entry.truth == entry.reference_class:
            right = "reference"
        elif entry.truth == entry.variant_class:
            right = "variant"
    return DisagreementLine(
        input_name=_input(entry.input_name, workload),
        reference=_name(workload.label(entry.reference_class)),
        reference_score=score(entry.reference_score),
        variant="not finite" if entry.variant_class is None else _name(workload.label(entry.variant_class)),
        variant_score="" if entry.variant_score is None else score(entry.variant_score),
        margin=figures.ABSENT if entry.margin is None else score(entry.margin),
        truth="" if entry.truth is None else _name(workload.label(entry.truth)),
        right=right,
    )


def _input(name: str, workload: Workload) -> str:
    is_text = workload.task is Task.TEXT_CLASSIFICATION
    return shortened(one_line(name), _LONGEST_TEXT if is_text else _LONGEST_NAME)


def _name(text: str) -> str:
    return shortened(one_line(text), _LONGEST_NAME)


def findings(report: RunReport) -> tuple[FindingGroup, ...]:
    """Warnings first; those of one kind together, in the order of their first."""
    groups: dict[tuple[str, FindingKind], list[Finding]] = {}
    for severity in ("warning", "note"):
        for finding in report.findings:
            if finding.severity == severity:
                groups.setdefault((severity, finding.kind), []).append(finding)
    return tuple(_group(members) for members in groups.values())


def _group(members: list[Finding]) -> FindingGroup:
    by_message: dict[str, list[str]] = {}
    for finding in members:
        by_message.setdefault(one_line(finding.message), []).append(one_line(finding.variant or ""))
    return FindingGroup(
        kind=members[0].kind.replace("-", " "),
        severity=members[0].severity,
        messages=tuple(
            (", ".join(variant for variant in variants if variant), message)
            for message, variants in by_message.items()
        ),
        advice=tuple(dict.fromkeys(one_line(finding.advice) for finding in members)),
    )
