"""What ``pip install .`` brings: a wheel that carries the runner, the types and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import harness

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the checkout as it is, in a build folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [
            *command,
            "--config-settings",
            f"build-dir={folder / 'build'}",
            "--wheel-dir",
            str(folder),
            str(_ROOT),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel installed by pip below a folder of its own, without its dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", str(folder), str(wheel)], check=True, capture_output=True)
    return folder


def test_the_wheel_serves_every_python_of_one_platform(wheel: Path) -> None:
    name, version, python, abi, platform = wheel.stem.split("-")
    assert (name, version, python, abi) == ("mobile_model_harness", harness.__version__, "py3", "none")
    assert platform != "any"


def test_the_wheel_carries_what_belongs_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"harness/py.typed", "harness/bin/harness-runner", "harness/core/jobs.py"} <= set(names)
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)
    schemas = {path.relative_to(_ROOT).as_posix() for path in (_ROOT / "harness" / "wire").rglob("*.json")}
    assert schemas <= set(names)


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        binaries = {name for name in archive.namelist() if name.startswith("harness/bin/")}
    assert tops == {"harness", f"mobile_model_harness-{harness.__version__}.dist-info"}
    assert binaries == {"harness/bin/harness-runner"}


def test_the_installed_runner_is_found_and_tells_the_package_version(installed: Path) -> None:
    program = "from harness.targets.runner_executable import runner_executable; print(runner_executable())"
    found = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert found == str(installed / "harness" / "bin" / "harness-runner")
    answer = subprocess.run([found, "version"], capture_output=True, text=True, check=True).stdout
    assert json.loads(answer)["version"] == harness.__version__


def test_the_installed_command_runs(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(installed / "bin" / "harness"), "--version"],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"harness, version {harness.__version__}"
