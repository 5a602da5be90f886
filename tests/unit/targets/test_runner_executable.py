"""Where the runner is found: in a wheel, in an editable install, nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.targets.runner_executable import runner_executable

_CHECKOUT = Path(__file__).parents[3]
_ASK = """
from harness.errors import TargetError
from harness.targets.runner_executable import runner_executable
try:
    print(runner_executable())
except TargetError as error:
    print("TargetError:", error.problem, error.next_step)
"""


def _ask_bare_python(*import_path: Path) -> str:
    """What an interpreter without site-packages answers, so that no real installation is in the way."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in import_path)}
    return subprocess.run(
        [sys.executable, "-S", "-P", "-c", _ASK], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def _write_runner(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_an_override_is_returned_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = _write_runner(tmp_path / "my-runner")
    monkeypatch.chdir(tmp_path)
    assert runner_executable(Path("my-runner")) == runner.resolve()


def test_a_missing_override_is_an_error_even_where_a_runner_is_installed(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        runner_executable(tmp_path / "absent")
    assert caught.value.where == str(tmp_path / "absent")
    assert "HARNESS_RUNNER" in caught.value.next_step


def test_a_runner_without_the_executable_bit_is_an_error(tmp_path: Path) -> None:
    runner = _write_runner(tmp_path / "runner")
    runner.chmod(0o644)
    with pytest.raises(TargetError, match="not marked executable") as caught:
        runner_executable(runner)
    assert caught.value.next_step == f"chmod +x {runner.resolve()}"


def test_an_editable_install_is_found_by_its_record(tmp_path: Path) -> None:
    runner = _write_runner(tmp_path / "harness" / "bin" / "harness-runner")
    record = tmp_path / "mobile_model_harness-0.1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: mobile-model-harness\nVersion: 0.1.0\n")
    (record / "RECORD").write_text("harness/bin/harness-runner,,\n")
    assert _ask_bare_python(_CHECKOUT, tmp_path) == str(runner)


def test_no_runner_anywhere_says_how_to_get_one() -> None:
    answer = _ask_bare_python(_CHECKOUT)
    assert answer.startswith("TargetError: the harness is installed without its runner executable")
    assert "make setup" in answer
