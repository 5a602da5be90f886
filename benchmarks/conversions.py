"""How long each recipe takes to build; for information."""

from __future__ import annotations

import json

from benchmarks.result import Part, Result
from benchmarks.workspace import Workspace
from harness.core.variants import FailedBuild, Variant
from harness.errors import BuildError


def conversions(workspace: Workspace) -> list[Result]:
    """Of the first build of ``second_build``.

    Raises:
        BuildError: a recipe could not be built.
    """
    parts = []
    for document in json.loads(workspace.first_build.output):
        if "problem" in document:
            failed = FailedBuild.model_validate_json(json.dumps(document))
            raise BuildError(failed.problem, where=failed.name, next_step=failed.next_step)
        variant = Variant.model_validate_json(json.dumps(document))
        parts.append(Part(name=variant.name, figure=variant.build.duration_s, unit="s"))
    return [
        Result(
            name="conversions",
            figure=sum(part.figure for part in parts),
            unit="s",
            compared="sum over the demo's recipes of the time of each conversion in the first build; they run side by "
            "side, and all others start from the float32 file",
            parts=tuple(parts),
        )
    ]
