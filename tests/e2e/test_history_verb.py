"""History and baselines over run folders: real runs, then copies of them at other times with other figures."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
from pathlib import Path

import pytest
from desk import AGREES, Desk, assert_explained

from harness.core.history import Series, Trended
from harness.core.report import RunReport
from harness.store import RunFolder, read_report
from harness.store.history_index import INDEX_NAME, read_history

DAY_NS = 86_400 * 10**9


@pytest.fixture
def run(desk: Desk) -> RunFolder:
    """A finished run of two variants that passes."""
    desk.tensors(count=30)
    assert desk.harness("run", desk.suite(min_runs=80), "--release", "1.0").status == 0
    return desk.newest()


def later(desk: Desk, run: RunFolder, days: int, *, slower: float = 1.0, release: str = "") -> Path:
    """A copy of the stored report as of another day, with every latency that many times as long."""
    report = json.loads((run.path / "report.json").read_text())
    report["plan"]["run_id"] = f"copy-{days:03}"
    report["plan"]["created_unix_ns"] += days * DAY_NS
    report["plan"]["release"] = release
    for result in report["results"]:
        p50 = result["latency"]["steady"]["p50"]
        p50["value"] *= slower * (1 + 0.002 * (days % 3))
    folder = desk.runs / f"copy-{days:03}"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def series(desk: Desk, *arguments: str) -> list[Series]:
    answer = desk.harness("history", "--json", *arguments)
    assert answer.status == 0, answer
    return [Series.model_validate_json(json.dumps(one)) for one in json.loads(answer.out)]


def test_a_slower_release_is_marked(desk: Desk, run: RunFolder) -> None:
    for days in range(1, 8):
        later(desk, run, days)
    for days in range(8, 16):
        later(desk, run, days, slower=1.3, release="2.0")
    (found,) = series(desk, "tiny", "--variant", "float16")
    assert [one.release for one in found.runs] == ["1.0"] + [""] * 7 + ["2.0"] * 8
    (trend,) = [one for one in found.trends if one.figure is Trended.P50_LATENCY]
    assert [shift.index for shift in trend.shifts] == [8]
    text = desk.harness("history", "--variant", "float16").out
    assert "p50 latency changed" in text and "from 2.0 (copy-008) on" in text and "+30 %" in text
    assert "╎" in text and "16 runs" in text
    assert "copy-015" not in text
    assert "copy-015" in desk.harness("history", "--table", "3").out


def test_the_index_follows_the_folders(desk: Desk, run: RunFolder) -> None:
    copy = later(desk, run, 1)
    assert {len(one.runs) for one in series(desk)} == {2}
    (copy / "report.json").unlink()
    assert {len(one.runs) for one in series(desk)} == {1}
    later(desk, run, 2)
    assert {len(one.runs) for one in series(desk)} == {2}


def test_each_device_of_a_group_is_a_run(desk: Desk, run: RunFolder) -> None:
    devices = desk.runs / "group" / "devices"
    devices.mkdir(parents=True)
    for days in (1, 2):
        later(desk, run, days).rename(devices / f"group.{days}")
    assert {len(one.runs) for one in series(desk)} == {3}


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_index_is_made_anew(desk: Desk, run: RunFolder, content: bytes) -> None:
    expected = series(desk)
    (desk.runs / INDEX_NAME).write_bytes(content)
    assert series(desk) == expected


def test_an_index_of_another_format_is_made_anew(desk: Desk, run: RunFolder) -> None:
    expected = series(desk)
    database = sqlite3.connect(desk.runs / INDEX_NAME)
    database.execute("UPDATE reports SET points = '[{}]'")
    database.commit()
    database.close()
    assert series(desk) == expected
    database = sqlite3.connect(desk.runs / INDEX_NAME)
    database.execute("PRAGMA user_version = 99")
    database.close()
    assert series(desk) == expected


def _read(runs: Path) -> int:
    return len(read_history(runs).points)


def test_several_may_bring_the_index_up_to_date_at_once(desk: Desk, run: RunFolder) -> None:
    for days in range(1, 20):
        later(desk, run, days)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(_read, [desk.runs] * 8, chunksize=1) == [40] * 8
    assert len(read_history(desk.runs).points) == 40


def test_a_report_that_cannot_be_read_is_named_and_left_out(desk: Desk, run: RunFolder) -> None:
    broken = later(desk, run, 1) / "report.json"
    broken.write_text(broken.read_text()[:100])
    answer = desk.harness("history")
    assert answer.status == 0
    assert "copy-001/report.json" in answer.err and "left out" in answer.err
    assert "1 run" in answer.out


def test_what_no_run_has_is_explained(desk: Desk, run: RunFolder) -> None:
    answer = desk.harness("history", "--variant", "int8")
    assert_explained(answer, 2, "--variant int8")
    assert "tiny/float16" in answer.err
    assert_explained(desk.harness("history", "--runs", "nowhere"), 2, "nowhere")


def test_a_baseline_gates_a_later_run(desk: Desk, run: RunFolder) -> None:
    answer = desk.harness("baseline", "set", run.path)
    assert answer.status == 0
    kept = desk.runs / "baselines" / "tiny.json"
    assert str(kept.relative_to(desk.folder)) in answer.out
    stored: RunReport = read_report(run.path)
    assert read_report(kept).results == stored.results
    listed = desk.harness("baseline", "list").out
    assert "tiny" in listed and run.plan().run_id in listed and "float32, float16" in listed
    assert run.plan().run_id in desk.harness("baseline", "show", "tiny").out
    policy = (
        f'[policy]\nbaseline = "{kept}"\n[[policy.rules]]\nmetric = "file_size"\n'
        'relative_to = "baseline"\nmax_factor = 1.0\n'
    )
    assert desk.harness("gate", run.path, "--policy", desk.write("gate.toml", policy)).status == 0
    assert {len(one.runs) for one in series(desk)} == {1}


def test_a_run_is_judged_again_where_its_baseline_is_not(desk: Desk, run: RunFolder) -> None:
    """On another machine the suite's path leads nowhere."""
    assert desk.harness("baseline", "set", run.path).status == 0
    relative = '[[policy.rules]]\nmetric = "file_size"\nrelative_to = "baseline"\nmax_factor = 1.0\n'
    suite = desk.suite(policy=f'[policy]\nbaseline = "reports/baselines/tiny.json"\n{relative}')
    assert desk.harness("run", suite).status == 0
    (desk.runs / "baselines" / "tiny.json").unlink()
    gated = desk.newest().path
    assert desk.harness("gate", gated).status == 0
    strict = desk.write("strict.toml", suite.read_text().replace("max_factor = 1.0", "max_factor = 0.9"))
    assert_explained(desk.harness("gate", gated, "--policy", strict), 2, "tiny.json")
    (gated / "baseline.json").unlink()
    assert_explained(desk.harness("gate", gated), 2, "tiny.json")


def test_a_run_that_did_not_pass_is_no_baseline_unless_it_is_insisted_on(desk: Desk) -> None:
    desk.tensors()
    failing = desk.suite(policy=AGREES + '[[policy.rules]]\nmetric = "file_size"\nmax_mb = 0.000001\n')
    assert desk.harness("run", failing).status == 1
    path = desk.newest().path
    assert_explained(desk.harness("baseline", "set", path), 2, "verdict is fail")
    assert not (desk.runs / "baselines").exists()
    assert desk.harness("baseline", "set", path, "--force", "--name", "known-bad").status == 0
    assert (desk.runs / "baselines" / "known-bad.json").is_file()


@pytest.mark.parametrize("name", ["../outside", "", "a/b", ".hidden", "x" * 65])
def test_a_baselines_name_stays_in_its_folder(desk: Desk, run: RunFolder, name: str) -> None:
    if name:
        assert_explained(desk.harness("baseline", "set", run.path, "--name", name), 2, "name a baseline")
    assert_explained(desk.harness("baseline", "show", name), 2, "name a baseline")
    assert sorted(desk.folder.parent.glob("outside*")) == []


def test_a_missing_or_damaged_baseline_is_explained(desk: Desk, run: RunFolder) -> None:
    assert_explained(desk.harness("baseline", "show", "none"), 2, "no baseline 'none'")
    desk.write("reports/baselines/broken.json", "{}")
    assert_explained(desk.harness("baseline", "show", "broken"), 2, "broken.json")
    listed = desk.harness("baseline", "list")
    assert listed.status == 0 and "broken" in listed.out


def test_a_releases_name_has_a_limit(desk: Desk) -> None:
    desk.tensors()
    assert_explained(desk.harness("run", desk.suite(), "--release", "x" * 61), 2, "--release")
