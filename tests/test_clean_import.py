"""What only shows or explains starts without the heavy libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAVY = (
    "tensorflow",
    "keras",
    "litert_quantizer",
    "ai_edge_litert",
    "fsspec",
    "pymobiledevice3",
    "scipy.stats",
)

# Ends the way a user's command ends, then tells on standard error which of the heavy ones were imported.
_RUN = f"""
import sys
from harness.cli.main import run_cli
try:
    status = run_cli(sys.argv[1:])
finally:
    print("imported:", *[name for name in {_HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(status)
"""


def _imported(program: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("imported:")
    return last.split()[1:]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["build", "--help"],
        ["label", "--help"],
        ["report", "--help"],
        ["gate", "--help"],
        ["compare", "--help"],
        ["explain", "--help"],
        ["rescue", "--help"],
        ["history", "--help"],
        ["push", "--help"],
        ["pull", "--help"],
        ["baseline", "list", "--help"],
        ["inspect", "--help"],
        ["check", "--help"],
        ["doctor", "--help"],
        ["emoji", "--help"],
        ["emoji", "prepare", "--help"],
        ["certificates", "make", "--help"],
        ["completion", "bash"],
    ],
    ids=" ".join,
)
def test_the_command_imports_nothing_heavy(arguments: list[str]) -> None:
    assert _imported(_RUN, *arguments) == []


@pytest.mark.parametrize(
    "module", ["harness.cli.main", "harness.pytest_plugin", "harness.targets.local", "harness.targets.replay"]
)
def test_the_module_imports_nothing_heavy(module: str) -> None:
    program = (
        f"import sys, {module}\n"
        f"print('imported:', *[name for name in {_HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    assert _imported(program) == []


def test_an_import_is_noticed() -> None:
    program = _RUN.replace("import sys\n", "import sys\nimport scipy.stats\n", 1)
    assert _imported(program, "--version") == ["scipy.stats"]
