"""Baselines: reports that releases are gated on, kept by name in ``<runs>/baselines/NAME.json``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.core.report import RunReport
from harness.errors import HarnessError, UsageError
from harness.store.run_folder import read_report
from harness.wire.strict_json import write_text

BASELINES = "baselines"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Baseline:
    """A baseline's name and file, and its report, or why that cannot be read."""

    name: str
    path: Path
    report: RunReport | None
    problem: str | None = None


def baseline_path(runs: Path, name: str) -> Path:
    """Where the baseline called ``name`` is kept.

    Raises:
        UsageError: that is no name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a baseline",
            where="--name",
            next_step="Use letters, digits, '.', '_' and '-', at most 64, a letter or digit first.",
        )
    return runs / BASELINES / f"{name}.json"


def set_baseline(runs: Path, name: str, report: RunReport) -> Path:
    """Keep ``report`` under ``name``, in place of what was there; the file, written whole or not at all."""
    path = baseline_path(runs, name)
    write_text(path, report.model_dump_json(indent=1) + "\n")
    return path


def list_baselines(runs: Path) -> list[Baseline]:
    """Every baseline in ``runs``, by name; those that cannot be read with the reason."""
    found = []
    for path in sorted((runs / BASELINES).glob("*.json")):
        try:
            found.append(Baseline(path.stem, path, read_report(path)))
        except HarnessError as error:
            found.append(Baseline(path.stem, path, None, error.problem))
    return found


def find_baseline(runs: Path, name: str) -> Baseline:
    """The baseline called ``name``.

    Raises:
        UsageError: there is none.
        WireError: it cannot be read.
    """
    path = baseline_path(runs, name)
    if not path.is_file():
        names = [one.name for one in list_baselines(runs)]
        raise UsageError(
            f"there is no baseline {name!r}",
            where=str(runs / BASELINES),
            next_step=f"Choose one of {', '.join(names)}." if names else "Set one: harness baseline set RUN.",
        )
    return Baseline(name, path, read_report(path))
