"""The composite action of docs/ci, its commands run as a CI system runs them, on a real suite."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from desk import Desk

_CI = Path(__file__).parents[2] / "docs" / "ci"
_ACTION: dict[str, Any] = yaml.safe_load((_CI / "model-gate" / "action.yml").read_text(encoding="utf-8"))
_WORKFLOW: dict[str, Any] = yaml.safe_load((_CI / "model-gate.yml").read_text(encoding="utf-8"))
_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")

TOO_LARGE = '[policy]\n[[policy.rules]]\nmetric = "file_size"\nmax_mb = 0.000001\n'
UNDECIDED = '[policy]\n[[policy.rules]]\nmetric = "top1_agreement"\nmin = 0.99\n'
PASSES = '[policy]\n[[policy.rules]]\nmetric = "file_size"\nmax_mb = 1\n'


class _Job:
    """Runs the action's steps with given inputs, as the runner of GitHub Actions does."""

    def __init__(self, desk: Desk, **inputs: str) -> None:
        self.folder = desk.folder
        self.summary = self.folder / "summary.md"
        self.values = {
            f"inputs.{name}": str(inputs.get(name, known.get("default", "")))
            for name, known in _ACTION["inputs"].items()
        }
        self.statuses: dict[str, int] = {}

    def run(self) -> int:
        for step in _ACTION["runs"]["steps"]:
            if "run" not in step:
                continue
            output = self.folder / "output.txt"
            output.write_text("")
            environment = {name: self._filled(text) for name, text in step.get("env", {}).items()}
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.folder,
                env={
                    **os.environ,
                    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                    "GITHUB_OUTPUT": str(output),
                    "GITHUB_STEP_SUMMARY": str(self.summary),
                    "GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567",
                    **environment,
                },
                capture_output=True,
                text=True,
                check=False,
            )
            self.statuses[step["name"]] = done.returncode
            for line in output.read_text().splitlines():
                name, _, value = line.partition("=")
                self.values[f"steps.{step.get('id')}.outputs.{name}"] = value
        return self.statuses["Gate"]

    def _filled(self, text: str) -> str:
        return _EXPRESSION.sub(lambda found: self.values.get(found[1], ""), text)


@pytest.mark.parametrize(
    ("policy", "inputs", "status", "answer"),
    [
        (PASSES, {}, 0, "pass"),
        (TOO_LARGE, {}, 1, "fail"),
        (UNDECIDED, {}, 3, "undecided"),
        (UNDECIDED, {"undecided": "pass"}, 0, "undecided"),
    ],
    ids=["pass", "fail", "undecided", "undecided-passes"],
)
def test_the_gate_ends_as_the_verdict_does(
    desk: Desk, policy: str, inputs: dict[str, str], status: int, answer: str
) -> None:
    desk.tensors()
    desk.suite(policy=policy)
    job = _Job(desk, suite="suite.toml", target="local", **inputs)
    assert job.run() == status
    assert job.values["steps.run.outputs.answer"] == answer
    assert job.statuses["Write the reports"] == 0
    assert answer.upper() in job.summary.read_text(encoding="utf-8").splitlines()[0]
    reports = desk.folder / "model-gate"
    assert (reports / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert ElementTree.parse(reports / "junit.xml").getroot().tag == "testsuites"
    (run,) = (reports / "runs").iterdir()
    assert '"release": "0123456789ab"' in (run / "plan.json").read_text()


def test_a_suite_that_cannot_be_used_fails_the_gate_without_a_report(desk: Desk) -> None:
    job = _Job(desk, suite="gone.toml")
    assert job.run() == 2
    assert job.values["steps.run.outputs.answer"] == "error"
    assert job.statuses["Write the reports"] == 0 and not job.summary.exists()


def test_no_expression_stands_in_a_script() -> None:
    """It would be pasted into the shell before it runs: a branch's name could be a command."""
    for step in _ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_workflow_uses_the_action_with_inputs_that_it_has() -> None:
    uses = [
        step
        for job in _WORKFLOW["jobs"].values()
        for step in job["steps"]
        if step.get("uses") == "./.github/actions/model-gate"
    ]
    assert len(uses) == 2
    for step in uses:
        assert set(step["with"]) <= set(_ACTION["inputs"])
        assert {name for name, known in _ACTION["inputs"].items() if known.get("required")} <= set(
            step["with"]
        )


def test_what_the_action_keeps_is_what_it_writes() -> None:
    (upload,) = [
        step for step in _ACTION["runs"]["steps"] if step.get("uses", "").startswith("actions/upload")
    ]
    written = " ".join(step["run"] for step in _ACTION["runs"]["steps"] if "run" in step)
    for path in upload["with"]["path"].splitlines():
        name = path.rsplit("/", 1)[-1]
        assert name in written or name == "report.samples.csv.gz"
