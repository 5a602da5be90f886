"""``harness certificates`` as it is called: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.main import run_cli


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CERTIFICATES", str(tmp_path / "lab"))
    return tmp_path / "lab"


def test_from_an_authority_to_a_second_machine(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["certificates", "make", "--machine", "desk1"]) == 0
    assert "authority of desk1" in capsys.readouterr().out
    assert run_cli(["certificates", "issue", "desk2"]) == 0
    issued = lab / "issued" / "desk2"
    assert {path.name for path in issued.iterdir()} == {"ca.pem", "machine.pem", "machine-key.pem"}
    assert str(issued) in capsys.readouterr().out
    assert run_cli(["certificates", "show", str(issued), "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert run_cli(["certificates", "show", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert second["files"]["ca.pem"] == first["files"]["ca.pem"]
    assert (first["files"]["machine.pem"]["name"], second["files"]["machine.pem"]["name"]) == (
        "desk1",
        "desk2",
    )
    assert "ca-key.pem" in first["files"] and "ca-key.pem" not in second["files"]
    assert (second["problem"], second["warnings"]) == (None, [])
    assert run_cli(["certificates", "show"]) == 0
    shown = capsys.readouterr().out
    assert first["files"]["ca.pem"]["fingerprint"] in shown and "desk1: until" in shown


def test_a_second_authority_is_refused(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["certificates", "make"]) == 0
    before = (lab / "ca.pem").read_bytes()
    assert run_cli(["certificates", "make"]) == 2
    assert "an authority is here" in capsys.readouterr().err
    assert (lab / "ca.pem").read_bytes() == before
    assert run_cli(["certificates", "issue", "desk2", "--to", str(lab / ".." / "desk2")]) == 0
    assert run_cli(["certificates", "issue", "desk2", "--to", str(lab / ".." / "desk2")]) == 2
    assert run_cli(["certificates", "issue", "desk2", "--to", str(lab / ".." / "desk2"), "--replace"]) == 0
    assert run_cli(["certificates", "issue", "../desk3"]) == 2
    assert not (lab / "desk3").exists()


def test_what_is_wrong_is_shown_beside_what_is_there(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["certificates", "show"]) == 2
    assert "there are no certificates of a lab" in capsys.readouterr().err
    run_cli(["certificates", "make", "--machine", "desk1"])
    (lab / "machine.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    capsys.readouterr()
    assert run_cli(["certificates", "show"]) == 2
    said = capsys.readouterr()
    assert "authority of desk1" in said.out
    assert f"{lab / 'machine.pem'}: is no certificate" in said.err
    assert run_cli(["certificates", "show", "--json"]) == 2
    shown = json.loads(capsys.readouterr().out)
    assert shown["files"]["machine.pem"] is None
    assert "is no certificate" in shown["problem"]
