"""A build of what is in the cache over the build that put it there."""

from __future__ import annotations

import statistics

from benchmarks.pairs import spread
from benchmarks.processes import timed
from benchmarks.result import Part, Result
from benchmarks.workspace import Workspace

GOAL = 0.02
_SECOND_BUILDS = 7


def second_build(workspace: Workspace) -> list[Result]:
    """The first build is one measurement: it takes long, and the ratio is far from the goal's order of noise."""
    first_ns = workspace.first_build.wall_ns
    ratios = [timed(workspace.build_command).wall_ns / first_ns for _ in range(_SECOND_BUILDS)]
    return [
        Result(
            name="second_build",
            figure=statistics.median(ratios),
            unit="×",
            goal=GOAL,
            spread=spread(ratios, "second builds over the one first build"),
            compared="`harness build fixtures/demo.toml` again over the same in an empty cache, wall time, photos "
            "decoded in the first",
            parts=(
                Part(name="first build", figure=first_ns / 1e9, unit="s"),
                Part(name="second build", figure=statistics.median(ratios) * first_ns / 1e9, unit="s"),
            ),
        )
    ]
