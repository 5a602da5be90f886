"""What the virtual iPhone's apps run: the installed desktop runner and its runtime."""

from __future__ import annotations

from pathlib import Path

from harness.targets.local import find_runtime_library
from harness.targets.runner_executable import runner_executable
from harness.virtual_iphone.programs import Programs


def installed_programs(runner: Path | None = None) -> Programs:
    """The programs of this installation; ``runner`` is another build of the runner.

    Raises:
        TargetError: the runner or its runtime is missing.
    """
    runtime = find_runtime_library()
    return Programs(
        runner=runner_executable(runner).absolute(),
        runtime_library=runtime.path.absolute(),
        runtime_version=runtime.version,
    )
