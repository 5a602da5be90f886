"""Where the installed package keeps the desktop runner."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from harness.errors import TargetError

_DISTRIBUTION = "mobile-model-harness"
_INSTALLED_AS = "harness/bin/harness-runner"


def runner_executable(override: Path | None = None) -> Path:
    """The runner executable; ``override`` is another build of it, and then the only one considered.

    Raises:
        TargetError: there is none, or it may not be executed.
    """
    if override is not None:
        if not override.is_file():
            raise TargetError(
                "there is no runner executable here",
                where=str(override),
                next_step="Build it, or unset HARNESS_RUNNER to use the installed one.",
            )
        # A bare file name would be looked up on PATH when it is started.
        return _executable(override.resolve())
    if sys.platform == "win32":
        raise TargetError(
            "there is no runner for Windows, so nothing can be measured on this machine itself",
            next_step="Run on a phone: --target iphone. Or use Linux, macOS or WSL.",
        )
    for candidate in _installed():
        if candidate.is_file():
            return _executable(candidate)
    raise TargetError(
        "the harness is installed without its runner executable",
        next_step="Install it again: `make setup` in a checkout, else "
        f"`pip install --force-reinstall --no-deps {_DISTRIBUTION}`. Or name a build in HARNESS_RUNNER.",
    )


def _installed() -> Iterator[Path]:
    package = importlib.resources.files("harness")
    if isinstance(package, Path):
        yield package / "bin" / "harness-runner"
    # An editable install imports the package from the checkout but installs what CMake built into
    # site-packages; only the distribution's record knows where that is.
    try:
        files = importlib.metadata.files(_DISTRIBUTION) or ()
    except importlib.metadata.PackageNotFoundError:
        return
    for file in files:
        if file.as_posix() == _INSTALLED_AS:
            yield Path(str(file.locate()))


def _executable(path: Path) -> Path:
    if not os.access(path, os.X_OK):
        raise TargetError(
            "the runner executable is not marked executable", where=str(path), next_step=f"chmod +x {path}"
        )
    return path
