"""``make emoji`` as it is: the trained model of the fixture, from its suite to the verdict, and asked afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from desk import Desk, measured

ROOT = Path(__file__).parents[2]
MADE = ROOT / "fixtures" / "cache" / "emoji" / "model"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _the_model_is_there() -> None:
    if not (MADE / "model.keras").exists():
        pytest.fail("the emoji model is missing: run  python -m fixtures.get --emoji")


def test_the_suite_passes_and_its_variants_answer(desk: Desk) -> None:
    answer = desk.harness("run", ROOT / "fixtures" / "emoji.toml")
    assert answer.status == 0, answer
    report = desk.report()
    assert report.workload.labels is not None and len(report.workload.labels) == 100
    for name in ("float32", "float16", "dynamic-int8"):
        found = measured(report, name)
        assert found.agreement.top5 is not None and found.agreement.top5.value > 0.99
        assert found.accuracy is not None and found.accuracy.variant.value > 0.7
        assert found.keystrokes is not None and found.keystrokes.latency.p90 is not None
    # Far below the word embedding of 51.2 MB and the binaries of 2 to 12 MB that it is held against.
    assert measured(report, "dynamic-int8").variant.compressed_bytes < 200_000
    run = desk.newest().path
    differing = {one.input_name for one in measured(report, "dynamic-int8").agreement.disagreements}
    texts = [one.name for one in report.workload.inputs if one.name not in differing][:8]
    suggestions = []
    for model in (MADE / "model.keras", f"{run}:dynamic-int8"):
        asked = desk.harness("label", model, *texts, "--json")
        assert asked.status == 0, asked
        suggestions.append(
            [[one["label"] for one in text["best"]] for text in json.loads(asked.out)["texts"]]
        )
    source, variant = suggestions
    assert {len(best) for best in source} == {5} and len({best[0] for best in source}) > 4
    assert [best[0] for best in source] == [best[0] for best in variant]
    shown = desk.harness("report", run, "--disagreements").out
    disagreeing = measured(report, "dynamic-int8").agreement.disagreements
    assert disagreeing and disagreeing[0].input_name in shown
