"""Every command of docs/mobile-poets.md, in its order, on the retrained graph; and what each must show.

What was built stays in ``fixtures/cache/harness``, so that only the first run of the tests converts.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from pathlib import Path

import pytest

from harness.cli.main import run_cli
from harness.core.chain import ChainStep, Step
from harness.core.events import Stage
from harness.core.measurements import Measurement
from harness.core.report import RunReport
from harness.store import list_runs, read_report

ROOT = Path(__file__).parents[2]
MADE = ROOT / "fixtures" / "cache" / "poets"
PAGE = (ROOT / "docs" / "mobile-poets.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.slow


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("harness ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (MADE / "retrained_graph.pb").exists():
        pytest.fail("the retrained graph is missing: run  python -m fixtures.get --poets")
    work = tmp_path_factory.mktemp("poets")
    for name in ("retrained_graph.pb", "retrained_labels.txt"):
        shutil.copyfile(MADE / name, work / name)
    for name in ("test", "checkpoint"):
        shutil.copytree(MADE / name, work / name)
    return work


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, tuple[int, str]]:
    """Each command's exit status and output, but for the whole run's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "200")
        patch.setenv("HARNESS_CACHE", str(ROOT / "fixtures" / "cache" / "harness"))
        found = {}
        for arguments in commands():
            if arguments[0] == "run":
                continue
            found[shlex.join(arguments)] = _called(arguments, folder / "said.txt")
    return found


def _called(arguments: list[str], said: Path) -> tuple[int, str]:
    with said.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        status = run_cli(arguments)
    return status, said.read_text(encoding="utf-8")


def _of(answers: dict[str, tuple[int, str]], start: str) -> list[tuple[int, str]]:
    return [answer for command, answer in answers.items() if command.startswith(start)]


def test_the_whole_graph_needs_what_the_phone_lacks_and_the_stripped_part_does_not(
    answers: dict[str, tuple[int, str]],
) -> None:
    whole, between = _of(answers, "check")
    assert whole[0] == 1
    assert re.search(r"DecodeJpeg +1 .*LACKS", whole[1])
    assert between[0] == 0
    assert "DecodeJpeg" not in between[1]


def test_the_file_and_its_pixels_get_the_same_label(answers: dict[str, tuple[int, str]]) -> None:
    file, pixels = _of(answers, "label")
    assert file[0] == pixels[0] == 0
    assert file[1] == pixels[1]
    assert file[1].splitlines()[1].split()[1] == "seven"


def test_inspect_names_the_node_the_tutorial_fed(answers: dict[str, tuple[int, str]]) -> None:
    ((status, said),) = _of(answers, "inspect")
    assert status == 0
    assert re.search(r"--input may be +Mul +float32", said)
    assert re.search(r"--output may be +final_result", said)


def test_every_step_is_done(answers: dict[str, tuple[int, str]], folder: Path) -> None:
    steps = _of(answers, "transform")
    assert [status for status, _ in steps] == [0] * 5
    strip, fold, rounded, mapped, _ = (said for _, said in steps)
    assert re.search(r"same top label 100\.0%", strip)
    assert re.search(r"folded +49 batch norms", fold) and "left alone" not in fold
    assert re.search(r"rounded +\d+ weight tensors", rounded)
    assert re.search(r"mapped +\d+ tensors", mapped)
    assert (folder / "folded.pb").stat().st_size < (folder / "retrained_graph.pb").stat().st_size


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> RunReport:
    runs = tmp_path_factory.mktemp("runs")
    assert ["run", "../../poets.toml"] in commands()
    # The whole suite builds four variants more, which `make poets` shows; the chain and the memory need only these.
    text = (ROOT / "fixtures" / "poets.toml").read_text(encoding="utf-8")
    text = re.sub(r"^recipes = .*$", 'recipes = ["float32"]', text, flags=re.MULTILINE)
    text = re.sub(r"^candidates = .*$", 'candidates = ["float32"]', text, flags=re.MULTILINE)
    suite = runs / "poets.toml"
    suite.write_text(text.replace('"cache/', f'"{ROOT}/fixtures/cache/'), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(ROOT / "fixtures" / "cache" / "harness"))
        status = run_cli(["run", str(suite), "--runs", str(runs)])
    assert status in (0, 1, 3)
    return read_report(list_runs(runs)[0].path)


def test_the_chain_keeps_the_labels_where_it_must(report: RunReport) -> None:
    steps: dict[Step, ChainStep] = {step.step: step for step in report.chain.steps}
    assert list(steps) == [Step.SOURCE, Step.STRIP, Step.FOLD, Step.ROUND, Step.MEMORY_MAP]
    assert steps[Step.SOURCE].accuracy is not None and steps[Step.SOURCE].accuracy.value > 0.9
    for step in (Step.STRIP, Step.FOLD):
        assert steps[step].agreement.top1.successes == 600
        assert steps[step].agreement.largest_absolute_difference < 1e-3
    assert steps[Step.ROUND].compressed_bytes < 0.4 * steps[Step.FOLD].compressed_bytes
    assert steps[Step.MEMORY_MAP].agreement == steps[Step.ROUND].agreement


def test_a_mapped_graph_is_not_dirty_memory(report: RunReport) -> None:
    measured = {one.variant.name: one for one in report.results if isinstance(one, Measurement)}
    heap, mapped = (measured[name].memory.by_stage[Stage.STEADY] for name in ("rounded", "memory-mapped"))
    weights_bytes = measured["rounded"].variant.file_bytes
    assert heap.anonymous_bytes - mapped.anonymous_bytes > 0.9 * weights_bytes
    assert mapped.file_backed_bytes - heap.file_backed_bytes > 0.9 * weights_bytes
    assert measured["float32"].agreement.top1.successes == 600
