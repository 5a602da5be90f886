"""Four workers with a phone each over one: a lab's run where the work is waiting."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.pairs import spread
from benchmarks.phone_fleet import FLEET_GOAL, SLOW_LINK
from benchmarks.result import Part, Result
from benchmarks.virtual_phones import write_phone_jobs
from benchmarks.workspace import Workspace
from fixtures.lab import opened_lab
from harness.errors import RunError
from harness.targets.base import Unwatched
from harness.targets.cluster import ClusterTarget

_WORKERS = 4
_ROUNDS = 3
_JOBS = 2
_IDLE_LIMIT_S = 60.0


def lab_fleet(workspace: Workspace) -> list[Result]:
    """The same jobs on four phones at four workers at once, over all of them on one phone at one worker."""
    ratios: list[float] = []
    parts: tuple[tuple[str, float], ...] = ()
    with (
        opened_lab(workspace.work / "fleet", ("16.7",) * _WORKERS, faults=(SLOW_LINK,)) as lab,
        lab.joined() as cluster,
    ):
        targets = [
            ClusterTarget(cluster, device, Unwatched(), idle_limit_s=_IDLE_LIMIT_S)
            for device in lab.await_devices()
        ]
        for number in range(_ROUNDS + 1):
            one_s = _seconds(workspace, f"one-{number}", targets[:1])
            four_s = _seconds(workspace, f"four-{number}", targets)
            if number:
                # The first round installs the runners and opens the connections.
                ratios.append(four_s / one_s)
                parts = (("one worker", one_s), ("four workers", four_s))
    return [
        Result(
            name="lab_fleet",
            figure=statistics.median(ratios),
            unit="×",
            goal=FLEET_GOAL,
            spread=spread(ratios, "rounds"),
            compared=f"the same jobs by {_WORKERS} workers with a virtual iPhone each, over one of them alone, on "
            "links that answer after 60 ms, so that the work is waiting; through the scheduler, with TLS",
            parts=tuple(Part(name=name, figure=figure, unit="s") for name, figure in parts),
        )
    ]


def _seconds(workspace: Workspace, name: str, targets: Sequence[ClusterTarget]) -> float:
    """Wall time of as many runs of a few jobs as there are workers, shared by ``targets``."""
    runs = [workspace.work / f"lab-{name}-{index}" for index in range(_WORKERS)]
    jobs = [write_phone_jobs(root, _JOBS, inputs=20, runs=20) for root in runs]

    def work(index: int) -> None:
        for root, names in list(zip(runs, jobs, strict=True))[index :: len(targets)]:
            for job in names:
                outcome = targets[index].run(root, job, lambda event: None)
                if outcome.status != "finished":
                    raise RunError(outcome.problem, where=str(root), next_step=outcome.next_step)

    started_s = time.monotonic()
    with ThreadPoolExecutor(len(targets)) as pool:
        list(pool.map(work, range(len(targets))))
    return time.monotonic() - started_s
