"""The inputs on which variants disagree with the reference, a card each, those that matter most first."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from harness.core.measurements import Disagreement
from harness.core.report import RunReport
from harness.core.workload import OutputKind, Task
from harness.render import figures
from harness.render.figure_tables import measured
from harness.render.html.exhibits import Picture
from harness.render.plain_text import one_line, shortened

MOST_CARDS = 600
_LONGEST_TEXT = 600
_LONGEST_LABEL = 80

Fate = Literal["lost", "repaired", "both wrong", "unknown"]
_ORDER: dict[Fate, int] = {"lost": 0, "unknown": 1, "both wrong": 2, "repaired": 3}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one variant says. ``share`` is the margin as a percentage of the widest bar, for drawing it."""

    variant: str
    label: str
    score: str
    margin: str
    share: float
    fate: Fate


@dataclass(frozen=True, slots=True)
class Card:
    """One input. ``rank`` is its place in the order of importance, ``margin`` the largest of its answers."""

    input_index: int
    name: str
    picture: str | None
    text: str | None
    truth: str | None
    reference: str
    reference_score: str
    reference_is_right: bool | None
    answers: tuple[Answer, ...]
    rank: int
    margin: float
    fate: Fate


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often variants turn one label into another; ``counts`` in the order of the page's variants."""

    reference: str
    variant: str
    counts: tuple[int, ...]
    total: int


def disagreement_cards(report: RunReport, pictures: Mapping[int, Picture]) -> tuple[Card, ...]:
    """All of them. First where the reference is right and a variant is not, then where nobody knows, then where both
    are wrong, last where a variant mends the reference; among those the largest margin first."""
    by_input: dict[int, list[tuple[str, Disagreement]]] = {}
    for one in measured(report):
        for entry in one.agreement.disagreements:
            by_input.setdefault(entry.input_index, []).append((one.variant.name, entry))
    ordered = sorted(by_input.items(), key=lambda item: _importance(item[1]))
    return tuple(
        _card(report, rank, index, entries, pictures.get(index))
        for rank, (index, entries) in enumerate(ordered)
    )


def most_important_inputs(report: RunReport, most: int = MOST_CARDS) -> tuple[int, ...]:
    """The inputs of the first cards: those worth a picture."""
    return tuple(card.input_index for card in disagreement_cards(report, {})[:most])


def confusions(report: RunReport) -> tuple[Confusion, ...]:
    """Pairs of labels, the most frequent first."""
    found = measured(report)
    counts: dict[tuple[int, int | None], Counter[str]] = {}
    for one in found:
        for entry in one.agreement.disagreements:
            pair = entry.reference_class, entry.variant_class
            counts.setdefault(pair, Counter())[one.variant.name] += 1
    return tuple(
        Confusion(
            reference=_label(report, reference),
            variant=_label(report, variant),
            counts=tuple(of_pair[one.variant.name] for one in found),
            total=of_pair.total(),
        )
        for (reference, variant), of_pair in sorted(
            counts.items(), key=lambda item: (-item[1].total(), item[0][0])
        )
    )


def fate_of(entry: Disagreement) -> Fate:
    """Who is right, where the truth is known."""
    if entry.truth is None:
        return "unknown"
    if entry.truth == entry.reference_class:
        return "lost"
    return "repaired" if entry.truth == entry.variant_class else "both wrong"


def _importance(entries: list[tuple[str, Disagreement]]) -> tuple[int, bool, float, int]:
    worst = min(_ORDER[fate_of(entry)] for _, entry in entries)
    finite = all(entry.margin is not None for _, entry in entries)
    return worst, finite, -_largest_margin(entries), entries[0][1].input_index


def _largest_margin(entries: list[tuple[str, Disagreement]]) -> float:
    return max((entry.margin for _, entry in entries if entry.margin is not None), default=0.0)


def _label(report: RunReport, index: int | None) -> str:
    text = "not finite" if index is None else report.workload.label(index)
    return shortened(one_line(text), _LONGEST_LABEL)


def _card(
    report: RunReport,
    rank: int,
    index: int,
    entries: list[tuple[str, Disagreement]],
    picture: Picture | None,
) -> Card:
    is_probability = report.workload.output_kind is OutputKind.PROBABILITIES
    score = partial(figures.score, is_probability=is_probability)
    first = entries[0][1]
    widest = 1.0 if is_probability else max(_largest_margin(entries), 1e-30)
    answers = tuple(
        Answer(
            variant=one_line(variant),
            label=_label(report, entry.variant_class),
            score="" if entry.variant_score is None else score(entry.variant_score),
            margin=figures.ABSENT if entry.margin is None else score(entry.margin),
            share=round(100 * min(max(entry.margin or 0.0, 0.0) / widest, 1.0), 1),
            fate=fate_of(entry),
        )
        for variant, entry in entries
    )
    # The name of a text is the text itself.
    is_text = report.workload.task is Task.TEXT_CLASSIFICATION
    return Card(
        input_index=index,
        name=one_line(report.workload.inputs[index].group if is_text else first.input_name),
        picture=None if picture is None else _data_uri(picture),
        text=shortened(one_line(first.input_name), _LONGEST_TEXT) if is_text else None,
        truth=None if first.truth is None else _label(report, first.truth),
        reference=_label(report, first.reference_class),
        reference_score=score(first.reference_score),
        reference_is_right=None if first.truth is None else first.truth == first.reference_class,
        answers=answers,
        rank=rank,
        margin=_largest_margin(entries),
        fate=min((answer.fate for answer in answers), key=_ORDER.__getitem__),
    )


def _data_uri(picture: Picture) -> str:
    return f"data:{picture.mime_type};base64,{base64.b64encode(picture.data).decode()}"
