"""How long a lab takes, computed from what the benchmarks measured: the table in docs/lab.md.

``python -m benchmarks.lab_sizing RECORD.json``, where the record is of ``python -m benchmarks lab_costs
reference_cores --json RECORD.json``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reference_cores import KERAS_INPUTS
from benchmarks.result import Record, Result
from harness.wire.strict_json import read_value


@dataclass(frozen=True)
class Costs:
    """What was measured."""

    reference_s: float
    """Of one input on one core."""
    job_s: float
    """Of one job, beyond the job itself."""
    gigabyte_s: float
    """Of 10^9 bytes sent to one worker."""


@dataclass(frozen=True)
class Lab:
    """A lab and a suite. ``inference_s`` and ``start_s`` (load, compile, warm-up) are the model's on the phone."""

    name: str
    workers: int
    phones: int
    cores: int
    """Of all workers together."""
    inputs: int
    input_bytes: int
    variants: int
    rounds: int
    inference_s: float
    start_s: float


EXAMPLES = (
    Lab("two desks", 2, 3, 16, 1_000, 224 * 224 * 3, 4, 5, 0.010, 1.0),
    Lab("a rack", 3, 12, 48, 50_000, 224 * 224 * 3, 4, 20, 0.010, 1.0),
)


@dataclass(frozen=True)
class Times:
    """Seconds. The phones work side by side, and each of them does all of the suite."""

    reference_s: float
    sending_s: float
    phones_s: float
    overhead_s: float
    """The part of ``phones_s`` that the lab adds."""


def times_of(lab: Lab, costs: Costs) -> Times:
    """Every worker is sent every input once, whatever the number of its phones."""
    jobs = lab.variants * lab.rounds
    overhead_s = jobs * costs.job_s
    return Times(
        reference_s=lab.inputs * costs.reference_s / lab.cores,
        sending_s=lab.inputs * lab.input_bytes * lab.workers / 1e9 * costs.gigabyte_s,
        phones_s=lab.variants * lab.inputs * lab.inference_s + jobs * lab.start_s + overhead_s,
        overhead_s=overhead_s,
    )


def costs_of(record: Record) -> Costs:
    """From a record of the benchmarks, on the machine that it tells of.

    Raises:
        KeyError: a benchmark is missing from it.
    """
    results = {result.name: result for result in record.results}
    keras = _part(results["reference_cores keras"], "harness")
    return Costs(
        reference_s=keras * record.machine.logical_cores / KERAS_INPUTS,
        job_s=results["lab_job"].figure / 1000,
        gigabyte_s=results["lab_gigabyte"].figure,
    )


def sizing_table(costs: Costs) -> str:
    """Markdown: a column for each of ``EXAMPLES``."""
    times = [times_of(lab, costs) for lab in EXAMPLES]
    rows = [
        ("", *(lab.name for lab in EXAMPLES)),
        ("---", *("---" for _ in EXAMPLES)),
        ("workers, phones, cores", *(f"{lab.workers}, {lab.phones}, {lab.cores}" for lab in EXAMPLES)),
        ("photos, variants, rounds", *(f"{lab.inputs:,}, {lab.variants}, {lab.rounds}" for lab in EXAMPLES)),
        ("the reference", *(_shown(one.reference_s) for one in times)),
        ("inputs to all workers", *(_shown(one.sending_s) for one in times)),
        ("on every phone at once", *(_shown(one.phones_s) for one in times)),
        ("of that, the lab's own part", *(_shown(one.overhead_s) for one in times)),
        (
            "the same phones one after another",
            *(_shown(one.phones_s * lab.phones) for one, lab in zip(times, EXAMPLES, strict=True)),
        ),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _part(result: Result, name: str) -> float:
    return next(part.figure for part in result.parts if part.name == name)


def _shown(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


if __name__ == "__main__":
    print(sizing_table(costs_of(read_value(Path(sys.argv[1]), Record, next_step="Run the benchmarks."))))
