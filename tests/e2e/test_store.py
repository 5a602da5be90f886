"""A lab's runs gather at an object store: a real S3 server on loopback, the command line of several machines."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs
from desk import PATIENCE_S, Desk, assert_explained, wait_until_measuring
from moto.server import ThreadedMotoServer

from harness.core.history import Series
from harness.pipeline.evaluate import evaluate
from harness.pipeline.report_group import report_group
from harness.store import GroupFolder, RunFolder, list_runs
from harness.store.remote.address import StoreAddress
from harness.store.remote.fetch import pull_run
from harness.store.remote.place import StorePlace
from harness.store.remote.push import push_run
from harness.store.remote.run_store import RunStore

SECRET = "hunter2-hunter2-hunter2"


def serve() -> tuple[ThreadedMotoServer, str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return server, f"http://{host}:{port}"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running, endpoint = serve()
    yield endpoint
    running.stop()


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a store in a bucket of its own; what the driver needs to know is in the environment."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = f"lab-{uuid.uuid4()}"
    files().mkdir(bucket)
    return f"s3://{bucket}/lab"


def files() -> s3fs.S3FileSystem:
    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)


def opened(store: str) -> RunStore:
    return RunStore.at(StoreAddress.parse(store))


@pytest.fixture
def run(desk: Desk) -> RunFolder:
    desk.tensors()
    assert desk.harness("run", desk.suite(), "--release", "1.0").status == 0
    return desk.newest()


def another_machine(desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """With a home, a current folder and a cache of its own."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("HARNESS_CACHE", str(folder / "cache"))
    return Desk(folder, folder / "cache", desk.capture)


def series(desk: Desk, *arguments: str) -> list[Series]:
    answer = desk.harness("history", "--json", *arguments)
    assert answer.status == 0, answer
    return [Series.model_validate_json(json.dumps(one)) for one in json.loads(answer.out)]


def test_a_run_is_seen_from_another_machine(
    desk: Desk, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.photos()
    suite = desk.image_suite()
    answers = [desk.harness("run", suite, "--store", store, "--release", name) for name in ("1.0", "2.0")]
    assert [answer.status for answer in answers] == [0, 0]
    assert f"to {store}" in answers[0].out.splitlines()[-1]
    names = [one.path.name for one in list_runs(desk.runs)]
    here = desk.harness("report", names[0], "--json").out
    assert SECRET not in "".join(answer.out + answer.err for answer in answers)
    s3 = files()
    assert not any(SECRET.encode() in s3.cat_file(name) for name in s3.find(store))

    other = another_machine(desk, tmp_path / "other", monkeypatch)
    runs = {
        tuple((one.run_id, one.release) for one in found.runs) for found in series(other, "--runs", store)
    }
    assert runs == {((names[0], "1.0"), (names[1], "2.0"))}
    assert other.harness("report", f"{store}/{names[0]}", "--json").out == here
    blobs = {path.name for path in (other.cache / "blobs").iterdir()}
    variants = [desk.newest().variant(name) for name in ("float32", "float16")]
    assert blobs.isdisjoint(variant.model.sha256 for variant in variants)  # type: ignore[union-attr]
    compared = other.harness("compare", f"{store}/{names[0]}", f"{store}/{names[1]}:float16")
    assert compared.status == 0 and "float16" in compared.out and "float32" not in compared.out
    assert other.harness("gate", f"{store}/{names[1]}").status == 0
    assert other.harness("report", f"{store}/{names[0]}", "--html", "page.html").status == 0
    assert "data:image/" in (other.folder / "page.html").read_text()

    assert other.harness("baseline", "set", f"{store}/{names[0]}", "--runs", store).status == 0
    assert names[0] in other.harness("baseline", "list", "--runs", store).out
    assert other.harness("baseline", "show", "tiny", "--runs", store, "--json").out == here
    for before in ("release:1.0", "baseline:tiny", names[0]):
        compared = other.harness("compare", before, "release:2.0:float16", "--runs", store, "--json")
        assert compared.status == 0, compared
        sides = json.loads(compared.out)
        assert [sides["run_a"], sides["run_b"]] == names
    assert_explained(other.harness("compare", "release:3.0", names[0], "--runs", store), 2, "release '3.0'")
    assert_explained(other.harness("compare", "baseline:x", names[0], "--runs", store), 2, "baseline 'x'")
    assert not other.runs.exists()

    monkeypatch.setenv("HARNESS_STORE", store)
    assert other.harness("report", names[0], "--json").out == here
    label = other.harness("label", f"{names[0]}:float16", desk.folder / "photos" / "photo00.png", "--json")
    assert label.status == 0
    assert other.harness("pull", names[0]).out.strip() == f"reports/{names[0]}"
    monkeypatch.delenv("HARNESS_STORE")
    assert other.harness("report", names[0], "--json").out == here


def test_an_interrupted_run_is_finished_on_another_machine(
    desk: Desk, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.tensors(count=24)
    suite = desk.suite(rounds=12, min_runs=400_000)
    process = desk.start("run", suite, "--store", store)
    cut = wait_until_measuring(desk, process, 2)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert f"Sent {cut.path.name} to {store}" in out
    assert opened(store).reports() == {}

    other = another_machine(desk, tmp_path / "other", monkeypatch)
    assert_explained(other.harness("history", "--runs", store), 2, store)
    assert other.harness("report", f"{store}/{cut.path.name}").status == 0
    (copy,) = (other.cache / "stores").glob(f"*/{cut.path.name}")
    assert_explained(other.harness("run", "--resume", copy), 2, "is a copy")
    assert other.harness("pull", f"{store}/{cut.path.name}").status == 0
    pulled = other.newest()
    assert not pulled.is_complete
    assert [job.job_id for job in pulled.schedule()] == [job.job_id for job in cut.schedule()]
    assert pulled.outcome(cut.schedule()[0].job_id) == cut.outcome(cut.schedule()[0].job_id)


def test_a_run_on_several_devices_gathers_whole(
    desk: Desk, run: RunFolder, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run.plan().model_copy(update={"run_id": "group"})
    group = GroupFolder.create(desk.runs, plan, ("local", "local"))
    for device in group.runs():
        own = shutil.ignore_patterns("plan.json", "report.json", ".lock")
        shutil.copytree(run.path, device.path, ignore=own, dirs_exist_ok=True)
        device.write_report(evaluate(device))
    group.write_report(report_group(group))
    assert desk.harness("push", group.path, "--store", store).status == 0
    here = [desk.harness("report", name, "--json").out for name in ("group", "group.1", "group.2")]

    other = another_machine(desk, tmp_path / "other", monkeypatch)
    there = [
        other.harness("report", f"{store}/{name}", "--json").out for name in ("group", "group.1", "group.2")
    ]
    assert there == here
    assert {one.run_id for found in series(other, "--runs", store) for one in found.runs} == {
        "group.1",
        "group.2",
    }
    assert other.harness("compare", "group.1", "group.2:float32", "--runs", store).status == 0


def test_a_store_that_cannot_be_reached_changes_no_verdict(
    desk: Desk, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.tensors()
    running, endpoint = serve()
    running.stop()
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    answer = desk.harness("run", desk.suite(), "--store", store)
    assert answer.status == 0
    run = desk.newest()
    assert (
        "PASS" in answer.out
        and f"harness push {run.path.relative_to(desk.folder)} --store STORE" in answer.out
    )
    failing = desk.suite(policy='[[policy.rules]]\nmetric = "file_size"\nmax_mb = 0.001\n')
    monkeypatch.setenv("HARNESS_STORE", store)
    assert desk.harness("run", failing).status == 1
    doctor = desk.harness("doctor")
    assert doctor.status == 0 and "! store" in doctor.out and store in doctor.out
    assert_explained(desk.harness("push", run.path, "--store", store), 2, store, "cannot be")


def test_a_run_of_pytest_is_sent_too(desk: Desk, store: str) -> None:
    desk.tensors()
    desk.write(
        "test_release.py", "def test_release(harness_run):\n    assert harness_run.report.is_complete\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--harness-suite", desk.suite()]
    environment = {**os.environ, "HARNESS_STORE": store}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    name = desk.newest().path.name
    assert done.returncode == 0, done.stdout
    assert f"harness: Sent {name} to {store}" in done.stdout
    assert opened(store).reports().keys() == {f"runs/{name}/report.json"}


def test_a_store_that_cannot_be_used_is_told_before_anything_runs(desk: Desk) -> None:
    desk.tensors()
    assert_explained(desk.harness("run", desk.suite(), "--store", "gs://bucket/lab"), 2, "gs://bucket/lab")
    assert_explained(desk.harness("run", desk.suite(), "--runs", "s3://bucket/lab"), 2, "--runs")
    assert list_runs(desk.runs) == []
    assert_explained(desk.harness("push", "run"), 2, "--store")


def test_a_bucket_that_is_not_there_is_named(desk: Desk, run: RunFolder, store: str) -> None:
    assert_explained(
        desk.harness("push", run.path, "--store", "s3://no-such-bucket/lab"), 2, "no-such-bucket"
    )
    assert_explained(desk.harness("report", f"{store}/no-such-run"), 2, store, "no-such-run")
    assert_explained(desk.harness("history", "--runs", store), 2, store, "no store of runs")


def test_several_push_at_once(desk: Desk, run: RunFolder, store: str, tmp_path: Path) -> None:
    """Different runs that share blobs, and one of them twice."""
    other = renamed(run, "copy")
    sent = [run.path, other, run.path]
    processes = [desk.start("push", path, "--store", store) for path in sent]
    answers = [process.communicate(timeout=PATIENCE_S) for process in processes]
    # One run is held by one harness at a time.
    assert sorted(process.returncode for process in processes) in ([0, 0, 0], [0, 0, 2]), answers
    for path in sent:
        pulled = pull_run(path.name, opened(store), tmp_path / "pulled", tmp_path / "pulled-cache")
        assert (pulled / "report.json").read_bytes() == (path / "report.json").read_bytes()
    assert len(opened(store).reports()) == 2


def renamed(run: RunFolder, name: str) -> Path:
    """A copy of the run under another name."""
    folder = run.path.with_name(name)
    shutil.copytree(run.path, folder)
    for file in ("plan.json", "report.json"):
        text = (folder / file).read_text().replace(f'"run_id": "{run.path.name}"', f'"run_id": "{name}"')
        (folder / file).write_text(text)
    return folder


def test_a_push_that_is_killed_leaves_no_run_and_goes_on(
    desk: Desk, run: RunFolder, store: str, tmp_path: Path
) -> None:
    process = desk.start("push", run.path, "--store", store)
    seen = files()
    end_s = time.monotonic() + PATIENCE_S
    while len(seen.find(store)) < 8 and process.poll() is None and time.monotonic() < end_s:
        pass
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    there = opened(store)
    if there.reports():
        assert there.find(run.path.name) is not None
    assert desk.harness("push", run.path, "--store", store).status == 0
    pulled = pull_run(run.path.name, there, tmp_path / "pulled", tmp_path / "pulled-cache")
    assert {path.name for path in pulled.rglob("*.json*")} == {
        path.name for path in run.path.rglob("*.json*")
    }


def test_a_store_that_goes_away_on_the_way_is_told(
    desk: Desk, run: RunFolder, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, endpoint = serve()
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    sent: list[str] = []
    real = StorePlace.send

    def send(self: StorePlace, *arguments: object) -> None:
        sent.append("")
        if len(sent) == 4:
            running.stop()
        real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(StorePlace, "send", send)
    answer = desk.harness("push", run.path, "--store", store)
    assert_explained(answer, 2, store, "cannot be written to")
    assert "not sent again" in answer.err


def test_the_index_follows_the_store(
    desk: Desk, run: RunFolder, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_run(run.path, opened(store))
    read: list[str] = []
    real = StorePlace.read

    def counted(self: StorePlace, name: str, start: int, end: int) -> bytes:
        if name.startswith(("runs/", "baselines/")):
            read.append(name)
        return real(self, name, start, end)

    monkeypatch.setattr(StorePlace, "read", counted)

    def look() -> tuple[set[int], int]:
        read.clear()
        return {len(one.runs) for one in series(desk, "--runs", store)}, len(read)

    assert look() == ({1}, 1)
    assert look() == ({1}, 0)
    later = json.loads((run.path / "report.json").read_text())
    later["plan"]["run_id"] = "later"
    s3 = files()
    s3.pipe(f"{store}/runs/later/report.json", json.dumps(later).encode())
    kept = later | {"plan": later["plan"] | {"run_id": "kept"}}
    s3.pipe(f"{store}/baselines/kept.json", json.dumps(kept).encode())
    s3.pipe(f"{store}/runs/broken/report.json", b'{"plan": ')
    s3.pipe(f"{store}/runs/empty/report.json", b"")
    assert look() == ({3}, 4)
    assert look() == ({3}, 0)
    answer = desk.harness("history", "--runs", store)
    assert f"left out: {store}/runs/broken/report.json: not valid JSON" in answer.err
    later["plan"]["release"] = "9.9"
    s3.pipe(f"{store}/runs/later/report.json", json.dumps(later).encode())
    assert look() == ({3}, 1)
    assert "9.9" in {point.release for one in series(desk, "--runs", store) for point in one.runs}
    s3.rm(f"{store}/runs/later", recursive=True)
    s3.rm(f"{store}/baselines", recursive=True)
    for name in ("broken", "empty"):
        s3.rm(f"{store}/runs/{name}", recursive=True)
    assert look() == ({1}, 0)


def test_help_and_local_history_do_without_the_driver(desk: Desk, run: RunFolder) -> None:
    program = (
        "import sys\nfrom harness.cli.main import run_cli\nstatus = run_cli(['history'])\n"
        "print([name for name in ('fsspec', 's3fs', 'botocore', 'aiohttp') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
