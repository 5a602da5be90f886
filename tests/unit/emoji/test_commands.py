"""``harness emoji`` as a person calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prepared_texts import prepared, some_texts, written

from harness.cli.main import run_cli
from harness.core.emoji_data import Preparation
from harness.errors import ExitStatus


def test_prepare_reports_what_became_of_the_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, [*some_texts(), "nothing", "\u200b😀"])
    output = tmp_path / "out"
    assert run_cli(["emoji", "prepare", str(path), "-o", str(output), "--top", "4"]) == ExitStatus.PASS
    said = capsys.readouterr().out
    for part in ("lines read", "302", "left out: emoji outside the labels", "100", "kept", "200", "right in"):
        assert part in said
    assert run_cli(["emoji", "prepare", str(path), "-o", str(output), "--json"]) == ExitStatus.PASS
    preparation = Preparation.model_validate_json(capsys.readouterr().out)
    assert preparation.lines == 302 and preparation.kept == 300
    assert json.loads((output / "preparation.json").read_text()) == preparation.model_dump(mode="json")


def test_prepare_reads_standard_input(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"body": text}) + "\n" for text in some_texts())
    done = subprocess.run(
        [sys.executable, "-m", "harness", "emoji", "prepare", "-", "--json-key", "body", "--json"],
        input=lines.encode(),
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == ExitStatus.PASS, done.stderr
    assert json.loads(done.stdout)["kept"] == 300
    assert (tmp_path / "emoji-data" / "labels.txt").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prepare", "none.txt"], "none.txt: there is no such file"),
        (["prepare", "texts.txt", "--test", "0.5"], "test_share"),
        (["prepare", "texts.txt", "--labels", "none"], "there is no none"),
        (["prepare", "texts.txt", "-o", "."], "holds no prepared texts"),
        (["train", "none"], "there is no preparation.json"),
        (["compare", "none"], "holds no finished training"),
        (["export", "none", "data"], "holds no training"),
        (["export", "none", "data", "--recipe", "int2"], "there is no recipe 'int2'"),
    ],
)
def test_what_a_user_does_wrong_is_explained(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    prepared(tmp_path, some_texts(60))
    monkeypatch.chdir(tmp_path)
    assert run_cli(["emoji", *arguments]) == ExitStatus.USAGE
    error = capsys.readouterr().err
    assert said in error and "next:" in error
