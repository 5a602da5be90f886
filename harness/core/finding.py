"""A finding: what a reader of the figures must know about them, as a value."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from harness.core.value import Value


class FindingKind(StrEnum):
    """The circumstances that are looked for."""

    TOO_FEW_SAMPLES = "too-few-samples"
    NOISY = "noisy"
    BUSY_MACHINE = "busy-machine"
    SLOW_FIRST_RUN = "slow-first-run"
    FIRST_RUN_OUTLIER = "first-run-outlier"
    DRIFT = "drift"
    LEVEL_SHIFT = "level-shift"
    OUTLIERS = "outliers"
    THERMAL = "thermal"
    THERMAL_CHANGE = "thermal-change"
    LOW_POWER_MODE = "low-power-mode"
    NONDETERMINISTIC = "nondeterministic"
    INVALID_OUTPUTS = "invalid-outputs"
    VIEWS_NOT_INDEPENDENT = "views-not-independent"
    NO_TRUTH = "no-truth"
    FEW_LABELLED = "few-labelled"
    RUNTIME_MISMATCH = "runtime-mismatch"
    CONSTANT_OUTPUT = "constant-output"
    NO_GAIN = "no-gain"
    ONE_CLASS = "one-class"
    TEXTS_CUT_OFF = "texts-cut-off"
    UNKNOWN_CHARACTERS = "unknown-characters"
    TEXTS_ALIKE = "texts-alike"
    MEMORY_DISAGREES = "memory-disagrees"
    INTERRUPTED = "interrupted"
    LOW_BATTERY = "low-battery"
    ACCELERATOR_NOT_USED = "accelerator-not-used"
    WEIGHT_CACHE_BUILT = "weight-cache-built"
    SET_ASIDE = "set-aside"


class Finding(Value):
    """``message`` says what was seen, with numbers; ``advice`` what to do about it."""

    kind: FindingKind
    variant: str | None
    """The variant it is about; absent: it is about the whole run."""
    message: str
    advice: str
    severity: Literal["note", "warning"]


def percent(fraction: float) -> str:
    """Three digits: ``2.5 %``."""
    return f"{fraction * 100:.3g} %"


def milliseconds(nanoseconds: float) -> str:
    """Four digits: ``12.34 ms``."""
    return f"{nanoseconds / 1e6:.4g} ms"


def note(kind: FindingKind, variant: str | None, message: str, advice: str) -> list[Finding]:
    """One finding of that severity, as a list."""
    return [Finding(kind=kind, variant=variant, message=message, advice=advice, severity="note")]


def warning(kind: FindingKind, variant: str | None, message: str, advice: str) -> list[Finding]:
    """One finding of that severity, as a list."""
    return [Finding(kind=kind, variant=variant, message=message, advice=advice, severity="warning")]
