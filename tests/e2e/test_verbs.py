"""Every other verb, on runs that the real runner made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from desk import AGREES, CLASSES, TINY, Desk, assert_explained, measured

from harness.core.comparison import Comparison
from harness.core.report import RunReport
from harness.core.verdict import Answer, Verdict
from harness.store import RunFolder

SMALL = '[policy]\n[[policy.rules]]\nmetric = "file_size"\nmax_mb = 1.0\n'
TOO_SMALL = '[policy]\n[[policy.rules]]\nmetric = "file_size"\nmax_mb = 0.000001\n'


@pytest.fixture
def run(desk: Desk) -> RunFolder:
    """A finished run that passes."""
    desk.photos(10)
    desk.write("labels.txt", "".join(f"label {index}\n" for index in range(CLASSES)))
    suite = desk.image_suite(more='labels = "labels.txt"\n', policy="[policy]\n" + AGREES)
    assert desk.harness("run", suite).status == 0
    return desk.newest()


def test_gate_judges_by_the_suites_own_policy(desk: Desk, run: RunFolder) -> None:
    answer = desk.harness("gate", run.path)
    assert answer.status == 0 and "PASS" in answer.out


def test_gate_judges_by_another_policy(desk: Desk, run: RunFolder) -> None:
    stored = (run.path / "report.json").read_bytes()
    assert desk.harness("gate", run.path, "--policy", desk.write("small.toml", SMALL)).status == 0
    answer = desk.harness("gate", run.path, "--policy", desk.write("smaller.toml", TOO_SMALL))
    assert answer.status == 1 and "FAIL" in answer.out
    undecided = TOO_SMALL.replace("file_size", "top1_agreement").replace("max_mb = 0.000001", "min = 0.999")
    assert desk.harness("gate", run.path, "--policy", desk.write("strict.toml", undecided)).status == 3
    assert (run.path / "report.json").read_bytes() == stored


def test_gate_takes_a_whole_suite_as_policy(desk: Desk, run: RunFolder) -> None:
    other = desk.suite(name="other.toml", policy=TOO_SMALL)
    assert desk.harness("gate", run.path, "--policy", other).status == 1


def test_gate_prints_the_verdict_as_json(desk: Desk, run: RunFolder) -> None:
    verdict = Verdict.model_validate_json(desk.harness("gate", run.path, "--json").out)
    assert verdict.answer is Answer.PASS
    assert {one.variant for one in verdict.results} == {"float32", "float16"}


@pytest.mark.parametrize("verb", ["gate", "report", "compare"])
def test_stored_runs_need_no_model_library(desk: Desk, run: RunFolder, verb: str) -> None:
    program = (
        "import sys; from harness.cli.main import run_cli; status = run_cli(sys.argv[1:]);"
        "heavy = {'tensorflow', 'keras', 'litert_quantizer', 'ai_edge_litert', 'PIL'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    paths = [run.path] * (2 if verb == "compare" else 1)
    done = subprocess.run(
        [sys.executable, "-c", program, verb, *paths], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_report_shows_every_variant(desk: Desk, run: RunFolder) -> None:
    answer = desk.harness("report", run.path)
    assert answer.status == 0
    for text in ("float32", "float16", "image_float32.tflite", "10 inputs", "PASS"):
        assert text in answer.out


def test_report_json_reads_back(desk: Desk, run: RunFolder) -> None:
    answer = desk.harness("report", run.path, "--json")
    report = RunReport.model_validate_json(answer.out)
    assert report == desk.report()
    assert measured(report, "float32").agreement.top1.value == 1
    assert desk.harness("report", run.path, "--format", "json").out == answer.out


def test_report_markdown(desk: Desk, run: RunFolder) -> None:
    file = desk.folder / "out" / "report.md"
    assert desk.harness("report", run.path, "--format", "markdown", "--output", file).status == 0
    text = file.read_text(encoding="utf-8")
    assert text == desk.harness("report", run.path, "--format", "markdown").out
    assert "PASS" in text.splitlines()[0]
    assert any(line.startswith("|") and "float16" in line for line in text.splitlines())


def test_report_to_a_file(desk: Desk, run: RunFolder) -> None:
    file = desk.folder / "report.txt"
    assert desk.harness("report", run.path, "--output", file).status == 0
    text = file.read_text(encoding="utf-8")
    assert "float16" in text and "\x1b" not in text


def test_report_lists_disagreements(desk: Desk, run: RunFolder) -> None:
    answer = desk.harness("report", run.path, "--disagreements")
    assert answer.status == 0
    disagreements = [
        one
        for name in ("float32", "float16")
        for one in measured(desk.report(), name).agreement.disagreements
    ]
    for one in disagreements:
        assert one.input_name in answer.out


def test_a_run_is_found_by_its_name(desk: Desk, run: RunFolder) -> None:
    assert desk.harness("report", run.path.name).status == 0


def test_a_closed_pipe_is_no_verdict(desk: Desk, run: RunFolder) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "report", run.path],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write_end)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr


def test_compare_a_run_with_itself(desk: Desk, run: RunFolder) -> None:
    answer = desk.harness("compare", run.path, run.path)
    assert answer.status == 0 and "float16" in answer.out
    comparison = Comparison.model_validate_json(desk.harness("compare", run.path, run.path, "--json").out)
    assert [one.variant for one in comparison.variants] == ["float32", "float16"]


def test_compare_runs_of_other_variants(desk: Desk, run: RunFolder) -> None:
    assert desk.harness("run", desk.image_suite(recipes=("float32", "rounded"))).status == 0
    answer = desk.harness("compare", run.path, desk.newest().path)
    assert answer.status == 0
    assert "float16" in answer.out and "rounded" in answer.out


def test_build_shows_sizes_and_writes_files(desk: Desk) -> None:
    out = desk.folder / "models"
    answer = desk.harness("build", desk.suite(recipes=("float32", "float16")), "--output", out)
    assert answer.status == 0, answer
    assert "float16" in answer.out and "kB" in answer.out
    assert sorted(path.name for path in out.iterdir()) == ["float16.tflite", "float32.tflite"]
    built = json.loads(desk.harness("build", "suite.toml", "--json").out)
    for variant in built:
        file = out / f"{variant['name']}.tflite"
        assert file.read_bytes()[4:8] == b"TFL3"
        assert file.stat().st_size == variant["model"]["bytes"]
        assert 0 < variant["compressed_bytes"] < variant["model"]["bytes"]


def test_build_says_what_could_not_be_built(desk: Desk) -> None:
    desk.tensors()
    answer = desk.harness("build", desk.suite(recipes=("float32", "int8")))
    assert answer.status == 3
    assert "not built" in answer.out and "calibration" in answer.out and "float32" in answer.out


def test_build_calibrates(desk: Desk) -> None:
    desk.photos(12)
    suite = desk.image_suite(recipes=("int8",), calibration="hold_out = 6\n")
    answer = desk.harness("build", suite, "--json")
    assert answer.status == 0, answer
    assert json.loads(answer.out)[0]["name"] == "int8"


def test_doctor_finds_all_that_a_run_needs(desk: Desk) -> None:
    answer = desk.harness("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(answer.out)}
    assert answer.status == 0, checks
    assert all(check["is_well"] and not check["next_step"] for check in checks.values())
    assert "harness-runner" in checks["runner"]["found"]
    assert str(desk.cache) in checks["cache"]["found"]
    assert desk.harness("doctor").status == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(desk: Desk, shell: str) -> None:
    script = desk.harness("completion", shell)
    assert script.status == 0 and "_HARNESS_COMPLETE" in script.out
    if shell == "bash" and shutil.which("bash"):
        words = {"COMP_WORDS": "harness rep", "COMP_CWORD": "1", "_HARNESS_COMPLETE": "bash_complete"}
        harness = Path(sys.executable).with_name("harness")
        done = subprocess.run(
            [harness], env={**os.environ, **words}, capture_output=True, text=True, check=False
        )
        assert done.stdout.split() == ["plain,report"]


def test_completion_of_an_unknown_shell(desk: Desk) -> None:
    assert_explained(desk.harness("completion", "tcsh"), 2, "tcsh")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["fly"], "fly"),
        (["run"], "no suite"),
        (["run", "--fast"], "--fast"),
        (["run", "a.toml", "b.toml"], "b.toml"),
        (["gate"], "RUN"),
        (["report", "r", "--format", "pdf"], "pdf"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use(desk: Desk, arguments: list[str], problem: str) -> None:
    assert_explained(desk.harness(*arguments), 2, problem)


class TestLabel:
    def test_a_model_file_with_a_suite(self, desk: Desk, run: RunFolder) -> None:
        photo = desk.folder / "photos" / "photo03.png"
        model = TINY / "image_float32.tflite"
        answer = desk.harness("label", model, photo, "--suite", "suite.toml", "--json")
        assert answer.status == 0, answer
        (found,) = json.loads(answer.out)["photos"]
        assert found["name"] == "photo03.png"
        scores = [one["score"] for one in found["best"]]
        assert len(scores) == 5 and scores == sorted(scores, reverse=True)
        assert all(one["label"] == f"label {one['index']}" for one in found["best"])
        shown = desk.harness("label", model, photo, "--suite", "suite.toml")
        assert shown.status == 0 and found["best"][0]["label"] in shown.out

    def test_a_variant_agrees_with_its_source(self, desk: Desk, run: RunFolder) -> None:
        photos = sorted((desk.folder / "photos").iterdir())

        def best(model: str) -> list[int]:
            answer = desk.harness("label", model, *photos, "--suite", "suite.toml", "--json")
            assert answer.status == 0, answer
            return [one["best"][0]["index"] for one in json.loads(answer.out)["photos"]]

        assert best(f"{run.path}:float32") == best(f"{run.path.name}:float32")
        assert best(f"{run.path}:float32") == best(str(TINY / "image_float32.tflite"))

    def test_options_in_place_of_a_suite(self, desk: Desk) -> None:
        (photo,) = desk.photos(1)
        options = ("--size", "8", "8", "--mean", "127.5", "--scale", "127.5")
        answer = desk.harness("label", TINY / "image_float32.tflite", photo, *options, "--top", "2", "--json")
        assert answer.status == 0, answer
        assert len(json.loads(answer.out)["photos"][0]["best"]) == 2

    def test_no_preparation_is_guessed(self, desk: Desk) -> None:
        (photo,) = desk.photos(1)
        assert_explained(
            desk.harness("label", TINY / "image_float32.tflite", photo), 2, "image_float32.tflite"
        )

    def test_an_unknown_variant(self, desk: Desk, run: RunFolder) -> None:
        answer = desk.harness("label", f"{run.path}:int8", "photos/photo00.png")
        assert_explained(answer, 2, str(run.path), "int8")

    def test_an_unreadable_photo_among_good_ones(self, desk: Desk, run: RunFolder) -> None:
        bad = desk.write("bad.png", b"no photo")
        answer = desk.harness(
            "label",
            TINY / "image_float32.tflite",
            bad,
            "photos/photo00.png",
            "--suite",
            "suite.toml",
            "--json",
        )
        assert answer.status == 2
        assert len(json.loads(answer.out)["photos"]) == 1
        assert str(bad) in answer.err


class TestBaseline:
    RULE = '[[policy.rules]]\nmetric = "file_size"\nmax_factor = {factor}\nrelative_to = "baseline"\n'

    def policy(self, baseline: str | Path, factor: float = 1.0) -> str:
        return f'[policy]\nbaseline = "{baseline}"\n' + self.RULE.format(factor=factor)

    @pytest.mark.parametrize(("factor", "status"), [(1.0, 0), (0.5, 1)])
    def test_a_stored_run(self, desk: Desk, run: RunFolder, factor: float, status: int) -> None:
        suite = desk.image_suite(name="next.toml", policy=self.policy(run.path, factor))
        answer = desk.harness("run", suite)
        assert answer.status == status, answer
        (first, *_) = desk.report().verdict.results
        assert first.value == 1.0

    def test_a_report_file_beside_the_policy(self, desk: Desk, run: RunFolder) -> None:
        desk.harness("report", run.path, "--json", "--output", desk.folder / "kept" / "v1.json")
        policy = desk.write("kept/policy.toml", self.policy("v1.json"))
        assert desk.harness("gate", run.path, "--policy", policy).status == 0

    def test_latency_and_memory_of_the_same_machine_count(self, desk: Desk, run: RunFolder) -> None:
        rules = self.RULE.format(factor=1000).replace("file_size", "p50_latency") + self.RULE.format(
            factor=1000
        ).replace("file_size", "peak_memory")
        policy = desk.write("policy.toml", f'[policy]\nbaseline = "{run.path}"\n{rules}')
        answer = desk.harness("gate", run.path, "--policy", policy, "--json")
        verdict = Verdict.model_validate_json(answer.out)
        assert [one.answer for one in verdict.results] == [Answer.PASS] * 4, verdict
        assert answer.status == 0

    @pytest.mark.parametrize("baseline", ["nothing.json", "reports", "suite.toml"])
    def test_it_cannot_be_read(self, desk: Desk, run: RunFolder, baseline: str) -> None:
        """Which is told before anything is built or measured."""
        suite = desk.image_suite(name="next.toml", policy=self.policy(desk.folder / baseline))
        assert_explained(desk.harness("run", suite), 2, baseline)
        assert desk.newest().path == run.path
