"""Findings about a workload of texts: what of them reaches the model."""

from __future__ import annotations

from collections import Counter

import numpy as np

from harness.core.finding import Finding, FindingKind, note, percent, warning
from harness.core.jobs import CharacterEncoding
from harness.core.text_encoding import FIRST_CHARACTER, UNKNOWN, encode_texts
from harness.core.workload import Workload

MUCH_UNKNOWN = 0.1
"""Share of all characters that the alphabet lacks from which the alphabet is perhaps another model's."""


def text_findings(workload: Workload) -> list[Finding]:
    """Texts that are cut off, that the alphabet does not know, or that no model can tell apart."""
    encoding = workload.encoding
    if not isinstance(encoding, CharacterEncoding):
        return []
    texts = [one.name for one in workload.inputs]
    numbers = encode_texts(texts, encoding.rule)
    found = _cut_off(texts, encoding.rule.length)
    found += _unknown_characters(numbers)
    return found + _alike(numbers)


def _cut_off(texts: list[str], length: int) -> list[Finding]:
    longer = sum(len(text) > length for text in texts)
    if not longer:
        return []
    return note(
        FindingKind.TEXTS_CUT_OFF,
        None,
        f"{longer} of {len(texts)} texts are longer than the {length} characters that reach the model",
        "Only their beginning is judged, as on the phone; train with a greater length if their ends matter.",
    )


def _unknown_characters(numbers: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> list[Finding]:
    unknown, known = numbers == UNKNOWN, numbers >= FIRST_CHARACTER
    share = unknown.sum() / max(1, unknown.sum() + known.sum())
    blank = int((~known.any(axis=1)).sum())
    if share <= MUCH_UNKNOWN and not blank:
        return []
    none = f"; {blank} of {len(numbers)} texts have none that it knows" if blank else ""
    return warning(
        FindingKind.UNKNOWN_CHARACTERS,
        None,
        f"{percent(float(share))} of the texts' characters are not in the alphabet{none}",
        "Check that the alphabet is the model's own, and that the texts are in a language it was trained on.",
    )


def _alike(numbers: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> list[Finding]:
    counts = Counter(row.tobytes() for row in numbers)
    alike = sum(count for count in counts.values() if count > 1)
    if not alike:
        return []
    return note(
        FindingKind.TEXTS_ALIKE,
        None,
        f"{alike} of {len(numbers)} texts reach the model exactly as another one with another label does",
        "No model can be right on all of them: its accuracy has an upper bound below 100 %.",
    )
