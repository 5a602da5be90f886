from __future__ import annotations

from pathlib import Path

import pytest
from desk import Desk


@pytest.fixture(scope="session")
def built_variants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests of a session: each tiny variant is built once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def desk(
    tmp_path: Path,
    built_variants: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(built_variants))
    monkeypatch.setenv("COLUMNS", "200")
    for name in (
        "HARNESS_CERTIFICATES",
        "HARNESS_CLUSTER",
        "HARNESS_RUNNER",
        "HARNESS_RUNS",
        "HARNESS_STORE",
    ):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path, built_variants, capsys)
