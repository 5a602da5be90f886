"""``python -m benchmarks [NAME…] [--json FILE] [--write-docs]``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.conversions import conversions
from benchmarks.decision_page import decision_rates
from benchmarks.graph_passes import graph_passes
from benchmarks.help_startup import help_startup
from benchmarks.lab_costs import lab_costs
from benchmarks.lab_fleet import lab_fleet
from benchmarks.machine import describe_machine, other_cpu_fraction, this_moment
from benchmarks.page import performance_page
from benchmarks.phone_fleet import phone_first_sample, phone_fleet
from benchmarks.phone_push import phone_push, phone_second_run
from benchmarks.real_a_a import real_a_a
from benchmarks.reference_cores import reference_cores
from benchmarks.report_samples import report_samples
from benchmarks.report_time import report_time
from benchmarks.result import NotMeasured, Record, Result
from benchmarks.run_overhead import run_overhead
from benchmarks.runner_latency import runner_latency
from benchmarks.runner_memory import runner_memory
from benchmarks.second_build import second_build
from benchmarks.store_history import store_history
from benchmarks.table import result_table
from benchmarks.workspace import ROOT, Workspace
from harness import __version__
from harness.errors import ExitStatus, HarnessError
from harness.wire.strict_json import write_text

PAGE = ROOT / "docs" / "performance.md"

BENCHMARKS: dict[str, Callable[[Workspace], Sequence[Result | NotMeasured]]] = {
    "runner_latency": runner_latency,
    "second_build": second_build,
    "help_startup": help_startup,
    "run_overhead": run_overhead,
    "runner_memory": runner_memory,
    "conversions": conversions,
    "graph_passes": graph_passes,
    "report_time": report_time,
    "report_samples": report_samples,
    "decision_rates": decision_rates,
    "real_a_a": real_a_a,
    "store_history": store_history,
    "reference_cores": reference_cores,
    "phone_push": phone_push,
    "phone_second_run": phone_second_run,
    "phone_fleet": phone_fleet,
    "phone_first_sample": phone_first_sample,
    "lab_fleet": lab_fleet,
    "lab_costs": lab_costs,
}


def measure(names: Sequence[str], console: Console) -> Record:
    """Run the benchmarks called ``names``, one after another.

    Raises:
        HarnessError: the fixtures or the installed harness are missing, or a program that is measured failed.
    """
    load_average = os.getloadavg()[0]
    before = this_moment()
    outcomes: list[Result | NotMeasured] = []
    with tempfile.TemporaryDirectory(prefix="harness-benchmarks-") as work:
        workspace = Workspace(Path(work))
        for name in names:
            with console.status(name):
                started_s = time.monotonic()
                outcomes.extend(BENCHMARKS[name](workspace))
            console.print(f"[dim]{name}: took {time.monotonic() - started_s:.0f} s[/]")
    return Record(
        unix_ns=time.time_ns(),
        harness_version=__version__,
        machine=describe_machine(load_average, other_cpu_fraction(before, this_moment())),
        results=tuple(outcome for outcome in outcomes if isinstance(outcome, Result)),
        not_measured=tuple(outcome for outcome in outcomes if isinstance(outcome, NotMeasured)),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (all): {', '.join(BENCHMARKS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument(
        "--write-docs", action="store_true", help=f"write {PAGE.relative_to(ROOT)}; takes all"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}; choose from {', '.join(BENCHMARKS)}")
    if arguments.write_docs and arguments.names:
        parser.error("--write-docs keeps one whole result: leave the names out")
    console = Console(stderr=True)
    try:
        record = measure(arguments.names or list(BENCHMARKS), console)
    except HarnessError as error:
        console.print(f"[red]error:[/] {error}", highlight=False, markup=True)
        return int(error.exit_status)
    Console().print(result_table(record))
    if arguments.json is not None:
        write_text(arguments.json, record.model_dump_json(indent=1) + "\n")
    if arguments.write_docs:
        write_text(PAGE, performance_page(record))
    return int(ExitStatus.PASS)


if __name__ == "__main__":
    sys.exit(main())
