"""The files that ``harness report`` writes, of a run of photos that the real runner made."""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from desk import AGREES, CLASSES, Desk, assert_explained, jobs, measured
from tensorboardX.proto.event_pb2 import Event

from harness.core.joblog import inference_ns
from harness.core.sample_series import origin_unix_ns, sample_series
from harness.pipeline.evaluate import read_logs
from harness.store import RunFolder
from harness.wire.schema import SCHEMA_FOLDER


@pytest.fixture
def run(desk: Desk) -> RunFolder:
    """A finished run that passes. Calibrated on noise, int8 disagrees somewhere."""
    desk.photos(10)
    desk.write("labels.txt", "".join(f"label {index} <b>\n" for index in range(CLASSES)))
    suite = desk.image_suite(
        more='labels = "labels.txt"\n',
        calibration="hold_out = 2",
        recipes=("float32", "float16", "int8"),
        policy="[policy]\n" + AGREES,
    )
    assert desk.harness("run", suite).status in (0, 1, 3)
    return desk.newest()


def test_every_file_in_one_call(desk: Desk, run: RunFolder) -> None:
    out = desk.folder / "out"
    answer = desk.harness(
        "report",
        run.path,
        *("--html", out / "report.html", "--markdown", out / "report.md", "--junit", out / "junit.xml"),
        *("--samples", out / "samples.csv.gz", "--tensorboard", out / "events"),
    )
    assert answer.status == 0 and answer.out == ""
    assert answer.err.count("wrote ") == 4 + 3
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "label 1 &lt;b&gt;" in page or not _disagreements(desk)
    assert page.count("data:image/jpeg;base64,") == len(_disagreements(desk))
    assert "data:image/jpeg" not in _written(desk, run, "--no-pictures")
    assert (out / "report.md").read_text() == desk.harness("report", run.path, "--format", "markdown").out
    assert ElementTree.parse(out / "junit.xml").getroot().find("testsuite") is not None
    assert not [path for path in out.iterdir() if path.name.endswith(".partial")]


def _disagreements(desk: Desk) -> set[int]:
    return {
        one.input_index
        for name in ("float32", "float16", "int8")
        for one in measured(desk.report(), name).agreement.disagreements
    }


def _written(desk: Desk, run: RunFolder, *options: str) -> str:
    file = desk.folder / "other.html"
    assert desk.harness("report", run.path, "--html", file, *options).status == 0
    return file.read_text(encoding="utf-8")


def test_the_csv_has_every_sample_of_the_logs(desk: Desk, run: RunFolder) -> None:
    file = desk.folder / "samples.csv.gz"
    assert desk.harness("report", run.path, "--samples", file).status == 0
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(file.read_bytes()).decode(), newline="")))
    logs = [log for _, log in jobs(run)]
    assert len(rows) == sum(len(log.blocks.latencies_ns) for log in logs)
    first_runs = sum(inference_ns(log) - int(log.blocks.latencies_ns.sum()) for log in logs)
    assert sum(int(row["latency_ns"]) for row in rows) == desk.report().inference_ns - first_runs
    steady = [row for row in rows if row["variant"] == "int8" and row["phase"] == "steady"]
    assert len(steady) == measured(desk.report(), "int8").latency.steady.samples
    names = [one.name for one in desk.report().workload.inputs]
    assert all(names[int(row["input"])] == row["input_name"] for row in rows)


def test_samples_begin_one_after_another(desk: Desk, run: RunFolder) -> None:
    logs = read_logs(run)
    series = sample_series("float32", logs, origin_unix_ns(logs))
    for stretch in series.stretches:
        part = slice(stretch.first, stretch.first + stretch.count)
        ends_ns = series.started_ns[part] + series.latencies_ns[part]
        assert (series.started_ns[part][1:] >= ends_ns[:-1] - 10**6).all()
    assert [one.is_steady for one in series.stretches] == [False, True] * 2


def _scalars(folder: Path) -> dict[str, float]:
    """From event files: length, its checksum, an Event, its checksum, again and again (TFRecord)."""
    found = {}
    for file in folder.glob("events.out.tfevents.*"):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length
            for value in event.summary.value:
                found[value.tag] = value.simple_value
    return found


def test_tensorboard_gets_the_figures_of_the_report(desk: Desk, run: RunFolder) -> None:
    folder = desk.folder / "events"
    assert desk.harness("report", run.path, "--tensorboard", folder).status == 0
    scalars = _scalars(folder / run.path.name / "int8")
    int8 = measured(desk.report(), "int8")
    assert scalars["agreement/top1"] == pytest.approx(int8.agreement.top1.value)
    assert int8.latency.steady.p50 is not None
    assert scalars["latency/p50_ms"] == pytest.approx(int8.latency.steady.p50.value / 1e6)
    assert {"_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info"} <= set(
        scalars
    )
    assert_explained(
        desk.harness("report", run.path, "--tensorboard", folder), 2, str(folder), "is there already"
    )


def test_json_meets_its_schema(desk: Desk, run: RunFolder) -> None:
    schema = json.loads((SCHEMA_FOLDER / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(desk.harness("report", run.path, "--json").out), schema)
    comparison = json.loads((SCHEMA_FOLDER / "comparison.schema.json").read_text())
    compared = desk.harness("compare", f"{run.path}:float32", f"{run.path}:int8", "--json")
    jsonschema.validate(json.loads(compared.out), comparison)


def test_pages_of_a_comparison_and_of_the_history(desk: Desk, run: RunFolder) -> None:
    file = desk.folder / "comparison.html"
    sides = f"{run.path}:float32", f"{run.path}:int8"
    assert desk.harness("compare", *sides, "--html", file).status == 0
    assert "float32 → int8" in file.read_text(encoding="utf-8")
    assert desk.harness("history", "--html", file).status == 0
    assert f"<td>{run.path.name}</td>" in file.read_text(encoding="utf-8")


def test_an_explanation_is_kept_and_shown(desk: Desk, run: RunFolder) -> None:
    overlays = desk.folder / "overlays"
    refused = desk.harness("report", run.path, "--model-explorer", overlays)
    assert_explained(refused, 2, "no variant's layers were compared")
    assert "harness explain" in refused.err
    assert desk.harness("explain", run.path, "int8").status == 0
    assert desk.harness("report", run.path, "--model-explorer", overlays).status == 0
    results = json.loads((overlays / "int8.json").read_text())["results"]
    explained = run.explanation("int8")
    assert explained is not None and explained.layers
    assert results == {
        one.operation.tensor: {"value": one.operation.error}
        for one in explained.layers
        if one.operation.error is not None
    }
    assert '<section id="explanations"' in _written(desk, run)


@pytest.mark.parametrize("option", ["--html", "--markdown", "--junit", "--samples"])
def test_what_cannot_be_written_says_so(desk: Desk, run: RunFolder, option: str) -> None:
    desk.write("file", "")
    answer = desk.harness("report", run.path, option, desk.folder / "file" / "x.csv")
    assert_explained(answer, 2, "file")


def test_samples_of_another_format_are_refused(desk: Desk, run: RunFolder) -> None:
    answer = desk.harness("report", run.path, "--samples", desk.folder / "samples.parquet")
    assert_explained(answer, 2, "samples.parquet", ".csv")
