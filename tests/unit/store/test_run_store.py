"""Runs sent to a store and brought from it: whole or not at all, checked, and nothing outside of their folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from harness.core.jobs import Blob, RunSettings, StopRule
from harness.core.runs import Host, Plan, SourceRecord
from harness.core.stored_run import StoredFile, StoredRun
from harness.core.workload import Reference
from harness.errors import RunError, StoreError
from harness.store import GroupFolder, RunFolder, list_runs
from harness.store.need import Need
from harness.store.remote.address import StoreAddress
from harness.store.remote.fetch import fetch_run, pull_run
from harness.store.remote.place import StorePlace
from harness.store.remote.push import push_run
from harness.store.remote.reports import store_history
from harness.store.remote.run_store import RunStore

NOTHING = StopRule(min_runs=0, min_duration_ns=0)
MODEL = b"a model" * 1000


def plan(run_id: str, *, created_unix_ns: int = 1) -> Plan:
    return Plan(
        run_id=run_id,
        created_unix_ns=created_unix_ns,
        harness_version="0",
        suite_name="s",
        suite_path="/s.toml",
        suite_toml="version = 1\n",
        host=Host(system="s", machine="m", cpu="c", logical_cores=2, python="3", packages={"numpy": "2"}),
        source=SourceRecord(path="/m", format="tflite", sha256="a" * 64, bytes=9),
        target="local",
        rounds=1,
        seed=0,
        settings=RunSettings(threads=1, warmup=NOTHING, steady=NOTHING),
    )


def fill(run: RunFolder, *, report: bool = True) -> RunFolder:
    """With a model, the reference's outputs, an event log and, last of all, something for a report."""
    run.blobs.put_bytes(MODEL)
    run.write_reference(Reference(outputs=run.blobs.put_bytes(b"outputs!"), classes=2, engine="e"))
    log = run.path / "jobs" / "r00-float32" / "events.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text(f'{{"run":"{run.path.name}"}}\n')
    log.with_name("outputs.bin").write_bytes(b"")
    if report:
        (run.path / "report.json").write_text(f'{{"of":"{run.path.name}"}}')
    return run


def a_run(runs: Path, name: str = "run", *, report: bool = True) -> RunFolder:
    return fill(RunFolder.create(runs, plan(name)), report=report)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a run that another machine is to have, too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    MemoryFileSystem.store.clear()
    url = "memory://lab" if request.param == "memory" else str(tmp_path / "lab")
    yield RunStore.at(StoreAddress.parse(url))
    MemoryFileSystem.store.clear()


@pytest.fixture
def in_memory() -> Iterator[RunStore]:
    MemoryFileSystem.store.clear()
    yield RunStore.at(StoreAddress.parse("memory://lab"))
    MemoryFileSystem.store.clear()


def test_a_run_arrives_as_it_was_sent(store: RunStore, tmp_path: Path) -> None:
    run = a_run(tmp_path / "a")
    sent = content(run.path)
    # What this machine alone can use stays here.
    (run.path / "weight-caches").mkdir()
    (run.path / "weight-caches" / "float32").write_bytes(b"for this processor")
    blob = next((run.path / "blobs").iterdir())
    blob.with_name(f"{blob.name}.verified").write_text("inode 7")
    (run.path / ".report.json.partial").write_text("half")
    pushed = push_run(run.path, store)
    assert pushed.sent_files == len(sent) and pushed.left_out == ()
    pulled = pull_run("run", store, tmp_path / "b", tmp_path / "cache")
    assert pulled == tmp_path / "b" / "run"
    assert content(pulled) == sent
    assert [one.path for one in list_runs(tmp_path / "b")] == [pulled]
    assert store.reports().keys() == {"runs/run/report.json"}


def test_a_group_arrives_with_its_devices(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = GroupFolder.create(tmp_path / "a", plan("g"), ("local", "virtual"))
    for device in group.runs():
        fill(device)
    (group.path / "group_report.json").write_text("{}")
    written: list[str] = []
    real = StorePlace.write
    monkeypatch.setattr(
        StorePlace, "write", lambda self, name, data: (written.append(name), real(self, name, data))[1]
    )
    push_run(group.path, store)
    reports = [f"devices/g.{number}/report.json" for number in (1, 2)]
    assert written[-4:] == [f"runs/g/{name}" for name in ("files.json", *reports, "group_report.json")]
    pulled = pull_run("g", store, tmp_path / "b", tmp_path / "cache")
    assert content(pulled) == content(group.path)
    assert store.reports().keys() == {f"runs/g/devices/g.{number}/report.json" for number in (1, 2)}
    of_device = fetch_run("g.2", store, tmp_path / "cache")
    assert content(of_device) == content(group.path / "devices" / "g.2")


def test_what_is_there_is_not_sent_again(store: RunStore, tmp_path: Path) -> None:
    first, second = a_run(tmp_path, "first"), a_run(tmp_path, "second")
    push_run(first.path, store)
    assert push_run(first.path, store).sent_files == 0
    pushed = push_run(second.path, store)
    shared = {"blobs/" + hashlib.sha256(data).hexdigest() for data in (MODEL, b"outputs!", b"")}
    assert 0 < pushed.sent_bytes < len(MODEL)
    assert shared < store.place.files_below("blobs").keys()


def test_a_report_needs_no_models(store: RunStore, tmp_path: Path) -> None:
    run = a_run(tmp_path)
    push_run(run.path, store)
    fetched = fetch_run("run", store, tmp_path / "cache", Need.REPORT)
    model = f"blobs/{hashlib.sha256(MODEL).hexdigest()}"
    assert content(fetched).keys() == content(run.path).keys() - {model}
    assert content(fetch_run("run", store, tmp_path / "cache")) == content(run.path)


def test_what_was_fetched_follows_the_store(store: RunStore, tmp_path: Path) -> None:
    run = a_run(tmp_path, report=False)
    push_run(run.path, store)
    cache = tmp_path / "cache"
    assert not (fetch_run("run", store, cache) / "report.json").exists()
    (run.path / "jobs" / "r00-float32" / "events.jsonl").write_text('{"run":"RUN"}\n')
    (run.path / "report.json").write_text("{}")
    push_run(run.path, store)
    assert content(fetch_run("run", store, cache)) == content(run.path)


def test_a_damaged_copy_is_mended(in_memory: RunStore, tmp_path: Path) -> None:
    run = a_run(tmp_path)
    push_run(run.path, in_memory)
    fetched = fetch_run("run", in_memory, tmp_path / "cache")
    (fetched / "plan.json").write_text("{")
    assert content(fetch_run("run", in_memory, tmp_path / "cache")) == content(run.path)


class Cut(BaseException):
    """As if the process ended here."""


def cut_after(count: int, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] = Cut) -> None:
    """Whatever changes a store fails from its ``count``th call on; where a driver writes in pieces, half is written."""
    calls = 0

    def failing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls <= count:
                return real(self, *arguments, **options)
            if isinstance(self, LocalFileSystem) and name == "pipe_file":
                real(self, arguments[0], arguments[1][: len(arguments[1]) // 2])
            raise error("the line was cut")

        return call

    for files in (MemoryFileSystem, LocalFileSystem):
        for name in ("pipe_file", "put_file", "mv"):
            monkeypatch.setattr(files, name, failing(name, getattr(files, name)))


def test_a_push_that_is_cut_leaves_no_run_at_any_of_its_steps(store: RunStore, tmp_path: Path) -> None:
    run = a_run(tmp_path / "a")
    steps = 0
    for steps in range(100):
        MemoryFileSystem.store.clear()
        shutil.rmtree(tmp_path / "lab", ignore_errors=True)
        with pytest.MonkeyPatch.context() as cutting:
            cut_after(steps, cutting)
            try:
                push_run(run.path, store)
                break
            except Cut:
                pass
        # With the list all is there; with a report, too, and its list.
        listed = store.find("run")
        if store.reports():
            assert listed is not None
        if listed is not None:
            whole = pull_run("run", store, tmp_path / f"b{steps}", tmp_path / f"cache{steps}")
            assert content(whole) == content(run.path)
        push_run(run.path, store)
        assert store.find("run") is not None and store.reports()
    assert steps > len(content(run.path))
    assert store.reports().keys() == {"runs/run/report.json"}
    assert content(pull_run("run", store, tmp_path / "b", tmp_path / "cache")) == content(run.path)
    assert not [name for name in store.place.files_below("") if "partial" in name]


def test_a_push_goes_on_where_it_was_cut(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path / "a")
    with monkeypatch.context() as cutting:
        cut_after(6, cutting)
        with pytest.raises(Cut):
            push_run(run.path, store)
    there = store.place.files_below("blobs").keys()
    assert 0 < len(there) < len(content(run.path))
    assert push_run(run.path, store).sent_files == len(content(run.path)) - len(there)


def test_a_store_that_may_not_be_written_to(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path / "a")
    cut_after(0, monkeypatch, PermissionError)
    with pytest.raises(StoreError, match="may not be written to: the line was cut"):
        push_run(run.path, store)


def test_reading_writes_nothing_to_the_store(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path / "a")
    push_run(run.path, store)
    cut_after(0, monkeypatch, PermissionError)
    assert content(pull_run("run", store, tmp_path / "b", tmp_path / "cache")) == content(run.path)
    history = store_history(store, tmp_path / "cache")
    assert [one.path for one in history.unread] == ["runs/run/report.json"]


def test_a_pull_that_is_cut_leaves_no_run_and_goes_on(in_memory: RunStore, tmp_path: Path) -> None:
    run = a_run(tmp_path / "a")
    push_run(run.path, in_memory)
    real = MemoryFileSystem.cat_file
    asked: list[str] = []

    def cut(self: Any, path: str, *arguments: Any, **options: Any) -> Any:
        asked.append(path)
        if len(asked) == 4:
            raise Cut
        return real(self, path, *arguments, **options)

    with pytest.MonkeyPatch.context() as cutting:
        cutting.setattr(MemoryFileSystem, "cat_file", cut)
        with pytest.raises(Cut):
            pull_run("run", in_memory, tmp_path / "b", tmp_path / "cache")
        assert list_runs(tmp_path / "b") == []
        first = asked[1:3]
        assert content(pull_run("run", in_memory, tmp_path / "b", tmp_path / "cache")) == content(run.path)
        assert not set(first) & set(asked[4:])


def test_an_unfinished_run_is_no_report_and_never_takes_a_finished_ones_place(
    store: RunStore, tmp_path: Path
) -> None:
    run = a_run(tmp_path / "a", report=False)
    push_run(run.path, store)
    assert store.reports() == {}
    resumed = RunFolder(pull_run("run", store, tmp_path / "b", tmp_path / "cache"))
    (resumed.path / "report.json").write_text("{}")
    push_run(resumed.path, store)
    with pytest.raises(StoreError, match="is there with its report") as refused:
        push_run(run.path, store)
    assert "harness pull run" in refused.value.next_step
    assert store.find("run").has_report  # type: ignore[union-attr]


def test_two_runs_of_one_name_are_kept_apart(store: RunStore, tmp_path: Path) -> None:
    push_run(a_run(tmp_path / "a").path, store)
    other = fill(RunFolder.create(tmp_path / "b", plan("run", created_unix_ns=2)))
    with pytest.raises(StoreError, match="another run called run"):
        push_run(other.path, store)
    with pytest.raises(RunError, match=r"its plan\.json is not that of"):
        pull_run("run", store, tmp_path / "b", tmp_path / "cache")
    assert pull_run("run", store, tmp_path / "a", tmp_path / "cache") == tmp_path / "a" / "run"


def test_a_run_at_work_is_not_sent(store: RunStore, tmp_path: Path) -> None:
    run = a_run(tmp_path)
    with run.locked(), pytest.raises(RunError, match="another harness is working"):
        push_run(run.path, store)
    assert store.find("run") is None


def test_a_damaged_run_is_not_sent(store: RunStore, tmp_path: Path) -> None:
    run = a_run(tmp_path)
    blob = run.path / "blobs" / hashlib.sha256(MODEL).hexdigest()
    blob.chmod(0o644)
    blob.write_bytes(b"another")
    with pytest.raises(RunError, match="do not match the name"):
        push_run(run.path, store)
    assert store.find("run") is None and store.reports() == {}


def test_a_file_of_a_name_that_others_cannot_have_is_left_out_and_told(
    store: RunStore, tmp_path: Path
) -> None:
    run = a_run(tmp_path)
    (run.path / "notes: 1.txt").write_text("mine")
    assert push_run(run.path, store).left_out == ("notes: 1.txt",)


def put(store: RunStore, name: str, data: bytes | str) -> None:
    store.place.write(name, data.encode() if isinstance(data, str) else data)


def entry(path: str, data: bytes = b"x", **other: object) -> dict[str, object]:
    return {"path": path, "blob": {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} | other}


HOSTILE_PATHS = [
    "../x",
    "a/../../x",
    "/etc/x",
    "C:/x",
    "C:x",
    "a\\..\\x",
    "%2e%2e/x",
    "a//x",
    "./x",
    ".lock",
    "a/.ssh/x",
    "a./x",
    "x\n",
    "x\x00",
    "con.json",
    "a/NUL",
    "jobs/aux/x",
    "",
    "a/" * 8 + "x",
    "x" * 200,
    "‮x",
    "blobs/x",
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_name_from_a_store_never_leaves_the_folder(in_memory: RunStore, tmp_path: Path, path: str) -> None:
    files = [entry("plan.json", plan("run").model_dump_json().encode()), entry(path)]
    for data in (plan("run").model_dump_json().encode(), b"x"):
        put(in_memory, f"blobs/{hashlib.sha256(data).hexdigest()}", data)
    put(in_memory, "runs/run/files.json", json.dumps({"store_version": 1, "run_id": "run", "files": files}))
    with pytest.raises(StoreError, match=r"files\.json is damaged") as refused:
        pull_run("run", in_memory, tmp_path / "runs", tmp_path / "cache")
    assert "harness push" in refused.value.next_step
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[]",
        "null",
        '{"store_version": 1}',
        '{"store_version": 1, "run_id": "other", "files": []}',
        '{"store_version": 1, "run_id": "../run", "files": []}',
        '{"store_version": 1, "run_id": "run", "run_id": "run", "files": []}',
        '{"store_version": 2, "run_id": "run", "files": []}',
        '{"store_version": 1, "run_id": "run", "files": [], "code": "import os"}',
        json.dumps({"store_version": 1, "run_id": "run", "files": [entry("a"), entry("A")]}),
        json.dumps({"store_version": 1, "run_id": "run", "files": [entry("a"), entry("a/b")]}),
        json.dumps({"store_version": 1, "run_id": "run", "files": [entry("a", bytes=-1)]}),
        json.dumps({"store_version": 1, "run_id": "run", "files": [entry("a", sha256="../x")]}),
        "\x80\x04\x95",
        '{"a":' * 100_000,
    ],
    ids=range(16),
)
def test_a_list_that_is_none_is_refused(in_memory: RunStore, tmp_path: Path, document: str) -> None:
    put(in_memory, "runs/run/files.json", document)
    with pytest.raises(StoreError, match=r"files\.json"):
        fetch_run("run", in_memory, tmp_path / "cache")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("damage", ["other", "short", "long", "empty", "gone"])
@pytest.mark.parametrize(
    "path", ["jobs/r00-float32/events.jsonl", "blobs/" + hashlib.sha256(MODEL).hexdigest()]
)
def test_other_bytes_than_were_sent_are_refused(
    in_memory: RunStore, tmp_path: Path, damage: str, path: str
) -> None:
    run = a_run(tmp_path / "a")
    push_run(run.path, in_memory)
    data = (run.path / path).read_bytes()
    name = f"blobs/{hashlib.sha256(data).hexdigest()}"
    damaged = {"other": b"!" + data[1:], "short": data[:-1], "long": b"!" + data, "empty": b""}
    if damage == "gone":
        MemoryFileSystem().rm_file(f"/lab/{name}")
    else:
        put(in_memory, name, damaged[damage])
    with pytest.raises(StoreError) as refused:
        pull_run("run", in_memory, tmp_path / "b", tmp_path / "cache")
    assert name in refused.value.problem and "harness push" in refused.value.next_step
    assert list_runs(tmp_path / "b") == []
    assert not [one for one in tmp_path.rglob("b/.pulling/**/*") if one.name in (path.rpartition("/")[2],)]
    # Who has the run mends it; of the right size, what is there is taken for right.
    if damage != "other":
        push_run(run.path, in_memory)
        assert content(pull_run("run", in_memory, tmp_path / "b", tmp_path / "cache")) == content(run.path)


def test_a_run_that_is_larger_than_the_disk_is_not_begun(in_memory: RunStore, tmp_path: Path) -> None:
    files = (StoredFile(path="plan.json", blob=Blob(sha256="a" * 64, bytes=1 << 60)),)
    put(in_memory, "runs/run/files.json", StoredRun(run_id="run", files=files).model_dump_json())
    with pytest.raises(StoreError, match="bytes more, and"):
        pull_run("run", in_memory, tmp_path / "runs", tmp_path / "cache")


def test_a_list_too_long_to_read_is_refused(
    in_memory: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.store.remote.run_store.LARGEST_FILE_LIST_BYTES", 1000)
    put(in_memory, "runs/run/files.json", " " * 1001)
    with pytest.raises(StoreError, match="more than 1000"):
        fetch_run("run", in_memory, tmp_path)


def test_the_plan_of_another_run_is_refused(in_memory: RunStore, tmp_path: Path) -> None:
    run = a_run(tmp_path / "a", "one")
    moved = run.path.rename(tmp_path / "a" / "two")
    push_run(moved, in_memory)
    with pytest.raises(StoreError, match="what is there as two is the run one"):
        fetch_run("two", in_memory, tmp_path / "cache")


def test_hostile_keys_are_no_reports(in_memory: RunStore) -> None:
    for name in (
        "runs/../report.json",
        "runs/a b/report.json",
        "runs/a/x/b/report.json",
        "baselines/../x.json",
    ):
        MemoryFileSystem().pipe_file(f"/lab/{name}", b"{}")
    put(in_memory, "runs/good/report.json", "{}")
    assert in_memory.reports().keys() == {"runs/good/report.json"}


def test_a_newer_store_is_refused(in_memory: RunStore, tmp_path: Path) -> None:
    put(in_memory, "store.json", '{"store_version": 2}')
    with pytest.raises(StoreError, match="store_version is 2") as refused:
        push_run(a_run(tmp_path).path, in_memory)
    assert "Update the harness" in refused.value.next_step


def test_a_drivers_failure_shows_no_secret(in_memory: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    address = StoreAddress.parse("memory://ann:hunter2@lab")
    place = RunStore.at(address).place

    def fail(self: Any, path: str, **options: Any) -> None:
        raise RuntimeError("GET memory://ann:hunter2@lab: password hunter2 refused\nmore")

    monkeypatch.setattr(MemoryFileSystem, "info", fail)
    with pytest.raises(StoreError) as raised:
        place.size("store.json")
    assert "hunter2" not in f"{raised.value!r} {raised.value} {raised.value.next_step}"
    assert raised.value.where == "memory://***@lab" and raised.value.__suppress_context__
