"""A worker of shards: warm processes, errors with names instead of paths, payloads and names that are not trusted."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.core.jobs import Blob, DType, TensorEncoding
from harness.errors import HarnessError, ModelError, TargetError, WireError
from harness.models.source import SourceFormat
from harness.shards import worker as worker_module
from harness.shards.pool import OneProcess, Shard, pool_for, processes_for
from harness.shards.request import InputTensor, ReferenceEngine, ShardRequest, SourceFile, SourceFiles
from harness.shards.source_files import place_source, store_source
from harness.shards.worker import ShardWorker
from harness.wire.blobs import BlobStore

TINY = Path(__file__).parents[3] / "fixtures" / "tiny"
IMAGE = TensorEncoding(dtype=DType.FLOAT32, shape=(1, 8, 8, 3))
RECORD = np.zeros((1, 8, 8, 3), np.float32).tobytes()


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "store")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that is started, in order."""
    processes: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def remember(command: list[str], **options: Any) -> Any:
        processes.append(start(command, **options))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", remember)
    return processes


def request(
    store: BlobStore, first: int = 0, count: int = 1, *, model: str = "image_float32.tflite"
) -> ShardRequest:
    stored = store_source(TINY / model, SourceFormat.TFLITE, store)
    engine = ReferenceEngine(source=stored.files, inputs=(InputTensor(tensor="", encoding=IMAGE),))
    return ShardRequest(engine=engine, first=first, count=count)


def test_a_process_stays_for_the_next_shard(store: BlobStore, started: list[subprocess.Popen[bytes]]) -> None:
    worker = ShardWorker(store)
    answers = [worker.run(request(store, first, 2), [2 * RECORD]) for first in (0, 32, 64)]
    assert {len(answer) for answer in answers} == {2 * 10 * 4}
    assert len(started) == 1 and started[0].poll() is None
    # A reference and its calibrations are computed in turns, and both stay.
    for _ in range(2):
        worker.run(request(store, model="image_int8.tflite"), [RECORD])
        worker.run(request(store), [RECORD])
    assert len(started) == 2 and started[0].poll() is None
    worker.close()
    assert all(process.poll() is not None for process in started)
    with pytest.raises(HarnessError, match="interrupted"):
        worker.run(request(store), [RECORD])


def test_the_least_recently_used_engine_makes_room(
    store: BlobStore, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "ENGINES_AT_ONCE", 1)
    worker = ShardWorker(store)
    worker.run(request(store), [RECORD])
    worker.run(request(store, model="image_int8.tflite"), [RECORD])
    assert len(started) == 2 and started[0].poll() is not None and started[1].poll() is None
    worker.close()


def test_a_process_that_nobody_needs_is_ended(
    store: BlobStore, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "IDLE_S", 0.05)
    worker = ShardWorker(store)
    worker.run(request(store), [RECORD])
    assert started[0].wait(30) is not None
    assert len(worker.run(request(store), [RECORD])) == 40
    assert len(started) == 2
    worker.close()


def test_threads_share_the_processes(store: BlobStore, started: list[subprocess.Popen[bytes]]) -> None:
    worker = ShardWorker(store, processes=2)
    alone = worker.run(request(store), [RECORD])
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: worker.run(request(store), [RECORD]), range(24)))
    assert set(answers) == {alone}
    assert 1 <= len(started) <= 2
    worker.close()


def test_closing_ends_what_is_under_way(store: BlobStore, started: list[subprocess.Popen[bytes]]) -> None:
    worker = ShardWorker(store)
    many = request(store, 0, 200_000)
    failed: list[HarnessError] = []

    def run() -> None:
        try:
            worker.run(many, [bytes(200_000 * len(RECORD))])
        except HarnessError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not started:
        thread.join(0.01)
    worker.close()
    thread.join(30)
    assert not thread.is_alive()
    assert len(failed) == 1


def test_an_error_names_no_path_of_the_worker(store: BlobStore, tmp_path: Path) -> None:
    broken = tmp_path / "secret place" / "broken.tflite"
    broken.parent.mkdir()
    broken.write_bytes((TINY / "image_float32.tflite").read_bytes()[:300])
    stored = store_source(broken, SourceFormat.TFLITE, store)
    engine = ReferenceEngine(source=stored.files, inputs=(InputTensor(tensor="", encoding=IMAGE),))
    assert "secret" not in engine.model_dump_json()
    worker = ShardWorker(store)
    with pytest.raises(ModelError) as caught:
        worker.run(ShardRequest(engine=engine, first=0, count=1), [RECORD])
    worker.close()
    assert caught.value.where is None
    assert stored.located(caught.value).where == str(broken)
    gone = TargetError("the scheduler is gone", next_step="Start it.")
    assert stored.located(gone) is gone


def test_a_worker_goes_on_after_an_error(store: BlobStore) -> None:
    worker = ShardWorker(store)
    encoding = TensorEncoding(dtype=DType.FLOAT32, shape=(1, 9, 9, 3))
    good = request(store)
    bad = good.model_copy(
        update={
            "engine": good.engine.model_copy(update={"inputs": (InputTensor(tensor="", encoding=encoding),)})
        }
    )
    with pytest.raises(HarnessError, match="the workload gives"):
        worker.run(bad, [bytes(encoding.record_bytes)])
    assert len(worker.run(good, [RECORD])) == 40
    worker.close()


@pytest.mark.parametrize("payload", [[], [RECORD[:-1]], [RECORD, RECORD], [RECORD * 2]])
def test_a_payload_of_another_size_is_refused(store: BlobStore, payload: list[bytes]) -> None:
    worker = ShardWorker(store)
    with pytest.raises(WireError, match="were announced"):
        worker.run(request(store), payload)
    worker.close()


def test_a_model_that_is_missing_or_damaged_is_refused(store: BlobStore) -> None:
    asked = request(store)
    (blob,) = asked.blobs
    path = store.path(blob)
    path.chmod(0o644)
    path.write_bytes(bytes(blob.bytes))
    for problem in ("do not match", "missing"):
        worker = ShardWorker(store)
        with pytest.raises(WireError, match=problem):
            worker.run(asked, [RECORD])
        worker.close()
        path.unlink(missing_ok=True)


BLOB = Blob(sha256="0" * 64, bytes=1)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../up",
        "a/../../up",
        "a//b",
        "./a",
        "a/",
        "",
        "C:\\x",
        "a\\b",
        "a\0b",
        "a\nb",
        "x" * 1001,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        SourceFile(name=name, content=BLOB)
    with pytest.raises(ValidationError):
        SourceFiles(
            format=SourceFormat.SAVED_MODEL, files=(SourceFile(name="a", content=BLOB),), entry=name or "/"
        )


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b/c", "a/b")])
def test_two_files_in_one_place_are_refused(names: tuple[str, ...]) -> None:
    files = tuple(SourceFile(name=name, content=BLOB) for name in names)
    with pytest.raises(ValidationError, match="two files of one name"):
        SourceFiles(format=SourceFormat.SAVED_MODEL, files=files)


def saved_model(folder: Path) -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def test_a_folder_is_laid_out_again(store: BlobStore, tmp_path: Path) -> None:
    source = saved_model(tmp_path / "mine")
    stored = store_source(source, SourceFormat.SAVED_MODEL, store)
    assert [file.name for file in stored.files.files] == ["saved_model.pb", "variables/variables.index"]
    placed = place_source(stored.files, store, tmp_path / "worker")
    assert placed.path.is_relative_to(tmp_path / "worker")
    assert (placed.path / "variables" / "variables.index").read_bytes() == b"index"
    assert place_source(stored.files, store, tmp_path / "worker") == placed
    inside = str(placed.path / "saved_model.pb")
    assert placed.named(inside) == "saved_model.pb"
    assert placed.named(str(placed.path)) is None and placed.named(None) is None
    assert placed.named("/elsewhere") == "/elsewhere"
    error = ModelError("damaged", where="saved_model.pb", next_step="x")
    assert stored.located(error).where == str(source / "saved_model.pb")


def test_a_checkpoint_is_opened_by_its_prefix(store: BlobStore, tmp_path: Path) -> None:
    for suffix in ("index", "meta", "data-00000-of-00001"):
        (tmp_path / f"model.ckpt-7.{suffix}").write_bytes(suffix.encode())
    (tmp_path / "other.txt").write_text("not the model's")
    stored = store_source(tmp_path / "model.ckpt-7", SourceFormat.CHECKPOINT, store)
    placed = place_source(stored.files, store, tmp_path / "worker")
    assert placed.path.name == "model.ckpt-7"
    assert {path.name for path in placed.folder.iterdir()} == {
        f"model.ckpt-7.{suffix}" for suffix in ("index", "meta", "data-00000-of-00001")
    }


@pytest.mark.skipif(sys.platform == "win32", reason="such a name cannot be made there")
def test_a_name_that_cannot_be_sent_is_said(store: BlobStore, tmp_path: Path) -> None:
    source = saved_model(tmp_path / "mine")
    (source / "assets").mkdir()
    (source / "assets" / "a:b").write_text("x")
    with pytest.raises(ModelError, match="would be a path on Windows") as caught:
        store_source(source, SourceFormat.SAVED_MODEL, store)
    assert caught.value.next_step.startswith("Rename")


def test_what_crosses_is_json(store: BlobStore) -> None:
    asked = request(store, 32, 4)
    assert ShardRequest.model_validate_json(asked.model_dump_json()) == asked
    with pytest.raises(ValidationError):
        ShardRequest.model_validate_json(asked.model_dump_json().replace('"reference"', '"pickle"'))


def test_only_some_shards_are_taken_ahead(store: BlobStore) -> None:
    taken: list[int] = []

    def shards() -> Iterator[Shard]:
        for index in range(20):
            taken.append(index)
            yield Shard(request(store, index * 32), lambda: [RECORD])

    answers = OneProcess().run(store, shards())
    next(answers)
    assert len(taken) == 2
    answers.close()
    assert len(taken) == 2


def test_an_error_comes_at_its_place(store: BlobStore) -> None:
    def shards() -> Iterator[Shard]:
        for index in range(6):
            yield Shard(request(store, index * 32), lambda index=index: [RECORD if index != 3 else b"short"])

    answers = OneProcess().run(store, shards())
    assert [len(next(answers)) for _ in range(3)] == [40] * 3
    with pytest.raises(WireError):
        next(answers)


def test_giving_up_ends_the_wait(store: BlobStore, started: list[subprocess.Popen[bytes]]) -> None:
    given_up = threading.Event()

    def shards() -> Iterator[Shard]:
        count = 200_000
        yield Shard(request(store, 0, count), lambda: [bytes(count * len(RECORD))])

    def give_up() -> None:
        while not started:
            given_up.wait(0.01)
        given_up.set()

    thread = threading.Thread(target=give_up)
    thread.start()
    with pytest.raises(HarnessError, match="interrupted"):
        next(OneProcess().run(store, shards(), given_up))
    thread.join()
    assert [process.poll() for process in started] == [-9]


def test_a_small_workload_needs_no_pool() -> None:
    pool = OneProcess()
    assert pool_for(999, pool) is not pool
    assert pool_for(1000, pool) is pool
    assert isinstance(pool_for(100_000, None), OneProcess)


@pytest.mark.parametrize(
    ("cores", "gigabytes", "processes"), [(8, 64, 8), (8, 7, 3), (8, None, 8), (8, 1, 1), (1, 64, 1)]
)
def test_no_more_processes_than_the_machine_holds(cores: int, gigabytes: int | None, processes: int) -> None:
    assert processes_for(cores, None if gigabytes is None else gigabytes << 30) == processes
