"""What a person names to compare: a run, a variant of it, a baseline, a release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.core.measurements import result_name
from harness.core.report import RunReport
from harness.errors import UsageError
from harness.pipeline.evaluate import evaluate
from harness.store import RunFolder, find_run, list_runs, read_report
from harness.store.baselines import find_baseline

_BASELINE = "baseline:"
_RELEASE = "release:"


@dataclass(frozen=True)
class ComparedSide:
    """One side of a comparison. ``folder`` is absent for a report without its run; ``variant``: none was named."""

    report: RunReport
    folder: RunFolder | None
    variant: str | None


def compared_side(text: str, runs: Path) -> ComparedSide:
    """What ``text`` names: a run folder or the name of one in ``runs``, a file that ``harness report --json`` printed,
    ``baseline:NAME``, or ``release:NAME`` for the newest run of that release; each with ``:VARIANT`` or without.

    Raises:
        UsageError: there is no such release, baseline or variant.
        RunError, WireError: it is no run, or a damaged one.
    """
    whole, _, variant = text.rpartition(":")
    if whole and whole + ":" not in (_BASELINE, _RELEASE) and not _is_there(text, runs):
        side = _whole(whole, runs)
        return ComparedSide(side.report, side.folder, _checked(variant, side.report, text))
    return _whole(text, runs)


def _is_there(text: str, runs: Path) -> bool:
    return Path(text).exists() or (runs / text).exists()


def _whole(text: str, runs: Path) -> ComparedSide:
    if text.startswith(_BASELINE):
        report = find_baseline(runs, text.removeprefix(_BASELINE)).report
        assert report is not None
        return ComparedSide(report, None, None)
    if text.startswith(_RELEASE):
        folder = _of_release(text.removeprefix(_RELEASE), runs)
        return ComparedSide(evaluate(folder), folder, None)
    path = Path(text)
    if path.is_file():
        return ComparedSide(read_report(path), None, None)
    folder = find_run(path, runs)
    return ComparedSide(evaluate(folder), folder, None)


def _of_release(name: str, runs: Path) -> RunFolder:
    releases = []
    for folder in reversed(list_runs(runs)):
        release = folder.plan().release
        if release == name:
            return RunFolder.open(folder.path)
        if release:
            releases.append(release)
    known = ", ".join(dict.fromkeys(releases))
    raise UsageError(
        f"there is no run of a release {name!r}",
        where=str(runs),
        next_step=f"Choose one of {known}." if known else "Name releases: harness run SUITE --release NAME.",
    )


def _checked(variant: str, report: RunReport, text: str) -> str:
    names = [result_name(result) for result in report.results]
    if variant not in names:
        raise UsageError(
            f"there is no variant {variant!r} in it",
            where=text,
            next_step=f"Choose one of {', '.join(names)}.",
        )
    return variant


def compared_variants(a: ComparedSide, b: ComparedSide) -> tuple[str, str] | None:
    """Which variant is compared with which; ``None``: all that both have. One that is named stands for both.

    Raises:
        UsageError: the other side has no variant of that name.
    """
    if a.variant is None and b.variant is None:
        return None
    name_a, name_b = a.variant or b.variant, b.variant or a.variant
    assert name_a is not None and name_b is not None
    return (
        _checked(name_a, a.report, a.report.plan.run_id),
        _checked(name_b, b.report, b.report.plan.run_id),
    )
