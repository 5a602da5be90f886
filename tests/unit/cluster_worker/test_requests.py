"""What a worker answers to bytes of any kind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cluster.messages import ANSWER, AnyNote, Done, JobRan, Lacking, Refused
from harness.cluster_worker.device_jobs import DeviceJobs
from harness.cluster_worker.requests import Requests
from harness.cluster_worker.storage import WorkerStorage
from harness.core.jobs import Blob, Job
from harness.core.runs import JobStatus
from harness.pipeline.choose_target import TargetSettings
from harness.wire.blobs import BlobStore
from harness.wire.job_folder import job_folder

TINY = Path(__file__).parents[3] / "fixtures" / "tiny" / "image_float32.tflite"
DEVICE = "local host=desk"


def requests_in(folder: Path) -> Requests:
    """As a worker process has them that has just started."""
    storage = WorkerStorage(folder / "worker")
    device = DeviceJobs("local", TargetSettings(cache=folder), storage)
    return Requests(storage, {DEVICE: device}, None)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., object]:
    return asking(requests_in(tmp_path))


def asking(requests: Requests) -> Callable[..., object]:
    def asked(document: object, *parts: bytes, notes: list[AnyNote] | None = None) -> object:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        heard = notes if notes is not None else []
        answer, *beside = requests.answer(
            raw, "tls://me", parts, lambda: True, lambda topic, note: heard.append(note)
        )
        read = ANSWER.validate_json(answer)
        return (read, *beside) if beside else read

    return asked


@pytest.fixture
def job(tmp_path: Path) -> tuple[Job, BlobStore]:
    store = BlobStore(tmp_path / "run")
    model, inputs = store.put_file(TINY), store.put_bytes(bytes(4 * 8 * 8 * 3 * 4))
    return (
        Job.model_validate_json(
            json.dumps(
                {
                    "job_id": "r00-float32",
                    "variant": "float32",
                    "model": model.model_dump(),
                    "inputs": [
                        {
                            "tensor": "",
                            "blob": inputs.model_dump(),
                            "encoding": {"kind": "tensor", "dtype": "float32", "shape": [1, 8, 8, 3]},
                        }
                    ],
                    "first_input": 0,
                    "input_count": 4,
                    "settings": {
                        "threads": 1,
                        "warmup": {"min_runs": 1, "min_duration_ns": 0},
                        "steady": {"min_runs": 8, "min_duration_ns": 0},
                    },
                }
            )
        ),
        store,
    )


def run_job(job: Job, **changes: object) -> dict[str, object]:
    return {
        "op": "run-job",
        "session": "0" * 32,
        "run_id": "20261126-040000-000-x",
        "device": DEVICE,
        "job": job.model_dump(mode="json", exclude_none=True),
        "idle_limit_s": 30.0,
        "topic": "1" * 32,
        "call": "2" * 32,
        **changes,
    }


def test_a_job_from_its_blobs_to_its_log(ask: Callable[..., object], job: tuple[Job, BlobStore]) -> None:
    asked, store = job
    lacking = ask(run_job(asked))
    assert lacking == Lacking(address="tls://me", blobs=asked.blobs)
    for number, blob in enumerate(asked.blobs):
        request = {
            "op": "receive-part",
            "blob": blob.model_dump(),
            "transfer": f"{number:032}",
            "first_byte": 0,
        }
        assert ask(request, store.path(blob).read_bytes()) == Done()
    notes: list[AnyNote] = []
    ran, *files = ask(run_job(asked), notes=notes)  # type: ignore[misc]
    assert isinstance(ran, JobRan)
    assert ran.outcome.status is JobStatus.FINISHED and ran.is_inline
    assert [file.name for file in ran.files] == ["events.jsonl", "outputs.bin"]
    assert [file.bytes for file in ran.files] == list(map(len, files))
    assert len(files[1]) == 4 * 10 * 4
    assert [note.note for note in notes][:2] == ["started", "event"]
    # Given again, as after an answer that was lost: nothing runs a second time.
    again, *same = ask(run_job(asked))  # type: ignore[misc]
    assert (again, same) == (ran, files)
    read = {"op": "read-part", "session": "0" * 32, "job_id": "r00-float32", "name": "outputs.bin"}
    assert ask({**read, "first_byte": 2, "byte_count": 3}) == (Done(), files[1][2:5])


def supply(ask: Callable[..., object], blobs: tuple[Blob, ...], store: BlobStore) -> None:
    for number, blob in enumerate(blobs):
        request = {"op": "receive-part", "blob": blob.model_dump(), "first_byte": 0}
        assert ask({**request, "transfer": f"{number:032}"}, store.path(blob).read_bytes()) == Done()


def finished_outputs(answer: object) -> bytes:
    ran, *files = answer  # type: ignore[misc]
    assert isinstance(ran, JobRan) and ran.outcome.status is JobStatus.FINISHED, ran
    return bytes(files[[file.name for file in ran.files].index("outputs.bin")])


def damage(path: Path) -> None:
    """The same size, other bytes: neither a look at the folder nor at the size finds it."""
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("is_new_process", [False, True])
@pytest.mark.parametrize("which", [0, 1])
def test_a_blob_that_was_damaged_here_is_sent_again(
    ask: Callable[..., object],
    job: tuple[Job, BlobStore],
    tmp_path: Path,
    which: int,
    is_new_process: bool,
) -> None:
    asked, store = job
    supply(ask, asked.blobs, store)
    outputs = finished_outputs(ask(run_job(asked)))
    damage(tmp_path / "worker" / "blobs" / asked.blobs[which].sha256)
    shutil.rmtree(job_folder(tmp_path / "worker" / "sessions" / ("0" * 32), asked.job_id))
    if is_new_process:
        ask = asking(requests_in(tmp_path))
    assert ask(run_job(asked)) == Lacking(address="tls://me", blobs=(asked.blobs[which],))
    supply(ask, (asked.blobs[which],), store)
    assert finished_outputs(ask(run_job(asked))) == outputs


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("events.jsonl", b'{"event": "job_sta'),
        ("events.jsonl", b"\x00" * 100 + b"\n"),
        ("events.jsonl", None),
        ("outputs.bin", b"short"),
        ("outputs.bin", None),
        ("outcome.json", b'{"job_id": "r00-other", "status": "finished", "code": "finished"}'),
        ("outcome.json", b"{"),
        ("job.json", b"[]"),
        ("../../phone_token.json", b"{"),
        ("../../phone_token.json", b'{"token": "other"}'),
    ],
)
def test_a_damaged_session_does_not_stand_in_the_way_of_its_job(
    ask: Callable[..., object], job: tuple[Job, BlobStore], tmp_path: Path, name: str, content: bytes | None
) -> None:
    asked, store = job
    supply(ask, asked.blobs, store)
    outputs = finished_outputs(ask(run_job(asked)))
    path = tmp_path / "worker" / "sessions" / ("0" * 32) / "jobs" / "r00-float32" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert finished_outputs(ask(run_job(asked))) == outputs


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_disk_is_told_and_leaves_nothing_behind(
    ask: Callable[..., object], job: tuple[Job, BlobStore], tmp_path: Path
) -> None:
    asked, store = job
    receiving = tmp_path / "worker" / "receiving"
    receiving.mkdir(parents=True)
    (receiving / f"{0:032}").symlink_to("/dev/full")
    blob = asked.blobs[0]
    request = {"op": "receive-part", "blob": blob.model_dump(), "first_byte": 0, "transfer": f"{0:032}"}
    answer = ask(request, store.path(blob).read_bytes())
    assert isinstance(answer, Refused) and answer.kind == "TargetError"
    assert "No space left on device" in answer.problem and answer.where == "tls://me"
    assert list(receiving.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_disk_that_is_full_while_a_job_runs_is_not_the_variants_fault(
    ask: Callable[..., object], job: tuple[Job, BlobStore], tmp_path: Path
) -> None:
    asked, store = job
    supply(ask, asked.blobs, store)
    outputs = finished_outputs(ask(run_job(asked)))
    folder = job_folder(tmp_path / "worker" / "sessions" / ("0" * 32), asked.job_id)
    for name in ("outcome.json", "events.jsonl", "outputs.bin"):
        (folder / name).unlink()
    (folder / "outputs.bin").symlink_to("/dev/full")
    answer = ask(run_job(asked))
    assert isinstance(answer, Refused) and answer.kind == "TargetError", answer
    assert "free space" in answer.next_step
    (folder / "outputs.bin").unlink()
    assert finished_outputs(ask(run_job(asked))) == outputs


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"device": "iphone udid=gone"}, "not attached to this worker any more"),
        ({"session": "../../etc"}, "session"),
        ({"session": "0" * 31}, "session"),
        ({"code": "import os"}, "code: Extra inputs are not permitted"),
        ({"op": "run-code"}, "is no request"),
        ({"idle_limit_s": -1.0}, "idle_limit_s"),
    ],
)
def test_a_job_that_cannot_be_run(
    ask: Callable[..., object], job: tuple[Job, BlobStore], changes: dict[str, object], problem: str
) -> None:
    answer = ask(run_job(job[0], **changes))
    assert isinstance(answer, Refused) and problem in answer.problem
    assert answer.kind in ("TargetError", "WireError")


@pytest.mark.parametrize("name", ["../job.json", "/etc/passwd", "events.jsonl/../../x.json", "job.py", ""])
def test_a_file_outside_the_job_is_not_read(ask: Callable[..., object], name: str) -> None:
    answer = ask(
        {
            "op": "read-part",
            "session": "0" * 32,
            "job_id": "r00-float32",
            "name": name,
            "first_byte": 0,
            "byte_count": 1,
        }
    )
    assert isinstance(answer, Refused) and answer.kind == "WireError" and "name" in answer.problem


@given(raw=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_have_an_answer(ask: Callable[..., object], raw: bytes) -> None:
    answer = ask(raw)
    assert isinstance(answer, Refused) and answer.problem.startswith("is no request")


def test_shards_where_none_are_computed(ask: Callable[..., object]) -> None:
    answer = ask({"op": "run-shard", "request": "{}"})
    assert isinstance(answer, Refused) and "computes no shards" in answer.problem
