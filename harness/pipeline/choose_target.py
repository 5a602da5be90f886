"""From the target's name in a suite or on the command line to the target."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UsageError
from harness.targets.base import Target
from harness.targets.local import LocalTarget, find_runtime_library
from harness.targets.replay import ReplayTarget
from harness.targets.runner_executable import runner_executable


def absolute_target(name: str, base: Path) -> str:
    """``name`` with the folder of a replayed run, which counts from ``base``, made absolute."""
    kind, _, argument = name.partition(":")
    return f"replay:{(base / argument).resolve()}" if kind == "replay" and argument else name


def choose_target(name: str, *, idle_limit_s: float, runner: Path | None = None) -> Target:
    """The target called ``name``: ``local``, or ``replay:RUN`` with the folder of a recorded run.

    Raises:
        UsageError: there is no such target.
        TargetError: it is known but cannot be used here.
    """
    kind, _, argument = name.partition(":")
    if kind == "local" and not argument:
        return LocalTarget(runner_executable(runner), find_runtime_library(), idle_limit_s=idle_limit_s)
    if kind == "replay" and argument:
        return ReplayTarget(Path(argument))
    raise UsageError(
        f"there is no target {name!r}",
        where="target",
        next_step="Choose local, or replay:RUN with a run's folder.",
    )
