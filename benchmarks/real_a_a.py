"""One variant run twice under two names, side by side and compared, twenty times: no alarm may stay.

Each comparison that finds a difference is confirmed by a second run, as `harness compare --confirm` does.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.processes import timed
from benchmarks.result import Part, Result
from benchmarks.workspace import Workspace
from harness.core.changes import COSTS
from harness.core.comparison import Comparison
from harness.store import list_runs

SUITE = Path(__file__).with_name("real_a_a.toml")
COMPARISONS = 20
MOST_CONFIRMED = 0


def real_a_a(workspace: Workspace, comparisons: int = COMPARISONS) -> list[Result]:
    """How many of ``comparisons`` raised an alarm that a second run confirmed."""
    runs = workspace.work / "a-a-runs"
    raised = confirmed = 0
    for _ in range(comparisons):
        command: list[str | Path] = [workspace.harness, "run", SUITE, "--runs", runs, "--json"]
        # There is no rule, so the verdict is undecided.
        timed([*command, "--cache", workspace.cache.root], statuses=(3,))
        run = list_runs(runs)[-1].path
        sides: list[str | Path] = [f"{run}:a", f"{run}:b"]
        compared = timed([workspace.harness, "compare", *sides, "--confirm", "--json", "--runs", runs])
        (pair,) = Comparison.model_validate_json(compared.output).variants
        alarms = [one for one in pair.changes if one.figure in COSTS and one.conclusion.is_difference]
        raised += bool(alarms)
        confirmed += any(one.confirmed for one in alarms)
    return [
        Result(
            name="real A/A",
            figure=confirmed,
            unit="alarms",
            goal=MOST_CONFIRMED,
            compared="EfficientNet-Lite0 float32 twice in one run of 12 rounds, compared by p50, p90 and peak memory, "
            f"{comparisons} times: comparisons that called the two different and were confirmed by a second run",
            parts=(
                Part(name="comparisons", figure=comparisons, unit=""),
                Part(name="that raised an alarm", figure=raised, unit=""),
            ),
        )
    ]
