"""A device of a cluster whose worker answers what it was not asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from harness.cluster.answers import Answer
from harness.cluster.connection import Cluster, LostError
from harness.cluster.messages import AnyRequest, Done, FileSize, JobRan
from harness.core.device_traits import DeviceKind, DeviceTraits
from harness.core.jobs import Job
from harness.core.runs import JobOutcome, JobStatus
from harness.errors import WireError
from harness.targets.base import Unwatched
from harness.targets.cluster import ClusterTarget
from harness.wire.job_folder import job_folder, write_job

JOB = "r00-float32"
LOG = b'{"event": "job_failed", "t_ns": 1, "stage": "load", "code": "model_invalid", "message": "no"}\n'


class Worker:
    """Answers every job with ``ran`` and ``beside``; of parts it gives ``parts``."""

    topic = "1" * 32
    address = "tls://lab:8786"

    def __init__(self, ran: JobRan, beside: tuple[bytes, ...], parts: dict[int, bytes | Exception]) -> None:
        self.ran, self.beside, self.parts = ran, beside, parts
        self.asked = 0

    def call(self, request: AnyRequest, *arguments: object, **named: object) -> Answer:
        self.asked += 1
        return self.ran, self.beside

    def call_worker(self, request: AnyRequest, worker: str) -> Answer:
        part = self.parts[request.first_byte]  # type: ignore[union-attr]
        if isinstance(part, Exception):
            raise part
        return Done(), (part,)


def ran(*files: tuple[str, int], job_id: str = JOB, is_inline: bool = True) -> JobRan:
    return JobRan(
        address="tls://desk:9000",
        outcome=JobOutcome(job_id=job_id, status=JobStatus.REFUSED, code="model_invalid", problem="no"),
        files=tuple(FileSize(name=name, bytes=size) for name, size in files),
        is_inline=is_inline,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    blob = {"sha256": "0" * 64, "bytes": 1}
    encoding = {"kind": "tensor", "dtype": "float32", "shape": [1]}
    job = {
        "job_id": JOB,
        "variant": "float32",
        "model": blob,
        "inputs": [{"tensor": "", "blob": {"sha256": "1" * 64, "bytes": 4}, "encoding": encoding}],
        "first_input": 0,
        "input_count": 1,
        "settings": {
            "threads": 1,
            "warmup": {"min_runs": 1, "min_duration_ns": 0},
            "steady": {"min_runs": 1, "min_duration_ns": 0},
        },
    }
    write_job(tmp_path, Job.model_validate_json(json.dumps(job)))
    return tmp_path


def run(root: Path, worker: Worker) -> JobOutcome:
    device = DeviceTraits(kind=DeviceKind.LOCAL, host="desk")
    target = ClusterTarget(cast(Cluster, worker), device, Unwatched(), idle_limit_s=30)
    return target.run(root, JOB, lambda event: None)


def files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in job_folder(root, JOB).iterdir()}


@pytest.mark.parametrize(
    ("answer", "beside"),
    [
        (ran(("job.json", 2)), (b"{}",)),
        (ran(("outcome.json", 2), ("events.jsonl", len(LOG))), (b"{}", LOG)),
        (ran(("events.jsonl", len(LOG)), job_id="r00-other"), (LOG,)),
        (ran(("events.jsonl", len(LOG))), ()),
        (ran(("events.jsonl", len(LOG))), (LOG + b"x",)),
        (ran(("events.jsonl", 8)), (b"no log\n\n",)),
    ],
)
def test_what_is_no_answer_to_the_job_changes_nothing(
    root: Path, answer: JobRan, beside: tuple[bytes, ...]
) -> None:
    before = files(root)
    try:
        outcome = run(root, Worker(answer, beside, {}))
    except WireError as error:
        assert "something else than it was asked" in error.problem
    else:
        # It counts against the device, which is set aside if it goes on like that.
        assert outcome.status is JobStatus.DISCONNECTED and outcome.status.is_interrupted
        assert "could not be fetched" in outcome.problem
    assert files(root) == before


def test_results_of_a_worker_that_dies_are_asked_for_again(root: Path) -> None:
    class Dying(Worker):
        def call(self, request: AnyRequest, *arguments: object, **named: object) -> Answer:
            if self.asked == 1:
                self.parts = {0: LOG}
            return super().call(request)

    worker = Dying(ran(("events.jsonl", len(LOG)), is_inline=False), (), {0: LostError("the worker is gone")})
    assert run(root, worker).code == "model_invalid"
    assert files(root)["events.jsonl"] == LOG and worker.asked == 2


def test_results_that_are_never_there_are_no_result(root: Path) -> None:
    before = files(root)
    outcome = run(root, Worker(ran(("events.jsonl", 9), is_inline=False), (), {0: LostError("gone")}))
    assert outcome.status.is_interrupted and outcome.problem.endswith("could not be fetched: gone")
    assert files(root) == before
