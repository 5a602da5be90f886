"""``python -m benchmarks.decision_page``: docs/statistics-simulated.md, by benchmarks/decision_rates.py."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from benchmarks.decision_rates import (
    ComparedRates,
    GateRates,
    agreement_gates,
    compared_rates,
    drop_coverage,
    drop_gates,
    latency_gates,
    percentile_coverage,
    proportion_coverage,
    round_figures,
    sequence_coverage,
)
from benchmarks.record_noise import Recording, read_recording, recordings
from benchmarks.result import Part, Result
from benchmarks.workspace import ROOT, Workspace
from harness.wire.strict_json import write_text

PAGE = ROOT / "docs" / "statistics-simulated.md"
SLOWDOWN = 1.05
ROUNDS = (8, 12, 20, 30)
CLAIMED_ROUNDS = 12
CLAIMED = "undisturbed"
"""The recording that power is claimed on; the busy one shows what other programs cost."""
MOST_ALARMS, MOST_MISSED, LARGEST_SHARE = 0.05, 0.05, 0.35
_COMPARISONS = 4
"""For each gate: they are quick, and a share of 5 % of 4,000 has a standard error of 0.3 points."""
_AGREEMENTS = (1.0, 0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.90)
_CLEAR_AGREEMENTS = (0.99, 0.93)
_DROPS = (-0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04, 0.06)
_CLEAR_DROPS = (-0.02, 0.04)
_LATENCIES = (0.95, 0.97, 0.98, 0.99, 0.995, 1.0, 1.01, 1.02, 1.03, 1.05)
_CLEAR_LATENCIES = (0.97, 1.03)


@dataclass(frozen=True)
class ComparedRow:
    """``by_chance``: without asking for an effect that matters."""

    recording: str
    paired: bool
    rounds: int
    unchanged: ComparedRates
    by_chance: ComparedRates
    slowed: ComparedRates


def compared_rows(found: Sequence[Recording], repetitions: int) -> list[ComparedRow]:
    """Every recording, paired and not, by the number of rounds."""
    rows = []
    for recording, paired, rounds in product(found, (True, False), ROUNDS):
        rates = partial(
            compared_rates,
            round_figures(recording),
            rounds,
            paired=paired,
            repetitions=repetitions,
            seed=rounds,
        )
        rows.append(
            ComparedRow(recording.name, paired, rounds, rates(), rates(effect=0.0), rates(slowdown=SLOWDOWN))
        )
    return rows


def coverages(repetitions: int) -> list[tuple[str, float, float]]:
    """What, at which rate it should hold, and how often it does."""
    return [
        ("p50 of 50 independent samples", 0.95, percentile_coverage(0.5, 50, repetitions)),
        ("p90 of 200 independent samples", 0.95, percentile_coverage(0.9, 200, repetitions)),
        ("p99 of 1000 independent samples", 0.95, percentile_coverage(0.99, 1000, repetitions)),
        ("agreement 0.95 of 420 (Clopper-Pearson)", 0.95, proportion_coverage(0.95, 420, 2 * repetitions)),
        ("agreement 0.995 of 420", 0.95, proportion_coverage(0.995, 420, 2 * repetitions)),
        ("drop 0.01 of 300, 3 % discordant (Tango)", 0.95, drop_coverage(0.02, 0.01, 300, 2 * repetitions)),
        ("drop 0.01 of 1000, 5 % discordant", 0.95, drop_coverage(0.03, 0.02, 1000, 2 * repetitions)),
        (
            "confidence sequence of an agreement, at all of 40 looks",
            0.90,
            sequence_coverage(0.9, repetitions=repetitions // 4),
        ),
    ]


def gate_tables(repetitions: int) -> dict[str, list[GateRates]]:
    """By kind of rule, the truths in order."""
    figures = round_figures(read_recording(CLAIMED))
    return {
        "agreement": [agreement_gates(truth, repetitions=repetitions) for truth in _AGREEMENTS],
        "drop": [drop_gates(truth, repetitions=repetitions) for truth in _DROPS],
        "latency": [latency_gates(figures, truth, repetitions=repetitions) for truth in _LATENCIES],
    }


def decision_rates(_: Workspace, repetitions: int = 1000) -> list[Result]:
    """The three claims of docs/statistics.md."""
    figures = round_figures(read_recording(CLAIMED))
    comparisons = _COMPARISONS * repetitions
    unchanged = [
        compared_rates(round_figures(one), CLAIMED_ROUNDS, paired=paired, repetitions=comparisons).alarms
        for one in recordings()
        for paired in (True, False)
    ]
    slowed = [
        compared_rates(
            figures, CLAIMED_ROUNDS, paired=paired, slowdown=SLOWDOWN, repetitions=repetitions
        ).slower
        for paired in (True, False)
    ]
    clear = [
        *(agreement_gates(truth, repetitions=repetitions) for truth in _CLEAR_AGREEMENTS),
        *(drop_gates(truth, repetitions=repetitions) for truth in _CLEAR_DROPS),
        *(latency_gates(figures, truth, repetitions=repetitions) for truth in _CLEAR_LATENCIES),
    ]
    return [
        Result(
            name="false alarms",
            figure=max(unchanged),
            unit="×",
            goal=MOST_ALARMS,
            compared=f"share of {comparisons} comparisons of {CLAIMED_ROUNDS} rounds with themselves that call p50 or "
            "p90 different, the worst of each recording, paired and not",
        ),
        Result(
            name="missed slowdowns",
            figure=1 - min(slowed),
            unit="×",
            goal=MOST_MISSED,
            compared=f"share of {repetitions} comparisons of {CLAIMED_ROUNDS} rounds, one side 5 % slower, that do not "
            "say so, the worse of paired and not, in the noise of an undisturbed runner",
        ),
        Result(
            name="samples until decided",
            figure=max(one.mean_share for one in clear),
            unit="×",
            goal=LARGEST_SHARE,
            compared="mean samples of gates that stop when decided over those of the test of a fixed size with the "
            "same error rates, where the truth is clear: the worst of six rules",
            parts=tuple(Part(name=f"truth {one.truth:g}", figure=one.mean_share, unit="×") for one in clear),
        ),
    ]


def page(repetitions: int) -> Iterator[str]:
    """Lines of Markdown."""
    found = recordings()
    yield _HEAD
    for one in found:
        yield f"- **{one.name}**: {one.about}"
    comparisons = _COMPARISONS * repetitions
    yield _COMPARING.format(comparisons=comparisons)
    for row in compared_rows(found, comparisons):
        yield (
            f"| {row.recording} | {row.rounds} | {'paired' if row.paired else 'apart'} | {row.unchanged.alarms:.3f} "
            f"| {row.by_chance.alarms:.3f} | {row.by_chance.covered:.3f} | {row.slowed.slower:.3f} |"
        )
    yield _INTERVALS
    for what, nominal, held in coverages(repetitions):
        yield f"| {what} | {nominal:g} | {held:.3f} |"
    yield _GATES.format(repetitions=repetitions)
    for name, gates in gate_tables(repetitions).items():
        yield _TITLES[name].format(fixed=gates[0].fixed)
        yield from map(_gate_row, gates)


def _gate_row(gate: GateRates) -> str:
    shares = [f"{gate.quantile_share(one):.2f}" for one in (0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)]
    is_open = max(0.0, 1 - gate.passed - gate.failed)
    cells = [f"{gate.truth:g}", f"{gate.passed:.3f}", f"{gate.failed:.3f}", f"{is_open:.3f}"]
    return f"| {' | '.join([*cells, f'**{gate.mean_share:.2f}**', *shares])} |"


_HEAD = """# How often it is wrong, by simulation

Written by `python -m benchmarks.decision_page --write-docs`; do not edit. Fixed seeds, on the code that answers;
[statistics.md](statistics.md) says what it does. A reduced version stands in the tests.

## Noise

Recorded from the real runner, whole processes in the order in which they ran (`python -m benchmarks.record_noise`):
"""

_COMPARING = """
## Comparing, {comparisons} comparisons for each figure

Both sides are drawn from one recording: *paired*, a stretch of it in turns of random order; *apart*, any processes. An
alarm is p50 or p90 called faster or slower, at 95 % for both together and an effect of 2 %; *by chance*: with an effect
of 0. *Held*: intervals, at 97.5 % each, that hold the true ratio, the worse of the two. *5 % found*: one side is 5 %
slower, and is called so.

| noise | rounds | | alarms | by chance | held | 5 % found |
|---|--:|---|--:|--:|--:|--:|"""

_INTERVALS = """
## Intervals

| interval | nominal | held |
|---|--:|--:|"""

_GATES = """
## Gates that sample until they are decided, {repetitions} for each truth

Error rates 5 % and 5 %. *Samples* are shares of what one test of a fixed size takes for the same error rates between
the limit and a good variant; a gate that was open at four times that was stopped."""

_COLUMNS = """

| truth | pass | fail | open | mean | 10 % | 25 % | 50 % | 75 % | 90 % | 99 % | most |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""

_TITLES = {
    "agreement": "\n**Agreement of at least 0.95**, good from 0.97 on; the fixed size is {fixed} originals (exact "
    "binomial)." + _COLUMNS,
    "drop": "\n**Accuracy drop of at most 0.02**, good from 0 down, 4 % of answers discordant or as many as the drop "
    "needs; the fixed size is {fixed} originals (normal approximation)." + _COLUMNS,
    "latency": "\n**p50 of at most a limit**, good from 1 % below it down, in the undisturbed noise; truth is the "
    "median round over the limit; the fixed size is {fixed} rounds (sign test)." + _COLUMNS,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decision_page", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    text = "\n".join(page(arguments.repetitions)) + "\n"
    if arguments.write_docs:
        write_text(PAGE, text)
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
