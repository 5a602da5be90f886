"""EfficientNet-Lite0 with its ImageNet weights on real photos: source and variants see what is there.

What was built and decoded stays in ``fixtures/cache/harness``, so that only the first run of the tests converts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.cli.main import run_cli
from harness.core.events import ModelDescribed
from harness.core.measurements import Measurement
from harness.core.report import RunReport
from harness.pipeline.evaluate import read_logs
from harness.store import RunFolder, list_runs, read_report
from harness.wire.job_folder import job_folder, read_output_records

FETCHED = Path(__file__).parents[2] / "fixtures" / "cache"
NEEDED = ("efficientnet-lite0.keras", "imagenet-labels.txt", "photos/truth.csv", "calibration/astronaut.png")
RECIPES = ("float32", "int8")
CATS = {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat", "lynx"}
SUITE = """
version = 1
name = "real"
[model]
path = "{fetched}/efficientnet-lite0.keras"
[workload]
task = "image-classification"
inputs = "{fetched}/photos/*.[jp][pn]g"
labels = "{fetched}/imagenet-labels.txt"
truth = "{fetched}/photos/truth.csv"
[workload.preprocess]
size = [224, 224]
crop_fraction = 0.875
interpolation = "bicubic"
mean = 127
scale = 128
[workload.calibration]
inputs = "{fetched}/calibration/*"
[variants]
recipes = ["float32", "int8"]
[run]
rounds = 2
warmup = {{min_runs = 1}}
steady = {{min_runs = 0}}
[[policy.rules]]
metric = "top1_agreement"
min = 0.6
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    missing = [name for name in NEEDED if not (FETCHED / name).exists()]
    if missing:
        pytest.skip(f"fixtures/cache lacks {', '.join(missing)}: make fixtures fetches it")
    folder = tmp_path_factory.mktemp("real")
    (folder / "suite.toml").write_text(SUITE.format(fetched=FETCHED))
    runs = folder / "runs"
    status = run_cli(
        ["run", str(folder / "suite.toml"), "--runs", str(runs), "--cache", str(FETCHED / "harness")]
    )
    assert status == 0
    return list_runs(runs)[0]


@pytest.fixture(scope="module")
def report(run: RunFolder) -> RunReport:
    return read_report(run.path)


def measured(report: RunReport, name: str) -> Measurement:
    (found,) = [one for one in report.results if isinstance(one, Measurement) and one.variant.name == name]
    return found


def scores(run: RunFolder, model: str) -> NDArray[np.float64]:
    """``[inputs, classes]``: of the source model's reference, or of a variant as the runner wrote them down."""
    if model == "source":
        reference = run.reference()
        raw = np.fromfile(run.blobs.path(reference.outputs), "<f4")
        return raw.reshape(-1, reference.classes).astype(np.float64)
    parts = []
    for log in read_logs(run):
        if log.variant == model:
            (described,) = [event for event in log.events if isinstance(event, ModelDescribed)]
            path = job_folder(run.path, log.job_id) / "outputs.bin"
            records = read_output_records(path, described, log.input_count)[0]
            parts.append((log.first_input, records.reshape(log.input_count, -1).astype(np.float64)))
    return np.concatenate([part for _, part in sorted(parts, key=lambda each: each[0])])


@pytest.mark.parametrize("model", ["source", *RECIPES])
def test_it_sees_what_is_there(run: RunFolder, model: str) -> None:
    workload = run.workload()
    best = {
        one.name: workload.label(int(row.argmax()))
        for one, row in zip(workload.inputs, scores(run, model), strict=True)
    }
    assert best["chelsea.png"] in CATS
    assert best["coffee.png"] in {"espresso", "cup"}
    assert best["rocket.jpg"] in {"missile", "projectile"}


@pytest.mark.parametrize(("model", "least"), [("source", 18), ("float32", 18), ("int8", 17)])
def test_most_imagenet_photos_are_right(run: RunFolder, model: str, least: int) -> None:
    pairs = [
        (one.truth, int(row.argmax()))
        for one, row in zip(run.workload().inputs, scores(run, model), strict=True)
        if one.name.startswith("imagenet_")
    ]
    assert len(pairs) == 20
    assert sum(truth == best for truth, best in pairs) >= least


def test_float32_is_the_source_model(report: RunReport) -> None:
    agreement = measured(report, "float32").agreement
    assert agreement.top1.trials == 25 == agreement.top1.successes
    assert agreement.top5 is not None and agreement.top5.successes == 25
    assert agreement.largest_absolute_difference is not None
    assert agreement.largest_absolute_difference < 1e-4


def test_int8_is_close_and_small(report: RunReport) -> None:
    found = measured(report, "int8")
    assert found.agreement.top1.successes >= 22
    assert not found.agreement.constant_output
    assert found.variant.file_bytes < measured(report, "float32").variant.file_bytes / 3
    assert found.repeat_mismatches == 0
    assert found.accuracy is not None and found.accuracy.variant.trials >= 23
