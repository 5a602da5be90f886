"""Where the command line keeps its files: the only place that reads the environment for it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from harness.errors import UsageError


def cache_folder() -> Path:
    """``HARNESS_CACHE``, or the platform's cache folder."""
    if given := os.environ.get("HARNESS_CACHE"):
        return Path(given)
    if platform.system() == "Darwin":
        return Path.home() / "Library" / "Caches" / "harness"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "harness"


def certificates_folder(given: Path | None = None) -> Path:
    """``given``, ``HARNESS_CERTIFICATES``, or ``lab`` in the platform's folder for settings."""
    if given is not None:
        return given
    if from_environment := os.environ.get("HARNESS_CERTIFICATES"):
        return Path(from_environment)
    if platform.system() == "Darwin":
        settings = Path.home() / "Library" / "Application Support"
    elif platform.system() == "Windows":
        settings = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:
        settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return settings / "harness" / "lab"


def runs_folder(given: Path | None) -> Path:
    """``--runs``, ``HARNESS_RUNS``, or ``reports/`` where the command was called.

    Raises:
        UsageError: it is a URL.
    """
    folder = given or Path(os.environ.get("HARNESS_RUNS") or "reports")
    # What a path leaves of `s3://bucket`.
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", folder.as_posix()):
        raise UsageError(
            "runs are made in a folder of this machine",
            where="--runs" if given else "HARNESS_RUNS",
            next_step="Name a folder, and where runs gather by --store URL or HARNESS_STORE.",
        )
    return folder


def runner_override() -> Path | None:
    """``HARNESS_RUNNER``: another build of the runner executable."""
    return Path(given) if (given := os.environ.get("HARNESS_RUNNER")) else None


def store_address(given: str | None) -> str | None:
    """``--store``, or ``HARNESS_STORE``: where runs gather; ``None``: nowhere."""
    return given or os.environ.get("HARNESS_STORE") or None
