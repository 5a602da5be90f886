"""Where the command line keeps its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.places import cache_folder, certificates_folder, runner_override, runs_folder


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HARNESS_CACHE", "HARNESS_RUNS", "HARNESS_RUNNER", "HARNESS_CERTIFICATES", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_the_cache_of_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert cache_folder() == tmp_path / ".cache" / "harness"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/harness")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "harness"


def test_the_cache_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", "/c")
    assert cache_folder() == Path("/c")


@pytest.mark.parametrize("name", ["HARNESS_CACHE", "HARNESS_RUNS", "HARNESS_RUNNER"])
def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    before = cache_folder(), runs_folder(None), runner_override()
    monkeypatch.setenv(name, "")
    assert (cache_folder(), runs_folder(None), runner_override()) == before


def test_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runs_folder(None) == Path("reports")
    monkeypatch.setenv("HARNESS_RUNS", "/r")
    assert runs_folder(None) == Path("/r")
    assert runs_folder(Path("given")) == Path("given")


def test_another_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runner_override() is None
    monkeypatch.setenv("HARNESS_RUNNER", "/bin/r")
    assert runner_override() == Path("/bin/r")


def test_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert certificates_folder() == tmp_path / ".config" / "harness" / "lab"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg")
    assert certificates_folder() == Path("/xdg/harness/lab")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert certificates_folder() == tmp_path / "Library" / "Application Support" / "harness" / "lab"
    monkeypatch.setattr("platform.system", lambda: "Windows")
    assert certificates_folder() == tmp_path / "AppData" / "Roaming" / "harness" / "lab"
    monkeypatch.setenv("HARNESS_CERTIFICATES", "/lab")
    assert certificates_folder() == Path("/lab")
    assert certificates_folder(Path("given")) == Path("given")
