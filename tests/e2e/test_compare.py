"""``harness compare`` on real runs: runs, variants, reports, baselines, releases, and the confirming second run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from desk import TINY, Desk, assert_explained

from harness.core.changes import ComparedFigure, Conclusion, Method
from harness.core.comparison import Comparison
from harness.store import RunFolder, list_runs

PADDING_BYTES = 24_000_000
LOADED_TWICE = '[variants.named.heap]\nrecipe = "float32"\nloading = "heap"\n'


def compared(desk: Desk, *arguments: str | Path, status: int = 0) -> Comparison:
    answer = desk.harness("compare", *arguments, "--json")
    assert answer.status == status, answer
    return Comparison.model_validate_json(answer.out)


def change_of(comparison: Comparison, figure: ComparedFigure, variant: int = 0):  # type: ignore[no-untyped-def]
    return next(one for one in comparison.variants[variant].changes if one.figure is figure)


@pytest.fixture
def twice(desk: Desk) -> tuple[RunFolder, RunFolder]:
    """The same suite run as two releases, five rounds each."""
    desk.tensors()
    suite = desk.suite(rounds=5, min_runs=60)
    for release in ("1.0", "1.1"):
        assert desk.harness("run", suite, "--release", release).status == 0
    first, second = list_runs(desk.runs)
    return first, second


def test_runs_reports_baselines_and_releases_are_named_alike(
    desk: Desk, twice: tuple[RunFolder, RunFolder]
) -> None:
    first, second = twice
    assert desk.harness("baseline", "set", first.path, "--name", "v1").status == 0
    report = desk.write("report.json", desk.harness("report", first.path, "--json").out)
    by_folder = compared(desk, first.path, second.path)
    assert [one.variant for one in by_folder.variants] == ["float32", "float16"]
    assert not by_folder.variants[0].paired
    assert change_of(by_folder, ComparedFigure.P50_LATENCY).method is Method.RANK_SUM
    assert change_of(by_folder, ComparedFigure.TOP1_AGREEMENT).conclusion is Conclusion.SAME
    assert [(one.what, one.a, one.b) for one in by_folder.circumstances] == [("release", "1.0", "1.1")]
    for name in (first.path.name, report, "baseline:v1", "release:1.0"):
        assert compared(desk, name, "release:1.1") == by_folder
    one = compared(desk, "baseline:v1:float16", second.path)
    assert [(pair.variant, pair.variant_b) for pair in one.variants] == [("float16", "float16")]


def test_variants_of_one_run_are_paired(desk: Desk) -> None:
    desk.tensors()
    assert desk.harness("run", desk.suite(rounds=9, min_runs=90)).status == 0
    run = desk.newest().path
    comparison = compared(desk, f"{run}:float32", f"{run}:float16")
    (pair,) = comparison.variants
    assert pair.paired and not pair.same_file
    p50 = change_of(comparison, ComparedFigure.P50_LATENCY)
    assert p50.method is Method.SIGNED_RANK and p50.interval is not None
    assert change_of(comparison, ComparedFigure.FILE_SIZE).conclusion is Conclusion.LOWER


@pytest.mark.parametrize(
    ("a", "names"),
    [
        ("{run}:int4", ("int4", "float16")),
        ("release:0.9", ("0.9",)),
        ("baseline:none", ("none",)),
        ("nowhere", ("nowhere",)),
    ],
)
def test_what_is_not_there_is_explained(desk: Desk, a: str, names: tuple[str, ...]) -> None:
    desk.tensors()
    assert desk.harness("run", desk.suite()).status == 0
    run = desk.newest().path
    answer = desk.harness("compare", a.format(run=run), run)
    assert_explained(answer, 2, names[0])
    assert all(name in answer.err for name in names)


def test_other_inputs_are_refused(desk: Desk) -> None:
    for seed in (0, 1):
        desk.tensors(seed=seed)
        assert desk.harness("run", desk.suite()).status == 0
    first, second = list_runs(desk.runs)
    answer = desk.harness("compare", first.path, second.path)
    assert answer.status == 0
    assert "another workload" in answer.out and "Run both on the same inputs." in " ".join(answer.out.split())
    figures = {one.figure for one in compared(desk, first.path, second.path).variants[0].changes}
    assert figures == {ComparedFigure.FILE_SIZE, ComparedFigure.COMPRESSED_SIZE}


def test_a_second_run_confirms_what_stays(desk: Desk) -> None:
    """A model file with a long tail that is only read where it is loaded into memory: a peak that differs for sure."""
    desk.tensors()
    tail = np.random.default_rng(0).bytes(PADDING_BYTES)
    model = desk.write("model.tflite", (TINY / "image_float32.tflite").read_bytes() + tail)
    suite = desk.suite(model=model, recipes=("float32",), rounds=6, min_runs=60, policy=LOADED_TWICE)
    assert desk.harness("run", suite).status == 3
    run = desk.newest().path
    sides = (f"{run}:float32", f"{run}:heap")
    before = compared(desk, *sides, "--fail-if-worse", status=1)
    peak = change_of(before, ComparedFigure.PEAK_MEMORY)
    assert peak.conclusion is Conclusion.HIGHER and peak.confirmed is None and peak.ratio > 2
    after = compared(desk, *sides, "--confirm", "--fail-if-worse", status=1)
    assert change_of(after, ComparedFigure.PEAK_MEMORY).confirmed is True
    assert after.confirmed_by is not None
    kept = desk.runs / after.confirmed_by
    assert json.loads((kept / "comparison.json").read_text())["confirmed_by"] == kept.name
    assert len(list(kept.glob("jobs/*/events.jsonl"))) == 12
    # The confirming jobs are no run: they are in no list and cannot be mistaken for one.
    assert [one.path for one in list_runs(desk.runs)] == [run]


def test_only_stored_runs_can_be_confirmed(desk: Desk, twice: tuple[RunFolder, RunFolder]) -> None:
    first, second = twice
    assert desk.harness("baseline", "set", first.path, "--name", "v1").status == 0
    assert_explained(
        desk.harness("compare", "baseline:v1", second.path, "--confirm"), 2, "cannot be run again"
    )
