"""What the contract tests need from the machine: a built runner and the runtime's library."""

from __future__ import annotations

import importlib.resources
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from shared_phones import SharedCluster, SharedPhones

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def _end_shared_phones() -> Iterator[None]:
    yield
    SharedPhones.end()
    SharedCluster.end()


@pytest.fixture(scope="session")
def runner_executable() -> Path:
    """HARNESS_RUNNER if set, else the installed package's own, else build/core's, else any below build/."""
    named = os.environ.get("HARNESS_RUNNER")
    if named:
        path = Path(named)
        if not os.access(path, os.X_OK):
            pytest.fail(f"HARNESS_RUNNER names {path}, which is not an executable")
        return path
    installed = Path(str(importlib.resources.files("harness") / "bin" / "harness-runner"))
    build = REPOSITORY / "build"
    for path in [installed, build / "core" / "harness-runner", *sorted(build.glob("**/harness-runner"))]:
        if path.is_file() and os.access(path, os.X_OK):
            return path
    pytest.fail(
        "no harness-runner: install the package, or build it with\n"
        "  cmake -S ios_runner/core -B build/core && cmake --build build/core\n"
        "or name one in HARNESS_RUNNER"
    )


@pytest.fixture(scope="session")
def runtime_library() -> Path:
    """libLiteRt of the installed ai-edge-litert wheel."""
    spec = importlib.util.find_spec("ai_edge_litert")
    assert spec is not None and spec.submodule_search_locations
    suffix = "dylib" if sys.platform == "darwin" else "so"
    path = Path(spec.submodule_search_locations[0]) / f"libLiteRt.{suffix}"
    assert path.is_file(), path
    return path


@pytest.fixture(scope="session")
def tiny_models() -> Path:
    """The folder of fixtures/make_tiny_models.py."""
    return REPOSITORY / "fixtures" / "tiny"
